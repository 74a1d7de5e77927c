"""Mandates, the book, clearing, lines and the settlement tree."""
