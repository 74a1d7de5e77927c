"""Read a Tariff object of OCPI 2.2.1 or 2.3.0, strictly: nothing guessed, nothing rounded."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from ledger.errors import InvalidRequest, TooLarge
from ledger.units import UnixSeconds
from settlement.pricing.ocpi.document.canonical import plain_decimal
from settlement.pricing.ocpi.document.fields import (
    BadTariffFieldError,
    Fields,
    InexactTariffNumberError,
    MissingTariffFieldError,
    choice,
    matching,
    number,
    several,
    text,
    whole,
)
from settlement.pricing.ocpi.document.model import (
    FREE_OF_RESTRICTIONS,
    Dimension,
    DisplayText,
    Element,
    OcpiTariff,
    PriceComponent,
    PriceLimit,
    Reservation,
    Restrictions,
    TariffType,
    TaxIncluded,
    Weekday,
)

TEXT_MAX: Final = 262_144
"""Characters that a tariff's JSON may have."""

BRACKETS_MAX: Final = 2_000
"""Objects and lists that it may have; a reader of JSON takes stack for one inside another."""

COMPONENTS_MAX: Final = 500
"""Price components that it may have; every change of price is looked up among all of them."""

_STEP_WHERE_ABSENT: Final = 1
_PERCENT_MAX: Final = 100
_OF_RESERVATIONS: Final = frozenset({Dimension.FLAT, Dimension.TIME})
_INSTANT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z?"
_CLOCK: Final = matching(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", "time of day like 07:30")
_DATE: Final = matching(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]", "date like 2027-01-31")
_MOMENT: Final = matching(_INSTANT, "instant like 2027-01-31T12:00:00Z")


class MalformedTariffError(InvalidRequest):
    """A text that is no JSON, or JSON that names a field twice."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed_tariff", detail)


class TariffTooLargeError(TooLarge):
    """A tariff longer than anybody needs."""

    def __init__(self, detail: str) -> None:
        super().__init__("tariff_too_large", detail)


def loads_tariff(document: str) -> OcpiTariff:
    """
    Return the tariff that a JSON text holds; its numbers are read exactly as they are written.

    Raises
    ------
    TariffTooLargeError
        If the text is too long, or holds too many objects and lists.
    MalformedTariffError
        If it is no JSON or a name occurs twice in an object.
    InvalidRequest
        As ``parse_tariff``.
    """
    if len(document) > TEXT_MAX:
        raise TariffTooLargeError(f"{len(document)} characters, more than {TEXT_MAX}")
    brackets = document.count("{") + document.count("[")
    if brackets > BRACKETS_MAX:
        raise TariffTooLargeError(f"{brackets} objects and lists, more than {BRACKETS_MAX}")
    try:
        found = json.loads(
            document,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_no_number,
            object_pairs_hook=_once_each,
        )
    except ValueError as fault:
        raise MalformedTariffError(f"the tariff is no JSON: {fault}") from fault
    return parse_tariff(found)


def _no_number(constant: str) -> object:
    raise MalformedTariffError(f"{constant} is no JSON number")


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedTariffError("an object names a field twice")
    return found


def parse_tariff(document: Mapping[str, object]) -> OcpiTariff:
    """
    Return the tariff that a document describes (OCPI 2.2.1 and 2.3.0, mod_tariffs).

    The spellings of both versions give the same tariff: ``excl_vat`` is ``before_taxes``, and
    without ``tax_included`` prices exclude tax. ``id``, ``currency`` and ``elements`` must be
    there. Null and an empty list count as absent.

    Raises
    ------
    BadTariffFieldError
        If a field holds what it may not; ``where`` says which.
    MissingTariffFieldError
        If a field is missing.
    UnknownTariffFieldError
        If a field is known to neither version.
    InexactTariffNumberError
        If a number is a binary floating point number.
    TariffTooLargeError
        If there are too many price components.
    """
    top = Fields(document, "")
    tariff = OcpiTariff(
        tariff_id=top.require("id", text(36)),
        currency=top.require("currency", matching(r"[A-Z]{3}", "ISO 4217 code")),
        elements=_some(top.require("elements", several(_element)), "elements"),
        tax_included=top.take("tax_included", choice(TaxIncluded)) or TaxIncluded.NO,
        min_price=top.take("min_price", _limit),
        max_price=top.take("max_price", _limit),
        country_code=top.take("country_code", matching(r"[A-Za-z]{2}", "ISO 3166 code")),
        party_id=top.take("party_id", matching(r"[A-Za-z0-9]{3}", "party of three characters")),
        type=top.take("type", choice(TariffType)),
        alt_text=top.take("tariff_alt_text", several(_display_text)) or (),
        alt_url=top.take("tariff_alt_url", text(255)),
        valid_from_s=top.take("start_date_time", _instant),
        valid_until_s=top.take("end_date_time", _instant),
        preauthorize_amount=top.take("preauthorize_amount", number),
        energy_mix=top.take("energy_mix", _kept),
        last_updated=top.take("last_updated", _moment_text),
    )
    top.end()
    components = sum(len(element.components) for element in tariff.elements)
    if components > COMPONENTS_MAX:
        raise TariffTooLargeError(f"{components} price components, more than {COMPONENTS_MAX}")
    _check_limits(tariff)
    return tariff


def _some(elements: tuple[Element, ...], where: str) -> tuple[Element, ...]:
    if not elements:
        raise BadTariffFieldError(where, "is empty")
    return elements


def _element(value: object, where: str) -> Element:
    one = Fields(value, where)
    components = one.require("price_components", several(_component))
    restrictions = one.take("restrictions", _restrictions) or FREE_OF_RESTRICTIONS
    one.end()
    if not components:
        raise BadTariffFieldError(one.path("price_components"), "is empty")
    if restrictions.reservation is not None:
        for index, component in enumerate(components):
            if component.dimension not in _OF_RESERVATIONS:
                path = one.path(f"price_components[{index}].type")
                raise BadTariffFieldError(path, "a reservation has only FLAT and TIME")
    return Element(components, restrictions)


def _component(value: object, where: str) -> PriceComponent:
    one = Fields(value, where)
    step = one.take("step_size", whole)
    component = PriceComponent(
        dimension=one.require("type", choice(Dimension)),
        price=one.require("price", number),
        vat_percent=one.take("vat", _percent),
        step_size=_STEP_WHERE_ABSENT if step is None else step,
    )
    one.end()
    return component


def _percent(value: object, where: str) -> Decimal:
    found = number(value, where)
    if found > _PERCENT_MAX:
        raise BadTariffFieldError(where, f"{found} is above {_PERCENT_MAX} percent")
    return found


def _restrictions(value: object, where: str) -> Restrictions:
    one = Fields(value, where)
    found = Restrictions(
        start_minute=one.take("start_time", _minute),
        end_minute=one.take("end_time", _minute),
        start_date=one.take("start_date", _day),
        end_date=one.take("end_date", _day),
        min_kwh=one.take("min_kwh", number),
        max_kwh=one.take("max_kwh", number),
        min_current=one.take("min_current", number),
        max_current=one.take("max_current", number),
        min_power=one.take("min_power", number),
        max_power=one.take("max_power", number),
        min_duration_s=one.take("min_duration", whole),
        max_duration_s=one.take("max_duration", whole),
        days=frozenset(one.take("day_of_week", several(choice(Weekday))) or ()),
        reservation=one.take("reservation", choice(Reservation)),
    )
    one.end()
    return found


def _minute(value: object, where: str) -> int:
    hours, minutes = _CLOCK(value, where).split(":")
    return int(hours) * 60 + int(minutes)


def _day(value: object, where: str) -> date:
    found = _DATE(value, where)
    try:
        return date.fromisoformat(found)
    except ValueError as fault:
        raise BadTariffFieldError(where, f"{found!r} is no day of the calendar") from fault


def _instant(value: object, where: str) -> UnixSeconds:
    found = _MOMENT(value, where)
    try:
        moment = datetime.fromisoformat(found.removesuffix("Z").split(".")[0])
    except ValueError as fault:
        raise BadTariffFieldError(where, f"{found!r} is no instant") from fault
    return UnixSeconds(int(moment.replace(tzinfo=UTC).timestamp()))


def _moment_text(value: object, where: str) -> str:
    _instant(value, where)
    return _MOMENT(value, where)


def _limit(value: object, where: str) -> PriceLimit:
    """Return a limit in the words of either version, never of both at once."""
    one = Fields(value, where)
    before, after = ("excl_vat", "incl_vat")
    if one.has("before_taxes") or one.has("after_taxes"):
        before, after = ("before_taxes", "after_taxes")
    limit = PriceLimit(one.require(before, number), one.take(after, number))
    one.end()
    if limit.after_taxes is not None and limit.after_taxes < limit.before_taxes:
        raise BadTariffFieldError(one.path(after), f"is below {before}")
    return limit


def _check_limits(tariff: OcpiTariff) -> None:
    least, most = tariff.min_price, tariff.max_price
    if least is None or most is None:
        return
    if most.before_taxes < least.before_taxes:
        raise BadTariffFieldError("max_price", "is below min_price")
    if None not in (least.after_taxes, most.after_taxes) and _after(most) < _after(least):
        raise BadTariffFieldError("max_price", "is below min_price after taxes")


def _after(limit: PriceLimit) -> Decimal:
    return limit.before_taxes if limit.after_taxes is None else limit.after_taxes


def _display_text(value: object, where: str) -> DisplayText:
    one = Fields(value, where)
    found = DisplayText(
        one.require("language", matching(r"[A-Za-z]{2}", "ISO 639-1 code")),
        one.require("text", text(512)),
    )
    one.end()
    return found


def _kept(value: object, where: str) -> str:
    """Return an object as JSON; it is kept and shown, and never changes a price."""
    if not isinstance(value, Mapping):
        raise BadTariffFieldError(where, "is no object")
    return json.dumps(_spelled(value, where), sort_keys=True, separators=(",", ":"))


def _spelled(value: object, where: str) -> object:
    """Return JSON values with every number spelled as plain text."""
    if type(value).__name__ == "float":
        raise InexactTariffNumberError(where)
    if isinstance(value, Mapping):
        return {str(name): _spelled(one, f"{where}.{name}") for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(one, f"{where}[{index}]") for index, one in enumerate(value)]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return plain_decimal(number(value, where))


__all__ = ["MalformedTariffError", "MissingTariffFieldError", "loads_tariff", "parse_tariff"]
