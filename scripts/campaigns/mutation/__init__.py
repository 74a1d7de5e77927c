"""Make faults in the contracts one by one and see that a check notices each."""
