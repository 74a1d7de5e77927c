"""What drivers see of a session while it charges, pushed to their screens."""
