"""Closing a session: only by a record that its meter signed, paid and refunded at once.

The law of every close: deposit = charge + refund, and the tokens move by exactly these amounts.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from devnet.field.events import FiscalSlice, SessionStops
from devnet.field.keys import Curve, Role, meter_key
from devnet.field.ocmf import OcmfMeter
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.charging.terms import contract_tuple, session_id
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain
from tests.contracts.ocmf_cases import payload_of
from tests.contracts.support import (
    FAR_S,
    NOBODY,
    NOBODY_WALLET,
    SEED,
    START_S,
    known_key,
    law,
    sign_payload,
)

ORDERS = {
    Curve.SECP256K1: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    Curve.SECP256R1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}


@pytest.fixture
def opened(world):
    """A fork on which the first driver opened a session an hour ago, and the terms."""
    terms = world.terms("opened")
    fork = world.fork(START_S + 60)
    assert fork.open(terms).error is None
    return fork.move_to(START_S + 3_660), terms


class TestClosing:
    @pytest.mark.parametrize("curve", ["k1", "r1"])
    def test_pays_and_refunds_in_one_mined_transaction(self, world, curve):
        meter = getattr(world, curve)
        purse = 21 if curve == "k1" else 22
        terms = world.terms("mined" + curve, meter_id=meter.meter_id_hex, purse=purse)
        world.clock.set(UnixSeconds(world.clock.now_s() + 60))
        world.send(NOBODY_WALLET, world.vault, "open", *world.open_arguments(terms))
        begin_s = world.clock.now_s()
        page = world.get(world.vault, "lastPageOf", meter.meter_id)
        opening = (world.node.head.header.timestamp, page, True)
        world.clock.set(UnixSeconds(begin_s + 3_600))
        text = field_record(meter, terms.id_tag, begin_s, page=page + 1, energy_wh=7_777)
        record = parse_record(text)
        known = known_key(meter)
        signature = signature_for_chain(record, known)
        driver, vault, operator = terms.driver, world.vault.address, terms.operator
        before = [world.get(world.token, "balanceOf", one) for one in (driver, vault, operator)]
        earned = world.get(world.vault, "stationEarned", meter.meter_id)
        arguments = (contract_tuple(terms), opening, record.payload, signature)
        result = world.send(NOBODY_WALLET, world.vault, "closeWithOcmf", *arguments)
        after = [world.get(world.token, "balanceOf", one) for one in (driver, vault, operator)]
        # 7,777 Wh at 391,700 micros per kWh are 3,046,250.9 micros; the fee is 500,000.
        charge = 3_046_250 + 500_000
        refund = 20_000_000 - charge
        assert after == [before[0] + refund, before[1] - refund, before[2]]
        assert world.get(world.vault, "stationEarned", meter.meter_id) == earned + charge
        assert result.event("SessionClosed") == {
            "sessionId": "0x" + session_id(terms).hex(),
            "driver": driver,
            "operator": operator,
            "energyWh": 7_777,
            "chargeMicros": charge,
            "refundMicros": refund,
            "page": page + 1,
            "pushed": True,
        }
        assert result.event("Transfer") == {"from": vault, "to": driver, "value": refund}
        assert world.get(world.vault, "lastPageOf", meter.meter_id) == page + 1
        assert world.get(world.vault, "depositOf", driver, purse) == 0
        assert not world.get(world.vault, "isOpen", contract_tuple(terms), opening)

    def test_may_be_done_by_anybody_who_holds_the_record(self, world):
        for sender in (NOBODY, world.drivers[0], world.drivers[1], world.operator, world.owner):
            terms = world.terms("anybody")
            fork = world.fork(START_S + 60)
            fork.open(terms)
            fork.move_to(START_S + 3_660)
            payload = payload_of(tag=terms.id_tag)
            signature = sign_payload(world.k1, payload)
            arguments = (contract_tuple(terms), fork.opening(terms), payload, signature)
            result = fork.ok(sender, world.vault, "closeWithOcmf", *arguments)
            assert result.event("SessionClosed")["energyWh"] == 5_500

    def test_charges_no_more_than_the_deposit(self, world):
        terms = world.terms("small", deposit_micros=1_000)
        fork = world.fork(START_S + 60)
        fork.open(terms)
        fork.move_to(START_S + 3_660)
        before = fork.token(terms.driver)
        closed = fork.close(terms, payload_of(tag=terms.id_tag)).event("SessionClosed")
        assert (closed["chargeMicros"], closed["refundMicros"], closed["pushed"]) == (
            1_000,
            0,
            True,
        )
        assert fork.token(terms.driver) == before
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == 1_000

    def test_of_no_energy_costs_nothing_not_even_the_fee(self, opened):
        fork, terms = opened
        closed = fork.close(terms, payload_of(tag=terms.id_tag, end="10.000"))
        assert closed.event("SessionClosed")["chargeMicros"] == 0
        assert closed.event("SessionClosed")["refundMicros"] == 20_000_000

    def test_of_less_than_a_watt_hour_costs_nothing(self, opened):
        fork, terms = opened
        payload = payload_of(tag=terms.id_tag, begin="10.0001", end="10.0010")
        closed = fork.close(terms, payload).event("SessionClosed")
        assert (closed["energyWh"], closed["chargeMicros"]) == (0, 0)

    def test_adds_to_what_the_operator_earned_before(self, world, opened):
        fork, terms = opened
        second = world.terms("second", purse=1)
        fork.open(second)
        fork.close(terms, payload_of(tag=terms.id_tag, page=1))
        fork.move_to(START_S + 7_300)
        fork.close(second, payload_of(tag=second.id_tag, page=2))
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == 2 * 2_654_350
        assert fork.token(world.vault.address) == 2 * 2_654_350


class TestSession:
    def test_that_was_never_opened_is_refused(self, world, fork):
        terms = world.terms("never")
        result = fork.close(terms, payload_of(tag=terms.id_tag))
        assert result.error == "ChargeVault_NotOpen"
        assert result.arguments == {"sessionId": "0x" + session_id(terms).hex()}

    @pytest.mark.parametrize(
        "changes",
        [
            {"driver": "0x" + "66" * 20},
            {"purse": 1},
            {"operator": "0x" + "66" * 20},
            {"price_micros_per_kwh": 391_699},
            {"flat_micros": 0},
            {"deposit_micros": 19_999_999},
            {"deadline_s": START_S + 2 * 86_400},
            {"tariff_fingerprint": "0x" + "01" * 32},
            {"salt": "0x" + "02" * 32},
        ],
        ids="-".join,
    )
    def test_is_not_found_under_changed_terms(self, opened, changes):
        fork, terms = opened
        changed = replace(terms, **changes)
        assert fork.close(changed, payload_of(tag=terms.id_tag)).error == "ChargeVault_NotOpen"

    def test_is_closed_once(self, world, opened):
        fork, terms = opened
        payload = payload_of(tag=terms.id_tag)
        fork.close(terms, payload)
        earned = fork.get(world.vault, "stationEarned", world.k1.meter_id)
        assert fork.close(terms, payload).error == "ChargeVault_NotOpen"
        assert (
            fork.close(terms, payload_of(tag=terms.id_tag, page=2)).error == "ChargeVault_NotOpen"
        )
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == earned

    def test_closes_a_second_before_its_deadline_and_not_at_it(self, opened):
        fork, terms = opened
        payload = payload_of(tag=terms.id_tag)
        fork.move_to(terms.deadline_s)
        late = fork.close(terms, payload)
        assert late.error == "ChargeVault_DeadlinePassed"
        assert late.arguments == {"deadline": terms.deadline_s, "time": terms.deadline_s}
        assert fork.move_to(terms.deadline_s - 1).close(terms, payload).error is None


class TestMeter:
    def test_revoked_since_the_opening_closes_nothing(self, world, opened):
        fork, terms = opened
        fork.ok(world.owner, world.registry, "revoke", world.k1.meter_id)
        result = fork.close(terms, payload_of(tag=terms.id_tag))
        assert result.error == "MeterRegistry_NotValid"
        assert result.arguments == {"meterId": terms.meter_id}

    def test_that_expired_since_the_opening_closes_nothing(self, world):
        meter = meter_key(SEED, Role.STATION_METER, "brief", Curve.SECP256K1, Watts(11_000))
        fork = world.fork(START_S + 60)
        until = START_S + 3_660
        fork.enrol(meter, valid_until=until)
        terms = world.terms("brief", meter_id=meter.meter_id_hex)
        fork.open(terms)
        payload = payload_of(tag=terms.id_tag)
        signature = sign_payload(meter, payload)
        fork.move_to(until)
        assert fork.close(terms, payload, signature).error == "MeterRegistry_NotValid"
        assert fork.move_to(until - 1).close(terms, payload, signature).error is None

    def test_whose_key_was_rotated_signs_with_the_new_one_alone(self, world, opened):
        fork, terms = opened
        fresh = meter_key(SEED, Role.STATION_METER, "fresh", Curve.SECP256R1, Watts(22_000))
        x, y = fresh.public_key[:32], fresh.public_key[32:]
        rotated = (world.k1.meter_id, int(fresh.curve), x, y, 0, FAR_S)
        fork.ok(world.owner, world.registry, "rotate", *rotated)
        payload = payload_of(tag=terms.id_tag)
        old = fork.close(terms, payload, sign_payload(world.r1, payload))
        assert old.error == "ChargeVault_BadSignature"
        assert fork.close(terms, payload, sign_payload(fresh, payload)).error is None


class TestSignature:
    @pytest.mark.parametrize("curve", ["k1", "r1"])
    @pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 66, 96, 127, 128, 129])
    def test_has_the_length_that_the_curve_has(self, world, curve, length):
        meter = getattr(world, curve)
        terms = world.terms("length", meter_id=meter.meter_id_hex)
        fork = world.fork(START_S + 60)
        fork.open(terms)
        fork.move_to(START_S + 3_660)
        payload = payload_of(tag=terms.id_tag)
        signature = sign_payload(meter, payload).ljust(length, b"\x1b")[:length]
        result = fork.close(terms, payload, signature)
        if length == len(sign_payload(meter, payload)):
            assert result.error is None
        else:
            assert result.error == "ChargeVault_BadSignatureLength"
            assert result.arguments == {"length": length}

    @pytest.mark.parametrize("curve", ["k1", "r1"])
    def test_with_a_high_s_is_as_good(self, world, curve):
        meter = getattr(world, curve)
        terms = world.terms("high", meter_id=meter.meter_id_hex)
        fork = world.fork(START_S + 60)
        fork.open(terms)
        fork.move_to(START_S + 3_660)
        payload = payload_of(tag=terms.id_tag)
        plain = sign_payload(meter, payload)
        s = ORDERS[meter.curve] - int.from_bytes(plain[32:64])
        mirrored = (
            plain[:32] + s.to_bytes(32) + (plain[64:] if curve == "r1" else bytes([55 - plain[64]]))
        )
        assert mirrored != plain
        assert fork.close(terms, payload, mirrored).error is None
        # The record stays used up under either signature.
        assert fork.close(terms, payload, plain).error == "ChargeVault_NotOpen"

    @pytest.mark.parametrize("curve", ["k1", "r1"])
    def test_over_anything_else_is_refused(self, world, curve):
        meter = getattr(world, curve)
        terms = world.terms("bad", meter_id=meter.meter_id_hex)
        fork = world.fork(START_S + 60)
        fork.open(terms)
        fork.move_to(START_S + 3_660)
        payload = payload_of(tag=terms.id_tag)
        good = sign_payload(meter, payload)
        zero = bytes(len(good))
        swapped = good[32:64] + good[:32] + good[64:]
        others = [zero, swapped, bytes([good[0] ^ 1]) + good[1:], good[:63] + b"\x00" + good[64:]]
        if meter.curve is Curve.SECP256R1:
            # Another key, and a good signature by it.
            others += [good[:64] + world.k1.public_key, sign_payload(other_r1(), payload)]
        else:
            others += [good[:64] + bytes([v]) for v in (0, 1, 26, 29, 55 - good[64])]
        for signature in others:
            result = fork.close(terms, payload, signature)
            assert result.error == "ChargeVault_BadSignature"
            assert result.arguments == {"meterId": terms.meter_id}
        changed = payload.replace(b"15.500", b"16.500")
        assert fork.close(terms, changed, good).error == "ChargeVault_BadSignature"
        assert fork.close(terms, payload + b" ", good).error == "ChargeVault_BadSignature"
        assert fork.close(terms, payload, good).error is None

    def test_of_another_enrolled_meter_is_refused(self, world, opened):
        fork, terms = opened
        payload = payload_of(tag=terms.id_tag)
        result = fork.close(terms, payload, sign_payload(world.wide, payload))
        assert result.error == "ChargeVault_BadSignature"


class TestRecord:
    def test_of_another_session_of_the_same_meter_is_refused(self, world, opened):
        fork, terms = opened
        other = world.terms("other", purse=1)
        fork.open(other)
        result = fork.close(terms, payload_of(tag=other.id_tag))
        assert result.error == "ChargeVault_ForeignRecord"
        assert result.arguments == {
            "found": "0x" + keccak(other.id_tag.encode()).hex(),
            "wanted": "0x" + keccak(terms.id_tag.encode()).hex(),
        }

    def test_that_closed_one_session_closes_no_second_one(self, world, opened):
        fork, terms = opened
        twin = world.terms("twin", id_tag=terms.id_tag, purse=1)
        third = world.terms("third", purse=2)
        fork.open(twin)
        fork.open(third)
        fork.move_to(START_S + 7_300)
        payload = payload_of(tag=terms.id_tag, page=5)
        assert fork.close(terms, payload).error is None
        again = fork.close(twin, payload)
        assert again.error == "ChargeVault_OldPage"
        assert again.arguments == {"page": 5, "last": 5}
        fork.close(third, payload_of(tag=third.id_tag, page=6))
        again = fork.close(twin, payload)
        assert (again.error, again.arguments) == ("ChargeVault_PageSpent", {"page": 5})

    def test_written_before_the_session_was_opened_is_refused(self, world, opened):
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag, page=9))
        later = world.terms("later", id_tag=terms.id_tag)
        fork.open(later)
        fork.move_to(START_S + 7_300)
        old = fork.close(later, payload_of(tag=later.id_tag, page=9))
        assert (old.error, old.arguments) == ("ChargeVault_OldPage", {"page": 9, "last": 9})
        assert fork.close(later, payload_of(tag=later.id_tag, page=10)).error is None

    def test_overtaken_by_a_later_page_of_its_meter_still_closes(self, world, opened):
        """A station that was offline delivers late, after the next driver's record."""
        fork, terms = opened
        other = world.terms("other", purse=1)
        fork.open(other)
        fork.move_to(START_S + 7_300)
        fork.close(other, payload_of(tag=other.id_tag, page=2))
        assert fork.close(terms, payload_of(tag=terms.id_tag, page=1)).error is None
        assert fork.get(world.vault, "lastPageOf", world.k1.meter_id) == 2

    def test_too_many_pages_late_is_refused(self, world, opened):
        fork, terms = opened
        other = world.terms("other", purse=1)
        fork.open(other)
        fork.move_to(START_S + 7_300)
        fork.close(other, payload_of(tag=other.id_tag, page=18))
        late = fork.close(terms, payload_of(tag=terms.id_tag, page=1))
        assert (late.error, late.arguments) == ("ChargeVault_OldPage", {"page": 1, "last": 18})
        assert fork.close(terms, payload_of(tag=terms.id_tag, page=2)).error is None

    @law(30)
    @given(pages=st.lists(st.integers(1, 40), min_size=2, max_size=12))
    def test_of_each_page_is_paid_once_in_whatever_order_they_come(self, world, pages):
        """Rival fault: one signature was paid three times."""
        fork = world.fork(START_S + 60)
        sessions = [world.terms(f"page{n}", id_tag="CARD", purse=n) for n in range(len(pages))]
        for terms in sessions:
            assert fork.open(terms).error is None
        fork.move_to(START_S + 7_300)
        paid: set[int] = set()
        for terms, page in zip(sessions, pages, strict=True):
            result = fork.close(terms, payload_of(tag="CARD", page=page))
            in_reach = not paid or page > max(paid) - 17
            assert (result.error is None) == (in_reach and page not in paid)
            if result.error is None:
                paid.add(page)
        earned = fork.get(world.vault, "stationEarned", world.k1.meter_id)
        assert earned == len(paid) * 2_654_350

    def test_of_page_zero_is_never_new(self, opened):
        fork, terms = opened
        result = fork.close(terms, payload_of(tag=terms.id_tag, page=0))
        assert (result.error, result.arguments) == ("ChargeVault_OldPage", {"page": 0, "last": 0})

    def test_of_a_page_that_no_meter_reaches_is_refused(self, opened):
        fork, terms = opened
        result = fork.close(terms, payload_of(tag=terms.id_tag, page=2**32))
        assert result.error == "ChargeVault_PageTooHigh"
        assert result.arguments == {"page": 2**32}
        assert fork.close(terms, payload_of(tag=terms.id_tag, page=2**32 - 1)).error is None

    @pytest.mark.parametrize("identity", [b'"ID":"",', b""])
    def test_that_names_nobody_is_refused(self, opened, identity):
        fork, terms = opened
        plain = payload_of(tag=terms.id_tag)
        payload = plain.replace(b'"ID":"%s",' % terms.id_tag.encode(), identity)
        assert payload != plain
        assert fork.close(terms, payload).error == "ChargeVault_Unbindable"

    def test_of_as_much_as_the_meter_carries_in_the_time_closes(self, opened):
        fork, terms = opened
        # 22 kW for an hour, and 5 % tolerance.
        above = fork.close(terms, payload_of(tag=terms.id_tag, begin="1.000", end="24.101"))
        assert above.error == "ChargeVault_AbovePower"
        assert above.arguments == {"energyWh": 23_101, "mostWh": 23_100}
        most = fork.close(terms, payload_of(tag=terms.id_tag, begin="1.000", end="24.100"))
        assert most.event("SessionClosed")["energyWh"] == 23_100

    def test_in_the_second_of_the_opening_proves_no_energy(self, world, fork):
        terms = world.terms("instant")
        fork.open(terms)
        result = fork.close(terms, payload_of(tag=terms.id_tag, begin="1.000", end="1.001"))
        assert result.arguments == {"energyWh": 1, "mostWh": 0}
        assert fork.close(terms, payload_of(tag=terms.id_tag, end="10.000")).error is None

    def test_refused_changes_nothing(self, world, opened):
        fork, terms = opened
        watched = [
            (world.vault, "depositOf", terms.driver, 0),
            (world.vault, "stationEarned", world.k1.meter_id),
            (world.vault, "lastPageOf", world.k1.meter_id),
            (world.token, "balanceOf", world.vault.address),
            (world.token, "balanceOf", terms.driver),
        ]
        before = [fork.get(*one) for one in watched]
        assert fork.close(terms, payload_of(tag="FOREIGN")).error is not None
        assert fork.close(terms, payload_of(tag=terms.id_tag, end="99.000")).error is not None
        assert fork.close(terms, b"{}").error is not None
        assert [fork.get(*one) for one in watched] == before


def other_r1():
    """Return a P-256 key that no meter has."""
    return meter_key(SEED, Role.STATION_METER, "nobody", Curve.SECP256R1, Watts(22_000))


def field_record(meter, tag, begin_s, *, page, energy_wh):
    """Return a record as the simulated station writes it."""
    end_s = UnixSeconds(begin_s + 3_600)
    begin_wh = WattHours(1_234_567)
    end_wh = WattHours(begin_wh + energy_wh)
    part = FiscalSlice(
        page=page,
        begin_s=begin_s,
        end_s=end_s,
        begin_wh=begin_wh,
        end_wh=end_wh,
    )
    stop = SessionStops(
        at_s=end_s,
        station="station",
        session="s1",
        slice=part,
        page=page,
        begin_s=begin_s,
        begin_wh=begin_wh,
        end_wh=end_wh,
    )
    return OcmfMeter(meter, "station").transaction_record(stop, tag)
