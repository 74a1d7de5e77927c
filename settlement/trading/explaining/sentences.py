"""Write an explanation as one sentence."""

from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour, WattHours
from settlement.trading.exact import Language, energy, money, price
from settlement.trading.explaining.reasons import Explanation
from settlement.trading.explaining.words import WORDS

_CURRENCY: Final = "EUR"


def sentence(
    explanation: Explanation, language: Language = Language.EN, currency: str = _CURRENCY
) -> str:
    """Return why an order got what it got, in one sentence; its numbers are exact."""
    said = {"edge": explanation.edge, "served_wh": energy(explanation.served_wh, language)}
    for name, number in explanation.numbers.items():
        if name.endswith("_wh"):
            said[name] = energy(WattHours(number), language)
        elif name.endswith("_per_kwh"):
            said[name] = price(MicrosPerKilowattHour(number), currency, language)
        elif name.endswith("_micros"):
            said[name] = money(Micros(number), currency, language)
    return WORDS[language][explanation.reason, explanation.side].format(**said)
