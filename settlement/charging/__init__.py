"""Sessions at charging stations: terms, and what a meter's record proves."""
