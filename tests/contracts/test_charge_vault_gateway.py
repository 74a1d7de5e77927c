"""Sessions of meters whose gateway signs: one reading closes one session, alone or in a batch."""

from dataclasses import replace

import pytest

from devnet.field.keys import Curve, Kind, Role, meter_key
from ledger.units import Watts
from settlement.charging.terms import contract_tuple, session_id
from tests.contracts.ocmf_cases import payload_of
from tests.contracts.support import NOBODY, SEED, START_S, sign_payload

BEGIN_WH, END_WH = 40_000, 45_500
CHARGE = 2_654_350
ENDED_S = START_S + 7_000


@pytest.fixture
def opened(world):
    """A fork on which the first driver opened a session at a gateway's meter two hours ago."""
    terms = world.terms("gate", meter_id=world.gateway.meter_id_hex)
    fork = world.fork(START_S + 60)
    assert fork.open(terms).error is None
    return fork.move_to(START_S + 7_260), terms


class TestReading:
    def test_closes_its_session_and_earns_for_the_operator(self, world, opened):
        fork, terms = opened
        before = fork.token(terms.driver)
        closed = fork.reading_close(terms, (BEGIN_WH, END_WH, ENDED_S)).event("SessionClosed")
        assert (closed["energyWh"], closed["chargeMicros"]) == (5_500, CHARGE)
        assert (closed["page"], closed["pushed"]) == (0, True)
        assert fork.token(terms.driver) == before + terms.deposit_micros - CHARGE
        assert fork.get(world.vault, "earnedOf", terms.operator) == CHARGE
        assert fork.get(world.vault, "stationEarned", world.gateway.meter_id) == 0

    def test_closes_once(self, opened):
        fork, terms = opened
        reading = (BEGIN_WH, END_WH, ENDED_S)
        fork.reading_close(terms, reading)
        assert fork.reading_close(terms, reading).error == "ChargeVault_NotOpen"

    def test_of_no_energy_costs_nothing(self, opened):
        fork, terms = opened
        closed = fork.reading_close(terms, (BEGIN_WH, BEGIN_WH, ENDED_S)).event("SessionClosed")
        assert (closed["energyWh"], closed["chargeMicros"]) == (0, 0)

    def test_that_runs_backwards_is_refused(self, opened):
        fork, terms = opened
        result = fork.reading_close(terms, (END_WH, BEGIN_WH, ENDED_S))
        assert result.error == "ChargeVault_Backwards"
        assert result.arguments == {"begin": END_WH, "end": BEGIN_WH}

    @pytest.mark.parametrize("ended_s", [START_S + 59, START_S + 7_261])
    def test_of_another_time_is_refused(self, opened, ended_s):
        fork, terms = opened
        result = fork.reading_close(terms, (BEGIN_WH, END_WH, ended_s))
        assert result.error == "ChargeVault_OutsideSession"
        assert result.arguments == {
            "endedAt": ended_s,
            "openedAt": START_S + 60,
            "time": START_S + 7_260,
        }

    def test_in_the_first_and_the_last_second_is_taken(self, opened):
        fork, terms = opened
        for ended_s, most in ((START_S + 60, 0), (START_S + 7_260, 18_900)):
            reading = (BEGIN_WH, BEGIN_WH + most, ended_s)
            assert fork.branch().reading_close(terms, reading).error is None
            above = fork.branch().reading_close(terms, (BEGIN_WH, BEGIN_WH + most + 1, ended_s))
            assert above.error == "ChargeVault_AbovePower"
            assert above.arguments == {"energyWh": most + 1, "mostWh": most}

    @pytest.mark.parametrize("field", range(3))
    def test_changed_since_it_was_signed_is_refused(self, world, opened, field):
        fork, terms = opened
        reading = [BEGIN_WH, END_WH, ENDED_S]
        signature = world.reading_signature(terms, tuple(reading))
        reading[field] -= 1
        result = fork.reading_close(terms, tuple(reading), signature)
        assert result.error == "ChargeVault_BadSignature"

    def test_of_another_session_is_refused(self, world, opened):
        fork, terms = opened
        other = world.terms("other", meter_id=terms.meter_id)
        reading = (BEGIN_WH, END_WH, ENDED_S)
        signature = world.reading_signature(other, reading)
        result = fork.reading_close(terms, reading, signature)
        assert result.error == "ChargeVault_BadSignature"

    @pytest.mark.parametrize("name", ["k1", "wide"])
    def test_by_another_meter_is_refused(self, world, opened, name):
        fork, terms = opened
        reading = (BEGIN_WH, END_WH, ENDED_S)
        signature = world.reading_signature(terms, reading, getattr(world, name))
        result = fork.reading_close(terms, reading, signature)
        assert result.error == "ChargeVault_BadSignature"

    def test_after_the_deadline_is_refused(self, opened):
        fork, terms = opened
        fork.move_to(terms.deadline_s)
        result = fork.reading_close(terms, (BEGIN_WH, END_WH, ENDED_S))
        assert result.error == "ChargeVault_DeadlinePassed"

    def test_by_a_revoked_gateway_is_refused(self, world, opened):
        fork, terms = opened
        fork.ok(world.owner, world.registry, "revoke", world.gateway.meter_id)
        result = fork.reading_close(terms, (BEGIN_WH, END_WH, ENDED_S))
        assert result.error == "MeterRegistry_NotValid"


