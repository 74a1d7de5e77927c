"""A grid operator sets tolls and caps, and takes totals and keys that add up to the bills."""

import csv
import io
import json
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, insert, select

from contracts.typed_data import digest, sign
from devnet.field.keys import wallet_of as wallet_named
from ledger.units import UnixSeconds, WattHours
from settlement.engine.grid.coefficients import allocations
from settlement.engine.grid.ruling import zones_at
from settlement.engine.grid.totals import BadSpanError, Span, span_of
from settlement.engine.market.collecting import collect
from settlement.metering.readings import Register
from settlement.tables import inbox, line, lot, meter, reading, refusal, run, run_member
from settlement.trading.grid.rules import NO_CAP_WH, ZoneRule
from tests.integration.community import SEED

NAMES = {
    "first_interval": "firstInterval",
    "zone": "zone",
    "local_toll": "localToll",
    "edge_toll": "edgeToll",
    "import_cap_wh": "importCapWh",
    "export_cap_wh": "exportCapWh",
    "nonce": "nonce",
}


def whole_day(story):
    """Return the query of all that was settled."""
    found = select(func.min(run.c.interval).label("first"), func.max(run.c.interval).label("last"))
    row = story.read(found)[0]
    rules = story.service.rules
    return {"from_s": rules.start_s(row["first"]), "until_s": rules.end_s(row["last"])}


def residuals(story):
    """Return Wh that the residual supplier brought to and took from members, by interval."""
    supplier = story.service.rules.supplier_party
    brought, took = Counter(), Counter()
    rows = story.read(
        select(line, run.c.interval)
        .join(run, run.c.run == line.c.run)
        .where(line.c.kind == "residual")
    )
    for row in rows:
        pays = row["payer"] != supplier
        bought = pays if row["price_micros_per_kwh"] >= 0 else not pays
        (brought if bought else took)[row["interval"]] += row["energy_wh"]
    return brought, took


def signed(story, rule, wallet=None):
    """Return a rule as the grid operator sends it."""
    told = asdict(rule)
    values = {NAMES[name]: NO_CAP_WH if value is None else value for name, value in told.items()}
    key = (wallet or wallet_named(SEED, "grid")).private_key
    seal = sign(digest(story.service.domain, "ZoneRule", values), key)
    return told | {"signature": f"0x{seal.hex()}"}


