"""Settle many intervals at once from what a folder says, without a chain."""
