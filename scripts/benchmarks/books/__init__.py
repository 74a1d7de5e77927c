"""Measure the ledger: many callers, a million transfers, proofs."""