class TestRules:
    def test_count_from_their_interval_on_and_never_before(self, own_story):
        async def work(story):
            rules, client = story.service.rules, story.client
            now = rules.interval_of(story.service.clock.now_s())
            zone = rules.tree.root.name
            rule = ZoneRule(now + 1, zone, 12_345, 6, WattHours(7), None, 1)
            body = signed(story, rule)
            posts = [body, body, signed(story, replace(rule, local_toll=1))]
            said = [await client.post("/api/grid/rules", json=one) for one in posts]
            shown = []
            for interval in (now, now + 1, now + 100):
                page = await client.get("/api/grid/zones", params={"interval": interval})
                shown.append(page.json()["zones"][0])
            today = (await client.get("/api/grid/zones")).json()
            with story.service.reading() as connection:
                tolls = [
                    collect(story.service, connection, interval, 1, funds=None).inputs.tree.root
                    for interval in (now, now + 1)
                ]
            return now, said, shown, today, tolls, rules.toll

        now, said, shown, today, roots, toll = own_story(work)
        assert [one.status_code for one in said] == [201, 201, 409]
        assert said[0].json() == said[1].json()
        assert said[0].json()["first_interval"] == now + 1
        assert said[2].json()["code"] == "message_differs"
        assert [one["local_toll"] for one in shown] == [toll, 12_345, 12_345]
        assert [one["import_cap_wh"] for one in shown] == [None, 7, 7]
        assert shown[1]["export_cap_wh"] is None
        assert (today["interval"], today["zones"]) == (now, [shown[0]])
        assert [root.local_toll for root in roots] == [toll, 12_345]

    def test_that_come_too_late_or_from_others_are_refused_and_kept(self, own_story):
        async def work(story):
            rules = story.service.rules
            now = rules.interval_of(story.service.clock.now_s())
            good = ZoneRule(now + 1, rules.tree.root.name, 5, 0, None, None, 9)
            home = next(iter(story.here.world.keys.homes.values()))
            posts = [
                signed(story, replace(good, first_interval=now)),
                signed(story, good, home),
                signed(story, replace(good, zone="nowhere")),
                signed(story, good) | {"local_toll": -1},
                signed(story, good) | {"import_cap_wh": 2**63},
                signed(story, good) | {"nonce": -1},
                signed(story, good) | {"more": 1},
            ]
            said = [await story.client.post("/api/grid/rules", json=one) for one in posts]
            kept = story.read(select(refusal.c.code).where(refusal.c.kind == "zone_rule"))
            with story.service.reading() as connection:
                tree = zones_at(connection, rules.tree, now + 1)
            fine = await story.client.post("/api/grid/rules", json=signed(story, good))
            codes = [(one.status_code, one.json()["code"]) for one in said]
            return codes, [row["code"] for row in kept], tree == rules.tree, fine.status_code

        codes, kept, untouched, fine = own_story(work)
        assert codes == [
            (409, "rule_too_late"),
            (401, "not_signed_by_grid"),
            (404, "no_such_zone"),
            (422, "bad_zone_rule"),
            (422, "bad_zone_rule"),
            (422, "malformed_request"),
            (422, "malformed_request"),
        ]
        assert kept == [code for _, code in codes[:5]]
        assert untouched
        assert fine == 201


def step_of(story, *told, by="grid"):
    """Return a step of joining or leaving as its signer sends it; homes sign for themselves."""
    values = dict(zip(("party", "step", "firstInterval", "nonce"), told, strict=True))
    homes = story.here.world.keys.homes
    key = (homes.get(by) or wallet_named(SEED, by)).private_key
    seal = sign(digest(story.service.domain, "ParticipationNotice", values), key)
    names = ("party", "step", "first_interval", "nonce")
    return dict(zip(names, told, strict=True)) | {"signature": f"0x{seal.hex()}"}


class TestParticipation:
    def test_lets_a_party_trade_only_while_it_is_active(self, own_story):
        async def work(story):
            service, client = story.service, story.client
            now = service.rules.interval_of(service.clock.now_s())
            party, other = list(story.here.world.keys.homes)[:2]
            steps = [
                step_of(story, party, "leave", now + 2, 1, by=party),
                step_of(story, party, "request", now + 3, 2, by=party),
                step_of(story, party, "confirm", now + 4, 3),
            ]
            said = [await client.post("/api/grid/participation", json=one) for one in steps]
            states, trading = [], []
            wallet = story.here.world.keys.homes[party].address_hex
            for interval in range(now, now + 6):
                page = await client.get("/api/grid/participation", params={"interval": interval})
                parties = page.json()["parties"]
                assert parties[other] == "active"
                states.append(parties[party])
                with service.reading() as connection:
                    found = collect(service, connection, interval, 1, funds=None)
                trading.append(wallet in found.joined)
            return [one.status_code for one in said], states, trading

        said, states, trading = own_story(work)
        assert said == [201, 201, 201]
        assert states == ["leaving", "leaving", "left", "confirmed", "active", "active"]
        assert trading == [True, True, False, False, True, True]

    def test_refuses_steps_of_others_too_late_or_out_of_turn(self, own_story):
        async def work(story):
            now = story.service.rules.interval_of(story.service.clock.now_s())
            party, other = list(story.here.world.keys.homes)[:2]
            steps = [
                step_of(story, party, "leave", now + 1, 1, by=other),
                step_of(story, party, "leave", now, 2, by=party),
                step_of(story, party, "confirm", now + 1, 3),
                step_of(story, party, "vanish", now + 1, 4),
                step_of(story, "nobody", "leave", now + 1, 5),
                step_of(story, party, "request", now + 1, 6, by=party),
                step_of(story, party, "confirm", now + 1, 7, by=party),
            ]
            said = [await story.client.post("/api/grid/participation", json=one) for one in steps]
            return [(one.status_code, one.json().get("code")) for one in said]

        assert own_story(work) == [
            (401, "not_signed_by_grid"),
            (409, "rule_too_late"),
            (409, "participation_step"),
            (422, "bad_notice"),
            (404, "unknown_wallet"),
            (201, None),
            (401, "not_signed_by_grid"),
        ]


