"""The real sessions are all rated and booked, and the page says what they come to."""

import dataclasses
import re
from itertools import islice
from pathlib import Path

import pytest

from ledger.store import LedgerStore, open_engine
from scripts.benchmarks.charging import rating, sessions, year
from scripts.benchmarks.rows import BenchmarkInvalidError
from settlement.pricing.ocpi import loads_tariff, parse_tariff

PAGE = Path(__file__).parents[3] / "docs/reference/tariffs.md"
EXAMPLES = 150


def some():
    return list(islice(sessions.real_sessions(), 500, 500 + EXAMPLES))


class TestRealSessions:
    def test_are_all_here_in_order(self):
        every = list(sessions.real_sessions())
        assert len(every) == 27_407
        assert every == sorted(every, key=lambda one: one.arrival_s)
        assert sum(one.delivered_wh for one in every) == 342_673_911
        assert len({one.station for one in every}) == 107

    def test_cost_nothing_by_a_time_that_nobody_recorded(self):
        assert not any(period.parking for one in some() for period in one.charging.periods)


class TestRunYear:
    def test_books_every_deposit_as_charge_and_refund(self, tmp_path):
        found = year.run_year(some(), tmp_path / "year.sqlite")
        told = found.totals
        assert told["sessions"] == EXAMPLES
        assert told["charged_micros"] + told["refunded_micros"] == told["deposits_micros"]
        assert told["charged_micros"] + told["beyond_deposit_micros"] == told["asked_micros"]
        assert told["asked_net_micros"] + told["asked_vat_micros"] == told["asked_micros"]
        assert found.entries == 3 * EXAMPLES

    def test_never_takes_more_than_the_deposit(self, tmp_path):
        greedy = [dataclasses.replace(one, delivered_wh=90_000) for one in some()]
        told = year.run_year(greedy, tmp_path / "year.sqlite").totals
        assert told["beyond_deposit_sessions"] > 0
        assert told["charged_micros"] < told["asked_micros"]
        assert told["charged_micros"] + told["refunded_micros"] == told["deposits_micros"]

    def test_leaves_books_that_replay(self, tmp_path):
        year.run_year(some(), tmp_path / "year.sqlite")
        engine = open_engine(tmp_path / "year.sqlite")
        with engine.begin() as connection:
            report = LedgerStore().replay(connection)
        engine.dispose()
        assert (report.balances, report.holds, report.log) == (None, None, None)
        assert report.entries == 3 * EXAMPLES

    def test_refuses_books_that_say_something_else(self, tmp_path, monkeypatch):
        monkeypatch.setattr(year, "_events", lambda _: iter(()))
        with pytest.raises(BenchmarkInvalidError):
            year.run_year(some(), tmp_path / "year.sqlite")

    def test_goes_on_without_a_session_that_owes_and_asks_nothing(self, tmp_path, monkeypatch):
        free = parse_tariff({"id": "free", "currency": "EUR", "elements": [FREE_OF_CHARGE]})
        monkeypatch.setattr(year, "year_tariff", lambda: free)
        found = year.run_year(some(), tmp_path / "year.sqlite")
        assert (found.entries, found.totals["asked_micros"]) == (0, 0)


FREE_OF_CHARGE = {"price_components": [{"type": "FLAT", "price": 0, "step_size": 0}]}


class TestRatingRow:
    def test_rates_four_hours_under_eight_elements(self):
        tariff, charging = loads_tariff(rating.EIGHT_ELEMENTS), rating.session()
        rating.check(tariff, charging)
        assert len(tariff.elements) == 8
        assert len(charging.periods) == 240
        assert charging.periods[-1].end_s - charging.start_s == 4 * 3_600

    def test_refuses_to_time_a_tariff_that_prices_nothing(self):
        free = parse_tariff(
            {"id": "free", "currency": "EUR", "elements": [FREE_OF_CHARGE, FREE_OF_CHARGE] * 2}
        )
        with pytest.raises(BenchmarkInvalidError):
            rating.check(free, rating.session())


def test_the_page_says_what_all_sessions_come_to():
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", PAGE.read_text(), re.MULTILINE))
    every = sessions.settled(sessions.real_sessions(), sessions.year_tariff())
    found = sessions.totals(every) | sessions.quirks(every)
    assert {name: int(number.replace(",", "")) for name, number in told.items()} == found
