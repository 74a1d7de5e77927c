"""Take what the grid operator decides, and keep what a run says of zones and members."""
