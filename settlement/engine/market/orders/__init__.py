"""Take orders for intervals, cancellations and delegations, and say what is in force."""
