"""Keep what happened to a chain: block log, index, and what follows from them in memory."""
