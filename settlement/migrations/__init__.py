"""The settlement service's schema, step by step; ``ledger.store.migrate`` runs it."""
