"""A batch of readings is judged as if each came alone, in the order in which they came."""

import dataclasses
import hashlib
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from coincurve import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from contracts.typed_data import Domain, sign
from ledger.clock import ReplayClock
from ledger.errors import VoisinError
from ledger.store import LedgerStore, migrate, open_engine
from ledger.tables import entry
from ledger.tables import metadata as ledger_tables
from settlement.engine.market.readings import SignedReading, record_readings
from settlement.engine.market.registers import (
    first_head_astray,
    last_reading,
    stored_readings,
)
from settlement.metering.homes.flags import Flag
from settlement.metering.readings import Quality, Reading, Register, reading_digest
from settlement.metering.validation import check_continuity
from settlement.tables import metadata, meter, party, reading, refusal, register_head, run
from settlement.trading.zones import ZoneTree

HOUR_S = 3_600
FIRST, NOW, SETTLED = 1_000, 1_006, 1_002
POWER_W = 1_000
DOMAIN = Domain("Voisin", "1", 31_337, "0x" + "c0" * 20)
ANNA, BEN, BEN_2, HEAD, NOBODY = ("0x" + two * 32 for two in ("aa", "bb", "b2", "ee", "99"))
KEYS = {ANNA: (5).to_bytes(32), BEN: (6).to_bytes(32), HEAD: (7).to_bytes(32)}
KINDS = {ANNA: "gateway", BEN: "gateway", HEAD: "feeder"}
STRANGER = (8).to_bytes(32)


