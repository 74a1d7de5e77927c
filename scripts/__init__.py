"""Commands for newcomers and for CI."""