class TestKind:
    """A station's meter closes by record, a gateway by reading, a feeder head not at all."""

    def test_of_a_station_signs_no_reading(self, world, fork):
        terms = world.terms("kind")
        fork.open(terms)
        fork.move_to(START_S + 7_260)
        result = fork.reading_close(terms, (BEGIN_WH, END_WH, ENDED_S))
        assert result.error == "ChargeVault_WrongKind"
        assert result.arguments == {"meterId": terms.meter_id}

    def test_of_a_gateway_signs_no_record(self, opened):
        fork, terms = opened
        result = fork.close(terms, payload_of(tag=terms.id_tag))
        assert result.error == "ChargeVault_WrongKind"

    def test_of_a_feeder_head_signs_neither(self, world, fork):
        head = meter_key(SEED, Role.STATION_METER, "head", Curve.SECP256K1, Watts(22_000))
        fork.enrol(head, kind=Kind.FEEDER_HEAD)
        terms = world.terms("head", meter_id=head.meter_id_hex)
        assert fork.open(terms).error is None
        fork.move_to(START_S + 7_260)
        payload = payload_of(tag=terms.id_tag)
        by_record = fork.close(terms, payload, sign_payload(head, payload))
        assert by_record.error == "ChargeVault_WrongKind"
        reading = (BEGIN_WH, END_WH, ENDED_S)
        signature = world.reading_signature(terms, reading, head)
        assert fork.reading_close(terms, reading, signature).error == "ChargeVault_WrongKind"


class TestBatch:
    COUNT = 4

    @pytest.fixture
    def batch(self, world, fork):
        """A fork on which each driver opened a session from a standing balance, by one batch."""
        sessions = [
            world.standing(
                f"b{n}", 1, driver=driver.address_hex, meter_id=world.gateway.meter_id_hex
            )
            for n, driver in enumerate(world.drivers)
        ]
        for driver in world.drivers:
            fork.stand(driver, 25_000_000)
        orders = [(contract_tuple(terms), world.terms_signature(terms)) for terms in sessions]
        result = fork.ok(NOBODY, world.vault, "openBatch", orders)
        assert [event.name for event in result.events] == ["SessionOpened"] * self.COUNT
        for terms in sessions:
            fork.remember(terms, 0, from_wallet=False)
            assert fork.is_open(terms)
        return fork.move_to(START_S + 14_400), sessions

    def closing(self, world, fork, terms, energy_wh):
        reading = (BEGIN_WH, BEGIN_WH + energy_wh, START_S + 10_000)
        signature = world.reading_signature(terms, reading)
        return (contract_tuple(terms), fork.opening(terms), reading, signature)

    def test_does_what_the_sessions_one_by_one_do(self, world, batch):
        fork, sessions = batch
        energies = [0, 1, 5_500, 9_999]
        singly = fork.branch()
        pairs = list(zip(sessions, energies, strict=True))
        for terms, energy_wh in pairs:
            closing = self.closing(world, singly, terms, energy_wh)
            singly.ok(NOBODY, world.vault, "close", *closing)
        closings = [self.closing(world, fork, terms, wh) for terms, wh in pairs]
        result = fork.ok(NOBODY, world.vault, "closeBatch", closings)
        assert [event.name for event in result.events] == ["SessionClosed"] * self.COUNT
        assert [fork.purse(one) for one in sessions] == [singly.purse(one) for one in sessions]
        earned = [
            one.get(world.vault, "earnedOf", world.operator.address) for one in (fork, singly)
        ]
        assert earned[0] == earned[1] != 0

    def test_passes_over_what_somebody_ended_first(self, world, batch):
        fork, sessions = batch
        closings = [self.closing(world, fork, terms, 5_500) for terms in sessions]
        fork.ok(NOBODY, world.vault, "close", *closings[1])
        result = fork.ok(NOBODY, world.vault, "closeBatch", closings)
        passed = result.event("SessionPassedOver")
        assert passed == {"sessionId": "0x" + session_id(sessions[1]).hex()}
        assert [event.name for event in result.events].count("SessionClosed") == 3
        assert fork.get(world.vault, "earnedOf", world.operator.address) == 4 * CHARGE

    def test_passes_over_what_is_past_its_deadline(self, world, batch):
        fork, sessions = batch
        closings = [self.closing(world, fork, terms, 5_500) for terms in sessions]
        fork.move_to(sessions[0].deadline_s)
        result = fork.ok(NOBODY, world.vault, "closeBatch", closings)
        assert [event.name for event in result.events] == ["SessionPassedOver"] * self.COUNT
        assert all(fork.is_open(terms) for terms in sessions)

    def test_with_one_forged_reading_does_nothing(self, world, batch):
        fork, sessions = batch
        closings = [self.closing(world, fork, terms, 5_500) for terms in sessions]
        forged = (*closings[2][:3], closings[1][3])
        result = fork.send(NOBODY, world.vault, "closeBatch", [*closings[:2], forged])
        assert result.error == "ChargeVault_BadSignature"
        assert all(fork.is_open(terms) for terms in sessions)

    def test_of_openings_needs_each_drivers_signature(self, world, fork):
        terms = world.standing("b", 1)
        fork.stand(world.drivers[0], 25_000_000)
        forged = world.terms_signature(terms, world.operator)
        result = fork.send(NOBODY, world.vault, "openBatch", [(contract_tuple(terms), forged)])
        assert result.error == "ChargeVault_NotTheDriver"


