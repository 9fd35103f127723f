"""Between Textual and the terminal: what is shown is remembered, and only what differs is written."""
