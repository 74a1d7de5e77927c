"""Measure how soon drivers have their money back."""
