"""Which meters count for whom in an interval, and how much of them."""
