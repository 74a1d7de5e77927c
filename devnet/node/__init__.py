"""A node: one chain with its pool and miner, for any number of threads."""
