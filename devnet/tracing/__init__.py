"""Try transactions on a state that is thrown away, and say step by step what they do."""