@cache
def empty_database():
    """Return a database with its tables, made once: to make them takes longer than a test."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "voisin.sqlite"
        engine = open_engine(path)
        migrate(engine, "ledger", ledger_tables)
        migrate(engine, "settlement", metadata)
        engine.dispose()
        return path.read_bytes()


@contextmanager
def street(directory, meters=(ANNA, BEN)):
    """A service with two homes, the third hour settled, and six hours gone."""
    path = Path(directory) / "voisin.sqlite"
    path.write_bytes(empty_database())
    engine = open_engine(path)
    with engine.begin() as connection:
        connection.execute(party.insert(), [{"id": "anna", "role": "prosumer"}])
    rules = SimpleNamespace(
        interval_s=HOUR_S,
        settlement_s=HOUR_S,
        interval_of=lambda at_s: at_s // HOUR_S,
        loss_bound_bp=500,
        tree=ZoneTree.single(),
        correction_window_s=(NOW - SETTLED) * HOUR_S,
    )
    service = SimpleNamespace(
        writing=engine.begin,
        book=LedgerStore(),
        clock=ReplayClock(NOW * HOUR_S),
        rules=rules,
        domain=DOMAIN,
    )
    for one in meters:
        enrol(service, one, from_s=0, until_s=2**40, private=KEYS[one])
    yield service
    engine.dispose()


def enrol(service, meter_id, *, from_s, until_s, private, modulus_wh=None):
    """Let a key speak for a meter for some time."""
    values = {
        "meter_id": meter_id,
        "valid_from_s": from_s,
        "valid_until_s": until_s,
        "serial": meter_id,
        "party": "anna",
        "kind": KINDS.get(meter_id, "gateway"),
        "curve": "secp256k1",
        "public_key": PrivateKey(private).public_key.format(compressed=False)[1:],
        "rated_power_w": POWER_W,
        "register_modulus_wh": modulus_wh,
    }
    with service.writing() as connection:
        connection.execute(meter.insert().values(**values))


@pytest.fixture
def service(tmp_path):
    with street(tmp_path, (ANNA, BEN, HEAD)) as made:
        yield made


def settle(service, interval=SETTLED - 1):
    """Write down that an interval is settled."""
    values = {
        column.name: b"" if column.name == "root" else 0 for column in run.c if not column.nullable
    }
    with service.writing() as connection:
        connection.execute(run.insert().values(**values | {"interval": interval, "inputs": "{}"}))


def say(hour, energy_wh, *, of=ANNA, register=Register.IMPORT, by=None, **other):
    """A reading at an hour, signed by its meter unless somebody else did."""
    number = other.get("number") or hour
    quality = other.get("quality", Quality.MEASURED)
    one = Reading(of, register, hour * HOUR_S, number, energy_wh, quality)
    seal = sign(reading_digest(DOMAIN, one), by or KEYS.get(of, STRANGER))
    return SignedReading(one, seal, f"{one}{seal.hex()}{other.get('note', '')}".encode())


def told(service, *readings):
    """What became of each: its status, or why it was refused."""
    return [one.code or one.status for one in record_readings(service, readings)]


def rows(service, table, *order):
    with service.writing() as connection:
        return [tuple(row) for row in connection.execute(select(table).order_by(*order))]


class Model:
    """The rules in a few lines, for one reading at a time: what the service is held against."""

    def __init__(self):
        self.kept, self.refused, self.log = {}, {}, []

    def batch(self, readings):
        before = list(self.kept.values())
        answers = [self.judge(one) for one in readings]
        accepted = [one for one in self.kept.values() if one not in before]
        if accepted:
            digests = b"".join(reading_digest(DOMAIN, one.reading) for one in accepted)
            self.log.append(("readings_accepted", hashlib.sha256(digests).digest()))
        return answers

    def judge(self, signed):
        one = signed.reading
        key = (one.meter_id, one.register, one.at_s)
        prior = self.kept.get(key)
        if prior is not None and prior.body == signed.body:
            return "replayed"
        code = "message_differs" if prior is not None else self.fault(signed)
        if code is None:
            self.kept[key] = signed
            return "accepted"
        said = f"reading/{one.meter_id}/{int(one.register)}/{one.at_s}".encode()
        content = hashlib.sha256(said + b"\0" + signed.body).digest()
        if content not in self.refused:
            self.refused[content] = code
            self.log.append(("message_refused", content + code.encode()))
        return code

    def fault(self, signed):
        one = signed.reading
        if one.at_s > NOW * HOUR_S:
            code = "future_reading"
        elif one.at_s // HOUR_S <= SETTLED:
            code = "reading_after_final_run"
        elif one.meter_id not in (ANNA, BEN):
            code = "unknown_meter"
        elif signed.signature != sign(reading_digest(DOMAIN, one), KEYS[one.meter_id]):
            code = "wrong_signer"
        else:
            code = self.discontinuity(one)
        return code

    def discontinuity(self, one):
        mine = sorted(
            (
                kept.reading
                for (meter_id, register, _), kept in self.kept.items()
                if (meter_id, register) == (one.meter_id, one.register)
            ),
            key=lambda kept: kept.at_s,
        )
        try:
            for kept in [kept for kept in mine if kept.at_s > one.at_s][:1]:
                check_continuity(one, kept, POWER_W)
            for kept in [kept for kept in mine if kept.at_s <= one.at_s][-1:]:
                check_continuity(kept, one, POWER_W)
        except VoisinError as fault:
            return fault.code
        return None


said = st.builds(
    say,
    st.integers(FIRST, NOW + 1),
    st.sampled_from([0, 500, 900, 1_500, 9_000]),
    of=st.sampled_from([ANNA, ANNA, BEN, NOBODY]),
    register=st.sampled_from([Register.IMPORT, Register.GENERATION]),
    number=st.sampled_from([None, None, FIRST + 3]),
    by=st.sampled_from([None, None, None, STRANGER]),
    note=st.sampled_from(["", "", "again"]),
)


class TestRecordReadings:
    @given(st.lists(st.lists(said, min_size=1, max_size=9), min_size=1, max_size=4), st.data())
    @settings(max_examples=80, deadline=None)
    def test_judges_a_batch_as_if_each_reading_came_alone(self, batches, data):
        repeated = [
            [*batch, *data.draw(st.lists(st.sampled_from(batch), max_size=3))] for batch in batches
        ]
        model = Model()
        with tempfile.TemporaryDirectory() as directory, street(directory) as service:
            settle(service)
            for batch in repeated:
                assert told(service, *batch) == model.batch(batch)
            stored = {row[:3]: (row[7], row[8]) for row in rows(service, reading)}
            assert stored == {key: (one.signature, one.body) for key, one in model.kept.items()}
            refused = [(row.content_hash, row.code) for row in self.refusals(service)]
            assert refused == list(model.refused.items())
            log = [(row[2], row[4]) for row in rows(service, entry, entry.c.seq)]
            assert log == model.log
            with service.writing() as connection:
                assert first_head_astray(connection) is None

    def refusals(self, service):
        with service.writing() as connection:
            return connection.execute(select(refusal).order_by(refusal.c.seq)).all()

    @given(st.lists(said, min_size=2, max_size=14))
    @settings(max_examples=40, deadline=None)
    def test_leaves_the_same_behind_however_readings_are_cut_into_batches(self, readings):
        found = []
        for size in (1, len(readings)):
            with tempfile.TemporaryDirectory() as directory, street(directory) as service:
                settle(service)
                answers = []
                for begin in range(0, len(readings), size):
                    answers += record_readings(service, readings[begin : begin + size])
                found.append(
                    (
                        answers,
                        rows(
                            service, reading, reading.c.at_s, reading.c.meter_id, reading.c.register
                        ),
                        rows(service, refusal, refusal.c.seq),
                        rows(service, register_head),
                    )
                )
        assert found[0] == found[1]

    def test_takes_no_first_reading_of_an_interval_that_is_final(self, service):
        """At a meter's first instant no interval ends; the one that begins may be final."""
        settle(service)
        assert told(service, say(SETTLED - 1, 0)) == ["reading_after_final_run"]
        assert told(service, say(SETTLED + 1, 0)) == ["accepted"]

    def test_sees_the_earlier_readings_of_the_same_batch(self, service):
        batch = [say(FIRST, 500), say(FIRST + 1, 400), say(FIRST + 2, 600)]
        assert told(service, *batch) == ["accepted", "register_went_back", "accepted"]

    def test_compares_with_the_reading_before_although_a_later_one_is_stored(self, service):
        assert told(service, say(FIRST, 100), say(FIRST + 3, 900)) == ["accepted"] * 2
        assert told(service, say(FIRST + 1, 50)) == ["register_went_back"]
        assert told(service, say(FIRST + 1, 200)) == ["accepted"]
        assert told(service, say(FIRST + 2, 150)) == ["register_went_back"]

    def test_compares_with_what_is_stored_if_the_batch_has_nothing_older(self, service):
        told(service, say(FIRST, 500))
        assert told(service, say(FIRST + 3, 900), say(FIRST + 1, 400)) == [
            "accepted",
            "register_went_back",
        ]

    def test_compares_with_what_is_stored_if_the_batch_has_only_older_ones(self, service):
        told(service, say(FIRST, 100), say(FIRST + 3, 900))
        assert told(service, say(FIRST + 1, 200), say(FIRST + 4, 850)) == [
            "accepted",
            "register_went_back",
        ]

    def test_takes_the_key_that_counts_at_the_instant(self, service):
        replaced_s = (FIRST + 2) * HOUR_S
        enrol(service, BEN_2, from_s=0, until_s=replaced_s, private=KEYS[BEN])
        enrol(service, BEN_2, from_s=replaced_s, until_s=replaced_s + HOUR_S, private=STRANGER)
        assert told(
            service,
            say(FIRST + 1, 1, of=BEN_2, by=KEYS[BEN]),
            say(FIRST + 2, 2, of=BEN_2, by=KEYS[BEN]),
            say(FIRST + 2, 2, of=BEN_2, by=STRANGER),
            say(FIRST + 3, 3, of=BEN_2, by=STRANGER),
        ) == ["accepted", "wrong_signer", "accepted", "unknown_meter"]

    def test_takes_the_newest_key_where_two_count(self, service):
        enrol(service, BEN_2, from_s=1, until_s=2**40, private=STRANGER)
        enrol(service, BEN_2, from_s=0, until_s=2**40, private=KEYS[BEN])
        assert told(
            service,
            say(FIRST, 1, of=BEN_2, by=KEYS[BEN]),
            say(FIRST, 1, of=BEN_2, by=STRANGER),
        ) == ["wrong_signer", "accepted"]

    def test_returns_the_first_answer_to_what_it_took_before(self, service):
        batch = [say(FIRST, 1), say(FIRST + 1, 2)]
        told(service, *batch)
        before = rows(service, entry)
        assert told(service, *reversed(batch)) == ["replayed", "replayed"]
        assert rows(service, entry) == before

    def test_refuses_other_content_under_a_key_that_is_taken_and_keeps_it(self, service):
        told(service, say(FIRST, 1))
        other = say(FIRST, 2)
        assert told(service, other, say(FIRST, 1)) == ["message_differs", "replayed"]
        [kept] = TestRecordReadings.refusals(self, service)
        assert (kept.code, kept.body) == ("message_differs", other.body)

    def test_journals_a_refusal_once_however_often_it_comes(self, service):
        bad = say(FIRST, 1, by=STRANGER)
        assert told(service, bad, bad) == ["wrong_signer"] * 2
        assert told(service, bad) == ["wrong_signer"]
        assert [row[2] for row in rows(service, entry)] == ["message_refused"]

    def test_keeps_what_was_sent_byte_for_byte(self, service):
        sent = [say(FIRST, 1, of=one, note="\u00e9 as sent") for one in (ANNA, BEN)]
        told(service, *sent)
        with service.writing() as connection:
            assert stored_readings(connection, 9) == tuple(sent)


