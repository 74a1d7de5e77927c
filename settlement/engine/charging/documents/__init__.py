"""Documents of sessions that are over: gathered from the books, kept, and sent to who asked."""
