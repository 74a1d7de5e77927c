"""The ledger's schema, step by step; ``ledger.store.migrate`` runs it."""
