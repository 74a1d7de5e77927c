"""A street with live charging stations, on the wall clock: ``scripts/demo --live``."""
