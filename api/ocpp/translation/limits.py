"""
What transactions may cost, as OCPP 2.1 stations are told and say back.

A limit goes to the station once, in the answer to the transaction's next message (use case E16); a
station that keeps limits repeats it in a message of trigger ``LimitSet``. Nothing of this is lost
that matters: who never repeats a limit is stopped by the service.
"""

from typing import Final

from ledger.units import Micros

_Key = tuple[str, str]


class Limits:
    """Limits that wait to be told, and limits that stations have repeated."""

    def __init__(self) -> None:
        self._waiting: Final[dict[_Key, Micros]] = {}
        self._repeated: Final[dict[_Key, Micros]] = {}

    def put(self, station_id: str, transaction: str, max_cost_micros: Micros) -> None:
        """Let the answer to the transaction's next message carry ``max_cost_micros``."""
        self._waiting[station_id, transaction] = max_cost_micros

    def take(self, station_id: str, transaction: str) -> Micros | None:
        """Return the limit that waits, if one does; it waits no longer."""
        return self._waiting.pop((station_id, transaction), None)

    def repeat(self, station_id: str, transaction: str, max_cost_micros: Micros) -> None:
        """Take note that the station keeps this limit."""
        self._repeated[station_id, transaction] = max_cost_micros

    def repeated(self, station_id: str, transaction: str) -> Micros | None:
        """Return the limit that the station says it keeps, if it does."""
        return self._repeated.get((station_id, transaction))

    def forget(self, station_id: str, transaction: str) -> None:
        """Forget a transaction that has ended."""
        self._waiting.pop((station_id, transaction), None)
        self._repeated.pop((station_id, transaction), None)
