"""Members, readings and the settlement of intervals."""
