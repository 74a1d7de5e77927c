"""Reconciliation: nine equations between journal, books, meters and chain, after every block."""