class TestCosignedTotal:
    """What a tariff adds to flat fee and energy is taken only against the driver's signature."""

    @pytest.fixture
    def opened(self, world):
        terms = world.terms("total")
        fork = world.fork(START_S + 60)
        assert fork.open(terms).error is None
        return fork.move_to(START_S + 3_660), terms

    def total(self, world, fork, terms, micros, *, signer=None, signed=None):
        payload = payload_of(tag=terms.id_tag)
        values = {
            "sessionId": session_id(terms),
            "totalMicros": micros if signed is None else signed,
        }
        agreed = world.signature(signer or world.wallet(terms.driver), "SessionTotal", values)
        arguments = (payload, sign_payload(world.k1, payload), micros, agreed)
        opening = (contract_tuple(terms), fork.opening(terms))
        return fork.send(NOBODY, world.vault, "closeCosigned", *opening, *arguments)

    def test_is_charged_as_the_driver_signed_it(self, world, opened):
        fork, terms = opened
        closed = self.total(world, fork, terms, 4_000_000).event("SessionClosed")
        assert (closed["chargeMicros"], closed["refundMicros"]) == (4_000_000, 16_000_000)
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == 4_000_000

    def test_is_capped_by_the_deposit(self, world, opened):
        """Rival fault: a price above the estimate locked the deposit for ever."""
        fork, terms = opened
        closed = self.total(world, fork, terms, 20_000_001).event("SessionClosed")
        assert (closed["chargeMicros"], closed["refundMicros"]) == (20_000_000, 0)

    def test_covers_what_the_record_comes_to(self, world, opened):
        fork, terms = opened
        for micros in (0, 1, CHARGE - 1):
            refused = self.total(world, fork, terms, micros)
            assert refused.error == "ChargeVault_TotalTooSmall"
        assert self.total(world, fork, terms, CHARGE).error is None

    def test_by_somebody_else_is_refused(self, world, opened):
        fork, terms = opened
        forged = self.total(world, fork, terms, 4_000_000, signer=world.operator)
        assert forged.error == "ChargeVault_NotTheDriver"
        raised = self.total(world, fork, terms, 4_000_001, signed=4_000_000)
        assert raised.error == "ChargeVault_NotTheDriver"

    def test_of_another_session_is_refused(self, world, opened):
        fork, terms = opened
        other = replace(terms, purse=1)
        assert fork.open(other).error is None
        payload = payload_of(tag=terms.id_tag)
        values = {"sessionId": session_id(other), "totalMicros": 4_000_000}
        agreed = world.signature(world.wallet(terms.driver), "SessionTotal", values)
        arguments = (payload, sign_payload(world.k1, payload), 4_000_000, agreed)
        opening = (contract_tuple(terms), fork.opening(terms))
        result = fork.send(NOBODY, world.vault, "closeCosigned", *opening, *arguments)
        assert result.error == "ChargeVault_NotTheDriver"
