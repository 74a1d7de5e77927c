"""Settle a folder of readings from the command line: files in, statements and proofs out."""
