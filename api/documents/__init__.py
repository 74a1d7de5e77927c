"""Documents as people open them: a receipt on paper, tables for spreadsheets."""
