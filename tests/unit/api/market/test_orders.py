"""Orders of a folder go before the standing limits, and are refused by row where they are wrong."""

import pytest

from api.market.reading.folder import read_folder
from settlement.engine.batch.running import settle_batch, span_of
from settlement.engine.batch.totals import Totals
from settlement.trading.lines import Kind
from tests.unit.api.market.folders import READINGS, market_run, write

HEADER = "member,side,wh,limit_per_kwh,from,until,quantity,partner,solar_only,expires_at\n"
SPAN = "2026-06-01T10:00:00Z,2026-06-01T10:15:00Z"
LATER = READINGS + (
    "a-roof,export,2026-06-01T10:30:00Z,4000\n"
    "a-load,import,2026-06-01T10:30:00Z,700\n"
    "b-main,import,2026-06-01T10:30:00Z,2070\n"
    "b-main,export,2026-06-01T10:30:00Z,0\n"
)


def runs_of(folder):
    batch = read_folder(folder).batch
    return list(settle_batch(batch, span_of(batch)))


def test_an_order_counts_in_its_intervals_only(tmp_path):
    folder = write(tmp_path, readings=LATER, orders=f"{HEADER}bo,buy,1000,0.05,{SPAN},,,,\n")
    assert [one.settlement.traded_wh for one in runs_of(folder)] == [0, 1_000]


def test_a_limit_below_every_offer_buys_nothing(tmp_path):
    folder = write(tmp_path, orders=f"{HEADER}bo,buy,1000,0.05,{SPAN},,,,\n")
    (run,) = runs_of(folder)
    assert run.settlement.traded_wh == 0


def test_an_order_that_expired_does_not_count(tmp_path):
    expired = f"{HEADER}bo,buy,1000,0.05,{SPAN},,,,2026-06-01T10:00:00Z\n"
    (run,) = runs_of(write(tmp_path, orders=expired))
    assert run.settlement.traded_wh == 1_000


def test_what_was_sold_firm_and_not_made_is_imbalance(tmp_path):
    folder = write(
        tmp_path,
        orders=f"{HEADER}ana,sell,1600,0.08,{SPAN},firm,,,\nbo,buy,1600,0.18,{SPAN},firm,,,\n",
    )
    (run,) = runs_of(folder)
    totals = Totals()
    totals.add(run)
    assert run.settlement.traded_wh == 1_600
    assert totals.imbalance_wh == 200 + 600
    assert totals.money_micros[Kind.IMBALANCE] == 200 * 250 + 600 * 50
    assert totals.zero_sum


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"eve,sell,1,0.1,{SPAN},,,,", "row 2, column member: 'eve' is not a member"),
        (f"ana,lend,1,0.1,{SPAN},,,,", "row 2, column side: 'lend' is not sell or buy"),
        (f"ana,sell,0,0.1,{SPAN},,,,", "row 2, column member: 0 Wh is not 1"),
        (f"ana,sell,1,3000,{SPAN},,,,", "row 2, column member: a limit of 3000000000 does not"),
        (f"ana,sell,1,0.1,{SPAN},maybe,,,", "row 2, column quantity: 'maybe' is not metered or"),
        (f"ana,sell,1,0.1,{SPAN},,eve,,", "row 2, column partner: 'eve' is not a member"),
        (f"ana,sell,1,0.1,{SPAN},,ana,,", "row 2, column member: its partner is its own member"),
        (f"ana,sell,1,0.1,{SPAN},,,yes,", "row 2, column member: only a purchase can ask for sun"),
        (f"bo,buy,1,0.1,{SPAN},,,ja,", "row 2, column solar_only: 'ja' is not yes or no"),
        ("bo,buy,1,0.1,2026-06-01T10:01:00Z,2026-06-01T10:15:00Z,,,,", "row 2, column from: no"),
        ("bo,buy,1,0.1,2026-06-01T10:15:00Z,2026-06-01T10:15:00Z,,,,", "row 2, column until: is"),
    ],
)
def test_a_wrong_order_is_named(tmp_path, row, expected):
    code, shown = market_run(write(tmp_path, orders=f"{HEADER}{row}\n"))
    assert code == 1
    assert f"folder_cell: orders.csv, {expected}" in " ".join(shown.split())
