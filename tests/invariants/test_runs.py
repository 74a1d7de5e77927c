"""
However late, doubled or missing readings come, everybody ends with what the truth comes to.

Three homes of a street say what they measured when they like, or never; the others and the feeder
head speak in time. When all has come that will come, balances stand where one settlement of each
interval, with everything known, would have put them. Chain and database are real.
"""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger import accounts
from settlement.engine.market.collecting import collect
from settlement.trading.lines import Rail
from settlement.trading.settle import settle
from tests.integration.late_street import AFTER_S, late_street

BUSY = ("home-01", "home-02", "home-03")
HOURS = 3
NEVER = HOURS + 1
"""Longer than an example lasts."""

plans = st.fixed_dictionaries(
    {
        name: st.lists(
            st.tuples(
                st.integers(-3_000, 3_000),
                st.sampled_from([0, 0, 1, 2, NEVER]),
                st.booleans(),
            ),
            min_size=HOURS,
            max_size=HOURS,
        )
        for name in BUSY
    }
)
"""For each home and hour: Wh taken, after how many hours it says so, whether it says so twice."""


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with late_street(tmp_path_factory.mktemp("runs")) as found:
        yield found
        assert found.broken() == {}


def truth(street, name, hour):
    """What a home took and gave in the interval that ends at an hour, from what it has said."""
    if (name, hour) not in street.arrived:
        return 0, 0
    spoke = max(said for who, said in street.arrived if who == name and said < hour)
    now, then = street.registers[name, hour], street.registers[name, spoke]
    return now[0] - then[0], now[1] - then[1]


def owed(street, hours):
    """What the balances gain if each interval is settled once, from the truth."""
    gained = Counter()
    homes = {street.wallet(name): name for name in street.homes}
    parties = homes
    for hour in hours:
        [first, *_] = street.runs(hour)
        funds = dict.fromkeys(homes, 10**12)
        with street.service.reading() as connection:
            found = collect(street.service, connection, hour - 1, first["run"], funds=funds)
        members = tuple(
            replace(one, import_wh=taken, export_wh=gave)
            for one in found.inputs.members
            if one.account in homes
            for taken, gave in [truth(street, homes[one.account], hour)]
        )
        others = tuple(one for one in found.inputs.members if one.account not in homes)
        for line in settle(replace(found.inputs, members=(*members, *others))).lines:
            for end, amount in (
                (line.payer, -line.amount_micros),
                (line.payee, line.amount_micros),
            ):
                if line.rail is Rail.CHAIN:
                    gained[accounts.trade_balance(end)] += amount
                else:
                    gained[accounts.invoice(parties.get(end, end))] += amount
    return {account: micros for account, micros in gained.items() if micros}


def test_balances_do_not_depend_on_when_readings_come(street):
    @given(plans)
    @settings(
        max_examples=12,
        deadline=None,
        # An example lasts seconds, so the one found is shown as it is.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def play(plan):
        street.turn()
        street.say_all()
        street.wait()
        before = street.balances()
        first = street.hour
        for step in range(HOURS + 2):
            energies = {
                name.replace("-", "_"): plan[name][step][0] if step < HOURS else 0 for name in BUSY
            }
            street.turn(**energies)
            street.say_all(*BUSY)
            for name in BUSY:
                for said, (_, after, twice) in enumerate(plan[name]):
                    if said + after == step:
                        assert street.say({name: first + said + 1}) == set()
                        assert not twice or street.say({name: first + said + 1}) == set()
                if step >= HOURS:
                    street.say({name: street.hour})
            street.grace()
            street.wait(AFTER_S)
        hours = range(first + 1, street.hour + 1)
        after = street.balances()
        gained = {one: after[one] - before.get(one, 0) for one in after}
        assert {one: micros for one, micros in gained.items() if micros} == owed(street, hours)

    play()
