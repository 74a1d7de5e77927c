"""The rules of energy and money, and their orchestration."""
