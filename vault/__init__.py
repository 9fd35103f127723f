"""What this machine keeps: the ledger, the transfers, the secrets. Knows providers, knows no screen."""
