"""What becomes of the reports of stations: which session they are of, and what they prove."""
