"""The chain behind a port: calls, outbox, indexer, deployment, reconciliation."""
