"""What sending a transaction once takes: its attempts, their fees, the steps on the way."""
