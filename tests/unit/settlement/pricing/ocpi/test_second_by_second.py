"""
Rating agrees with a meter that asks the tariff again at each second.

The other side here reads the document itself, knows no bands and cuts nothing: it walks second by
second, 0 or 1 Wh each, and takes the first element whose restrictions hold, as the specification
says it in words.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.pricing.ocpi import Charging, Period, parse_tariff, rate
from tests.unit.settlement.pricing.ocpi.sessions import at, component, document, element

MIDNIGHT = at("2019-01-08T00:00:00")
MICROS = 1_000_000

restrictions = st.fixed_dictionaries(
    {},
    optional={
        "start_time": st.sampled_from(["00:00", "00:02", "23:58"]),
        "end_time": st.sampled_from(["00:00", "00:02", "00:04", "23:58"]),
        "start_date": st.sampled_from(["2019-01-08", "2019-01-09"]),
        "end_date": st.sampled_from(["2019-01-08", "2019-01-09"]),
        "day_of_week": st.lists(st.sampled_from(["MONDAY", "TUESDAY", "SUNDAY"]), max_size=2),
        "min_kwh": st.sampled_from(["0.001", "0.030", "0.100"]),
        "max_kwh": st.sampled_from(["0.001", "0.030", "0.100"]),
        "min_duration": st.sampled_from([1, 60, 133]),
        "max_duration": st.sampled_from([1, 60, 133]),
        "min_power": st.sampled_from(["0.001", "3.6", "7"]),
        "max_power": st.sampled_from(["0.001", "3.6", "7"]),
        "min_current": st.sampled_from([6, 16]),
        "max_current": st.sampled_from([6, 16]),
    },
)
components = st.builds(
    component,
    st.sampled_from(["ENERGY", "FLAT", "TIME", "PARKING_TIME"]),
    st.integers(1, 999).map(str),
    st.none(),
    st.just(1),
)
elements = st.builds(
    lambda some, limits: element(*some, **limits),
    st.lists(components, min_size=1, max_size=3),
    restrictions | st.just({}),
)
documents = st.lists(elements, min_size=1, max_size=6).map(lambda some: document(*some))
periods = st.tuples(
    st.integers(1, 150),
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([None, 0, 3_600, 11_000]),
    st.sampled_from([None, 5_999, 6_000, 32_000]),
)


def seconds_of(session):
    """Yield (parking, Wh, power in W, current in mA) for each second."""
    for lasts, wh_per_second, parking, power, current in session:
        for _ in range(lasts):
            yield (
                parking,
                wh_per_second,
                wh_per_second * 3_600 if power is None else power,
                0 if current is None and parking else current,
            )


def holds(limits, moment, used_wh, lasted_s, power_w, current_ma):
    """Return whether all restrictions of an element hold, in the words of the specification."""
    local = moment.strftime("%H:%M")
    begin, end = limits.get("start_time", "00:00"), limits.get("end_time", "00:00")
    if end == "00:00":
        end = "24:00"
    in_day = begin <= local < end if begin <= end else local >= begin or local < end
    days = limits.get("day_of_week") or [moment.strftime("%A").upper()]
    checks = [
        in_day,
        moment.strftime("%A").upper() in days,
        limits.get("start_date", "0000") <= moment.date().isoformat(),
        moment.date().isoformat() < limits.get("end_date", "9999"),
    ]
    for name, value in (("kwh", used_wh), ("power", power_w), ("current", current_ma)):
        least, most = limits.get(f"min_{name}"), limits.get(f"max_{name}")
        if value is None:
            checks.append(least is None and most is None)
            continue
        checks.append(least is None or Fraction(least) * 1_000 <= value)
        checks.append(most is None or value < Fraction(most) * 1_000)
    checks.append(limits.get("min_duration", 0) <= lasted_s)
    checks.append(lasted_s < limits.get("max_duration", 10**9))
    return all(checks)


def price_of(made, dimension, *state):
    """Return the price of the first component that counts, or None."""
    for one in made["elements"]:
        for priced in one["price_components"]:
            if priced["type"] == dimension and holds(one.get("restrictions", {}), *state):
                return int(priced["price"]) * MICROS
    return None


def cost_by_second(made, start, offset, session):
    total, used, flat = Fraction(0), 0, None
    state = None
    for lasted, (parking, energy, power, current) in enumerate(seconds_of(session)):
        moment = datetime.fromtimestamp(start + lasted, UTC) + timedelta(minutes=offset)
        state = (moment, used, lasted, power, current)
        timed = price_of(made, "PARKING_TIME" if parking else "TIME", *state) or 0
        total += (
            Fraction(timed, 3_600) + Fraction(price_of(made, "ENERGY", *state) or 0, 1_000) * energy
        )
        flat = price_of(made, "FLAT", *state) if flat is None else flat
        used += energy
    moment, _, lasted, power, current = state
    last = price_of(made, "FLAT", moment, used, lasted + 1, power, current)
    return total + ((last if flat is None else flat) or 0)


@given(
    documents,
    st.lists(periods, min_size=1, max_size=4),
    st.integers(MIDNIGHT - 300, MIDNIGHT + 300),
    st.sampled_from([0, 1, -3, 1_439]),
)
@settings(max_examples=400, deadline=None)
def test_rating_agrees_with_asking_at_each_second(made, session, start, offset):
    parts, now = [], start
    for lasts, energy, parking, power, current in session:
        parts.append(Period(now, now + lasts, lasts * energy, parking, power, current))
        now += lasts
    rated = rate(parse_tariff(made), Charging(start, tuple(parts), offset))
    assert rated.net_exact == cost_by_second(made, start, offset, session)
