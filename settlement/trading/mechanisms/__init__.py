"""Mechanisms beside the auction: pay-as-bid and sharing keys."""
