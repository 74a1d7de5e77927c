"""Tariffs and sessions that the tests of the rating engine share."""

from datetime import UTC, datetime
from fractions import Fraction

from settlement.pricing.ocpi import Charging, Period, Reservation, parse_tariff


def component(dimension, price, vat=20, step=1):
    priced = {"type": dimension, "price": price, "step_size": step}
    return priced if vat is None else priced | {"vat": vat}


def element(*components, **restrictions):
    made = {"price_components": list(components)}
    return made | {"restrictions": restrictions} if restrictions else made


def document(*elements, **fields):
    return {"id": "t", "currency": "EUR", "elements": list(elements)} | fields


def tariff(*elements, **fields):
    return parse_tariff(document(*elements, **fields))


def at(text):
    """Return the Unix seconds of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


MONDAY_NOON = at("2019-01-07T12:00:00")


def charged(*parts, start=MONDAY_NOON, offset=0, zone=None):
    """Return a session of (seconds, Wh) for charging and (seconds,) for parking, in a row."""
    periods, now = [], start
    for seconds, *energy in parts:
        periods.append(Period(now, now + seconds, energy[0] if energy else 0, not energy))
        now += seconds
    return Charging(start, tuple(periods), offset, zone)


def of_vector(vector):
    """Return tariff and session of a vector."""
    periods = tuple(_period(one) for one in vector["periods"])
    made = parse_tariff({"id": "vector", "currency": "EUR", **vector["tariff"]})
    start = min((one.begin_s for one in periods if one.reservation is None), default=None)
    return made, Charging(periods[0].begin_s if start is None else start, periods)


def _period(one):
    begin = at(one["start"])
    power, current, reservation = (one.get(key) for key in ("power_kw", "current_a", "reservation"))
    return Period(
        begin,
        begin + one.get("duration_s", 0),
        Fraction(one.get("volume_wh", 0)),
        one["dimension"] == "PARKING_TIME",
        None if power is None else int(power * 1_000),
        None if current is None else int(current * 1_000),
        None if reservation is None else Reservation(reservation),
    )