class TestRegistersThatBeginAgain:
    def test_are_taken_by_the_modulus_of_the_meter(self, service):
        until_s = 2**40
        enrol(service, BEN_2, from_s=0, until_s=until_s, private=KEYS[BEN], modulus_wh=1_000)
        said = [
            say(FIRST + place, energy, of=BEN_2, by=KEYS[BEN])
            for place, energy in enumerate((900, 100, 1_000, 50))
        ]
        assert told(service, *said) == [
            "accepted",
            "accepted",
            "beyond_modulus",
            "accepted",
        ]


class TestFlags:
    def kept(self, service):
        return [Flag(row[-1]) for row in rows(service, reading, reading.c.at_s)]

    def test_are_kept_with_the_reading(self, service):
        batch = [
            say(FIRST, 0),
            say(FIRST + 1, 1_000, quality=Quality.ESTIMATED),
            say(FIRST + 2, 2_040, quality=Quality.SUBSTITUTED),
            say(FIRST + 4, 2_100),
        ]
        assert told(service, *batch) == ["accepted"] * 4
        assert self.kept(service) == [
            Flag.NONE,
            Flag.GATEWAY_ESTIMATE,
            Flag.SUBSTITUTED | Flag.SPIKE,
            Flag.GAP,
        ]

    def test_judge_a_reading_between_two_against_the_one_before(self, service):
        told(service, say(FIRST, 0), say(FIRST + 3, 900))
        assert told(service, say(FIRST + 2, 901)) == ["register_went_back"]
        assert told(service, say(FIRST + 2, 900)) == ["accepted"]
        assert self.kept(service) == [Flag.NONE, Flag.GAP, Flag.GAP]


