"""Bad messages made out of good ones: readings of homes, records of meters, words of stations."""
