"""A month is over: members get statements that never change, and credit notes for what changes."""

import contextlib
import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy
from fastapi.testclient import TestClient
from sqlalchemy import delete, update

from api.app import create_app
from api.desk import Desk
from ledger.tables import entry
from settlement.engine.market.statements.issuing import issue_statements
from settlement.tables import statement
from tests.integration.community import context_of
from tests.integration.late_street import AFTER_S, late_street

SUN, SHADE, LATE = "home-01", "home-02", "home-03"
WEST = timezone(timedelta(hours=-7))
"""Where the community is."""
BEGIN_S = int(datetime(2017, 5, 31, 20, tzinfo=WEST).timestamp())
END_S = int(datetime(2017, 6, 1, tzinfo=WEST).timestamp())
DAY_S = 86_400


class Month:
    """The last hours of May: homes trade, one meter is late, and the month is stated."""

    def __init__(self, street):
        self.street = street
        self.first = street.hour
        while street.clock.now_s() < END_S:
            street.turn(home_01=-3_000, home_02=1_000, home_03=1_500)
            street.say_all(LATE)
            street.grace()
        self.stated = {name: street.documents(street.wallet(name)) for name in street.homes}

    def correct(self):
        """Let the late meter speak of the first hour, and wait until the next day."""
        self.street.say({LATE: self.first + 1})
        self.street.wait(AFTER_S)
        self.street.wait(DAY_S)

    def documents(self, name):
        return self.street.documents(self.street.wallet(name))


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    with late_street(tmp_path_factory.mktemp("month"), begin_s=BEGIN_S) as street:
        found = Month(street)
        found.correct()
        yield found
        assert street.broken() == {}


def answers(month, *paths):
    """What the API answers, without a server."""
    with contextlib.closing(Desk()) as desk:
        client = TestClient(create_app(context_of(month.street.service, desk)))
        return [client.get(path) for path in paths]


def totals(lines, account):
    found = Counter()
    for one in lines:
        side = "paid" if one["payer"] == account else "received"
        found[one["kind"], one["rail"], side] += int(one["amount_micros"])
    return found


class TestAStatement:
    def test_comes_when_every_interval_of_the_local_month_is_settled(self, month):
        [one] = month.stated[SUN]
        body = json.loads(one["body"])
        assert (body["month"], body["kind"], body["until_s"]) == ("2017-05", "statement", END_S)
        assert datetime.fromtimestamp(body["from_s"], UTC).astimezone(WEST).day == 1
        assert one["at_s"] >= END_S

    def test_is_numbered_without_a_gap(self, month):
        stated = [one for found in month.stated.values() for one in found]
        everything = month.street.read(sqlalchemy.select(statement.c.number))
        assert sorted(one["number"] for one in everything) == list(range(1, len(everything) + 1))
        assert len({one["number"] for one in stated}) == len(stated)

    def test_comes_to_its_lines(self, month):
        account = month.street.wallet(SUN)
        [one] = month.stated[SUN]
        body = json.loads(one["body"])
        lines = [
            given
            for hour in range(month.first + 1, month.first + 5)
            for given in month.street.lines(month.street.runs(hour)[0]["run"])
            if account in (given["payer"], given["payee"])
        ]
        assert body["lines"] == len(lines) > 0
        told = {
            (total["kind"], total["rail"], side): int(total[f"{side}_micros"])
            for total in body["totals"]
            for side in ("paid", "received")
        }
        assert {key: value for key, value in told.items() if value} == totals(lines, account)
        balance = sum(value if key[2] == "received" else -value for key, value in told.items())
        assert int(body["balance_micros"]) == balance

    def test_counts_the_energy_that_a_buyer_took(self, month):
        [one] = month.stated[SHADE]
        [energy] = [row for row in json.loads(one["body"])["totals"] if row["kind"] == "energy"]
        assert (energy["taken_wh"], energy["given_wh"]) == (4_000, 0)

    def test_stays_as_it_is_when_its_month_is_corrected(self, month):
        for name in (SUN, SHADE, LATE):
            assert month.documents(name)[: len(month.stated[name])] == month.stated[name]

    def test_can_be_neither_changed_nor_removed(self, month):
        for change in (update(statement).values(body="{}"), delete(statement)):
            with pytest.raises(sqlalchemy.exc.DatabaseError), month.street.service.writing() as at:
                at.execute(change)

    def test_is_committed_to_by_the_log(self, month):
        [one] = month.stated[SUN]
        digest = hashlib.sha256(one["body"].encode()).digest()
        logged = month.street.read(
            sqlalchemy.select(entry).where(entry.c.name == "statement_issued")
        )
        assert digest in {row["body"] for row in logged}

    def test_is_issued_once(self, month):
        before = month.street.read(sqlalchemy.select(statement))
        assert issue_statements(month.street.service) == 0
        assert month.street.read(sqlalchemy.select(statement)) == before


class TestACreditNote:
    def test_names_the_statement_and_holds_the_differences(self, month):
        first, note = month.documents(SUN)
        body = json.loads(note["body"])
        assert (note["amends"], body["amends"]) == (first["number"], f"S-{first['number']:06}")
        assert (body["kind"], body["month"]) == ("credit_note", "2017-05")
        correction = month.street.runs(month.first + 1)[-1]
        lines = [
            one
            for one in month.street.lines(correction["run"])
            if month.street.wallet(SUN) in (one["payer"], one["payee"])
        ]
        assert body["lines"] == len(lines) > 0
        [energy] = [row for row in body["totals"] if row["kind"] == "energy"]
        assert energy["given_wh"] == 1_500

    def test_goes_only_to_whom_it_concerns(self, month):
        assert len(month.documents("home-04")) == len(month.stated["home-04"])

    def test_of_a_member_without_lines_before_is_its_statement(self, month):
        """The late home had taken nothing as far as was known."""
        assert month.stated[LATE] == []
        [one] = month.documents(LATE)
        assert (one["amends"], json.loads(one["body"])["kind"]) == (None, "statement")


class TestTheApi:
    def test_lists_what_was_issued_oldest_first(self, month):
        account = month.street.wallet(SUN)
        [answer] = answers(month, f"/api/members/{account}/statements")
        assert [one["kind"] for one in answer.json()["statements"]] == ["statement", "credit_note"]

    def test_returns_one_with_its_lines_if_they_are_asked_for(self, month):
        account = month.street.wallet(SUN)
        path = f"/api/members/{account}/statements/S-{month.stated[SUN][0]['number']:06}"
        bare, full = (one.json() for one in answers(month, path, f"{path}?lines=true"))
        assert full["sha256"] == hashlib.sha256(month.stated[SUN][0]["body"].encode()).hexdigest()
        assert len(full.pop("entries")) == full["lines"]
        assert bare == full

    @pytest.mark.parametrize("number", ["S-999999", "C-000001", "S-", "S-1", "nothing", "S-0x1"])
    def test_says_what_there_is_not(self, month, number):
        account = month.street.wallet(SUN)
        [answer] = answers(month, f"/api/members/{account}/statements/{number}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "unknown_statement"

    def test_shows_nobody_elses(self, month):
        path = f"/api/members/{month.street.wallet(SHADE)}/statements"
        [answer] = answers(month, f"{path}/S-{month.stated[SUN][0]['number']:06}")
        assert answer.status_code == 404
