"""The double-entry book: units, accounts, transfers, journal, proofs and their store."""