def homes(hour, energy_wh=300):
    """What both homes say at an hour, of both registers."""
    return [
        say(hour, energy_wh if register is Register.IMPORT else 0, of=of, register=register)
        for of in (ANNA, BEN)
        for register in (Register.IMPORT, Register.EXPORT)
    ]


def head(hour, import_wh, export_wh=0):
    """What the feeder head says at an hour."""
    return [
        say(hour, import_wh, of=HEAD),
        say(hour, export_wh, of=HEAD, register=Register.EXPORT),
    ]


class TestFeederHead:
    @pytest.fixture(autouse=True)
    def begun(self, service):
        assert told(service, *homes(FIRST, 0), *head(FIRST, 0)) == ["accepted"] * 6

    def test_is_held_against_the_homes_of_its_own_batch(self, service):
        batch = [*homes(FIRST + 1), *head(FIRST + 1, 601)]
        assert told(service, *batch) == ["accepted"] * 6

    def test_stands_or_falls_as_a_pair(self, service):
        batch = [*homes(FIRST + 1), *head(FIRST + 1, 599)]
        assert told(service, *batch) == ["accepted"] * 4 + ["feeder_disagrees"] * 2

    def test_is_judged_when_the_second_register_comes_if_they_come_apart(self, service):
        first, second = head(FIRST + 1, 599)
        assert told(service, *homes(FIRST + 1)) == ["accepted"] * 4
        assert told(service, first) == ["accepted"]
        assert told(service, second) == ["feeder_disagrees"]

    def test_is_not_discredited_by_a_register_that_somebody_else_signed(self, service):
        first, second = head(FIRST + 1, 700, 200)
        forged = dataclasses.replace(second, signature=sign(b"\1" * 32, STRANGER))
        batch = [*homes(FIRST + 1), first, forged]
        assert told(service, *batch) == ["accepted"] * 5 + ["wrong_signer"]

    def test_comes_with_a_register_that_never_spoke_before(self, service):
        sun = say(FIRST + 1, 5, register=Register.GENERATION)
        assert told(service, sun, *homes(FIRST + 1), *head(FIRST + 1, 601)) == ["accepted"] * 7

    def test_does_not_see_homes_that_come_after_it(self, service):
        batch = [*head(FIRST + 1, 599), *homes(FIRST + 1)]
        assert told(service, *batch) == ["accepted"] * 6


