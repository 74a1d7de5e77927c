"""What a clearing can be refused for."""

from ledger.errors import Integrity, InvalidRequest


class BookOutOfRangeError(InvalidRequest):
    """A book, limit, toll or energy too large to be cleared exactly."""

    def __init__(self, detail: str) -> None:
        super().__init__("book_out_of_range", detail)


class UnknownZoneError(InvalidRequest):
    """An order in a zone that the community does not have."""

    def __init__(self, zone: str) -> None:
        super().__init__("unknown_zone", f"the community has no zone {zone}")


class NotClearedError(Integrity):
    """No optimum was found, or what was found does not prove itself."""

    def __init__(self, detail: str) -> None:
        super().__init__("market_not_cleared", detail)
