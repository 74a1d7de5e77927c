"""HTTP endpoints, one file a noun; each stands alone."""
