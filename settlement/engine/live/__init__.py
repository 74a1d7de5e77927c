"""What screens show of sessions, and what is noted while they charge."""