class TestTotals:
    def test_are_the_meters_the_trades_and_the_residual_bills(self, story):
        async def work(story):
            params = whole_day(story)
            found = (await story.client.get("/api/grid/totals", params=params)).json()["totals"]
            table = await story.client.get("/api/grid/totals.csv", params=params)
            return found, table, story.read(select(run)), residuals(story)

        found, table, runs, (brought, took) = story(work)
        by_interval = {row["interval"]: row for row in runs}
        assert {one["interval"] for one in found} == set(by_interval)
        for one in found:
            interval, row = one["interval"], by_interval[one["interval"]]
            assert one["bought_wh"] == one["sold_wh"] == row["traded_wh"]
            assert one["residual_import_wh"] == brought[interval]
            assert one["residual_export_wh"] == took[interval]
            assert one["losses_wh"] == row["losses_wh"]
            assert one["price"] == row["price_micros_per_kwh"]
            balance = one["imports_wh"] - one["exports_wh"]
            assert balance == brought[interval] - took[interval]
        lines = list(csv.DictReader(io.StringIO(table.text)))
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert [
            {name: "" if value is None else str(value) for name, value in one.items()}
            for one in found
        ] == lines

    def test_take_a_span_that_makes_sense(self, story):
        async def work(story):
            ask = [{"from_s": 10, "until_s": 10}, {"from_s": 0, "until_s": 2**40}, {"from_s": 1}]
            said = [await story.client.get("/api/grid/totals", params=one) for one in ask]
            empty = await story.client.get("/api/grid/totals", params={"from_s": 0, "until_s": 9})
            return [(one.status_code, one.json()["code"]) for one in said], empty.json()

        said, empty = story(work)
        assert said == [(422, "bad_span"), (422, "bad_span"), (422, "malformed_request")]
        assert empty == {"totals": []}

    def test_hold_intervals_that_begin_within(self, story):
        async def work(story):
            return story.service.rules

        rules = story(work)
        length_s = rules.interval_s
        assert span_of(rules, UnixSeconds(1), UnixSeconds(length_s + 1)) == Span(1, 2)
        assert span_of(rules, UnixSeconds(0), UnixSeconds(length_s)) == Span(0, 1)
        with pytest.raises(BadSpanError):
            span_of(rules, UnixSeconds(2), UnixSeconds(1))


