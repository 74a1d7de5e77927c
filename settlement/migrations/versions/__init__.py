"""One module for each step; none is ever changed after a release."""
