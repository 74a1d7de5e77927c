"""Do to the ledger what the world does: kill it, tear it, flip it, crowd it, fill its disk."""
