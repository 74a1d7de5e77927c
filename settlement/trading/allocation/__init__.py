"""Ex-post sharing as a grid operator takes it: Wh and coefficients of every metering point."""
