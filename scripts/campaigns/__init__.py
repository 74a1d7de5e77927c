"""Long runs that try to break the node: too long for tests, short enough before a release."""
