"""The webhook receiver: what comes in is on disk before it is answered, and is processed after that."""
