"""Routes of what comes after a session: receipts, tables, roaming partners, who is told."""
