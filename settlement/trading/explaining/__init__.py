"""Say of every order why it was served or was not, with the numbers that prove it."""

from settlement.trading.explaining.interval import explain_interval
from settlement.trading.explaining.market import explain_book
from settlement.trading.explaining.reasons import Explanation, Reason
from settlement.trading.explaining.sentences import sentence

__all__ = ["Explanation", "Reason", "explain_book", "explain_interval", "sentence"]
