"""Orders for intervals: what a member signs when its mandate is not enough."""
