"""What the grid operator decides of zones: tolls and caps, with effect from an interval."""
