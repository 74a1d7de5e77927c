"""What was refused, and what becomes of it."""
