"""Readings, signatures, plausibility, energy balance: what was measured."""