class TestLastReading:
    @given(
        st.sets(st.tuples(st.sampled_from([ANNA, BEN]), st.integers(FIRST, NOW)), max_size=9),
        st.integers(FIRST - 1, NOW + 1),
    )
    @settings(max_examples=40, deadline=None)
    def test_is_the_newest_up_to_an_instant_whoever_else_spoke_since(self, spoken, hour):
        with tempfile.TemporaryDirectory() as directory, street(directory) as service:
            record_readings(service, [say(at, at - FIRST, of=of) for of, at in sorted(spoken)])
            with service.writing() as connection:
                found = last_reading(connection, ANNA, Register.IMPORT, hour * HOUR_S)
                other = last_reading(connection, ANNA, Register.EXPORT, hour * HOUR_S)
        hours = [at for of, at in spoken if of == ANNA and at <= hour]
        assert other is None
        assert found == (say(max(hours), max(hours) - FIRST).reading if hours else None)


class TestFirstHeadAstray:
    @pytest.mark.parametrize(
        "change",
        [
            register_head.update().values(at_s=FIRST * HOUR_S),
            register_head.update().values(energy_wh=1),
            register_head.delete(),
            register_head.insert().values(
                meter_id=BEN, register=0, at_s=1, sequence=1, energy_wh=1, quality=0
            ),
        ],
        ids=["older", "other", "missing", "invented"],
    )
    def test_names_the_register(self, service, change):
        told(service, say(FIRST, 1), say(FIRST + 1, 2))
        with service.writing() as connection:
            assert first_head_astray(connection) is None
            connection.execute(change)
            found = first_head_astray(connection)
        assert found is not None
        assert found.startswith("register 0 of meter 0x")