class TestCoefficients:
    def test_add_up_to_trades_and_bills_in_every_interval(self, story):
        async def work(story):
            params = whole_day(story)
            table = await story.client.get("/api/grid/allocation.csv", params=params)
            return table.text, story.read(select(run)), residuals(story), story.service.rules

        text, runs, (brought, took), rules = story(work)
        sides = defaultdict(list)
        for row in csv.DictReader(io.StringIO(text)):
            sides[int(row["run"]), row["direction"]].append(row)
        for row in runs:
            taken = sides[row["run"], "consumption"]
            given = sides[row["run"], "generation"]
            for side in (taken, given):
                assert sum(int(one["covered_wh"]) for one in side) == row["traded_wh"]
                whole = sum(Decimal(one["coefficient"]) for one in side)
                assert whole == (1 if row["traded_wh"] else 0)
            for one in (*taken, *given):
                covered = int(one["covered_wh"])
                assert covered <= min(int(one["total_wh"]), int(one["allotted_wh"]))
                assert int(one["left_wh"]) == int(one["total_wh"]) - covered
            assert sum(int(one["left_wh"]) for one in taken) == brought[row["interval"]]
            assert sum(int(one["left_wh"]) for one in given) == took[row["interval"]]
            begins = {one["begin"] for one in (*taken, *given)}
            begin_s = rules.start_s(row["interval"])
            assert begins == {f"{datetime.fromtimestamp(begin_s, UTC):%Y-%m-%dT%H:%M:%SZ}"}

    def test_are_the_same_in_parquet_and_never_a_float(self, story):
        async def work(story):
            params = whole_day(story)
            table = await story.client.get("/api/grid/allocation.csv", params=params)
            file = await story.client.get("/api/grid/allocation.parquet", params=params)
            return table.text, file

        text, file = story(work)
        assert file.headers["content-type"] == "application/vnd.apache.parquet"
        table = pq.read_table(io.BytesIO(file.content))
        assert {str(field.type) for field in table.schema} == {
            "timestamp[ms, tz=UTC]",
            "string",
            "int64",
            "decimal128(7, 6)",
            "bool",
        }
        rows = list(csv.DictReader(io.StringIO(text)))
        for name in ("covered_wh", "total_wh", "run"):
            assert table.column(name).to_pylist() == [int(row[name]) for row in rows]
        assert table.column("coefficient").to_pylist() == [
            Decimal(row["coefficient"]) for row in rows
        ]
        assert table.column("metering_point").to_pylist() == [r["metering_point"] for r in rows]

    def test_of_a_party_with_two_meters_follow_what_each_measured(self, own_story):
        async def work(story):
            sold = story.read(select(lot).order_by(lot.c.energy_wh.desc()).limit(1))[0]
            member = story.read(
                select(run_member).where(
                    run_member.c.run == sold["run"], run_member.c.account == sold["seller"]
                )
            )[0]
            (party,) = (
                name
                for name, wallet in story.here.world.keys.homes.items()
                if wallet.address_hex == sold["seller"]
            )
            (home,) = story.read(select(meter).where(meter.c.party == party))
            number = sold["run"]
            rules = story.service.rules
            interval = story.read(select(run.c.interval).where(run.c.run == number))[0]["interval"]
            ends = (rules.start_s(interval), rules.end_s(interval))
            again = {"meter_id": f"0x{'11' * 32}", "serial": "second"}
            story.write(insert(meter).values(dict(home) | again))
            given = select(reading).where(
                reading.c.meter_id == home["meter_id"],
                reading.c.at_s.in_(ends),
                reading.c.register == int(Register.EXPORT),
            )
            for row in story.read(given):
                # The second meter gave just as much as the first.
                changed = dict(row) | {"meter_id": again["meter_id"]}
                story.write(insert(reading).values(changed))
            with story.service.reading() as connection:
                found = list(allocations(connection, rules, Span(interval, interval + 1)))
            own = [one.share for one in found if one.party == party]
            return member, [one for one in own if one.direction == "generation"]

        member, shares = own_story(work)
        assert len(shares) == 2
        assert sum(one.total_wh for one in shares) == member["export_wh"]
        assert sum(one.covered_wh for one in shares) == member["sold_wh"]
        assert abs(shares[0].total_wh - shares[1].total_wh) <= 1
        assert abs(shares[0].covered_wh - shares[1].covered_wh) <= 1


def test_what_is_signed_is_kept_byte_for_byte(own_story):
    async def work(story):
        now = story.service.rules.interval_of(story.service.clock.now_s())
        rule = ZoneRule(now + 1, story.service.rules.tree.root.name, 5, 0, None, None, 3)
        body = json.dumps(signed(story, rule), indent=3).encode()
        headers = {"content-type": "application/json"}
        await story.client.post("/api/grid/rules", content=body, headers=headers)
        found = story.read(select(inbox.c.body).where(inbox.c.key == "zone-rule/3"))
        return body, found[0]["body"]

    sent, kept = own_story(work)
    assert kept == sent
