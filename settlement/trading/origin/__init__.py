"""Where a kilowatt-hour came from: lots that were sold and measured, and cars that took them."""
