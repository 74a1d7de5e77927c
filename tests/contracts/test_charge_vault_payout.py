"""Paying out: expiry by anybody, credit where the token refuses, and withdrawals.

No token of the product ever refuses a driver, so the refusals come from a token of a few opcodes.
"""

from dataclasses import dataclass

import pytest

from settlement.chain.calls import Contract, creation
from settlement.charging.terms import contract_tuple, session_id
from tests.contracts.hostile import DENIES, PAYS, REENTERS, REVERTS, SILENT, TREAT, deploy
from tests.contracts.ocmf_cases import payload_of
from tests.contracts.support import NOBODY, NOBODY_WALLET, START_S, sign_payload


@pytest.fixture
def opened(world):
    """A fork on which the first driver opened a session an hour ago, and the terms."""
    terms = world.terms("opened")
    fork = world.fork(START_S + 60)
    assert fork.open(terms).error is None
    return fork.move_to(START_S + 3_660), terms


class TestExpiry:
    def test_gives_the_whole_deposit_back_in_one_mined_transaction(self, world):
        now_s = world.clock.now_s()
        terms = world.terms("expire", deadline_s=now_s + 60, driver=world.drivers[3].address_hex)
        opened = world.send(NOBODY_WALLET, world.vault, "open", *world.open_arguments(terms))
        page = opened.event("SessionOpened")["pageAtOpen"]
        opening = (world.node.head.header.timestamp, page, True)
        world.clock.set(now_s + 60)
        before = [
            world.get(world.token, "balanceOf", a) for a in (terms.driver, world.vault.address)
        ]
        result = world.send(NOBODY_WALLET, world.vault, "expire", contract_tuple(terms), opening)
        after = [
            world.get(world.token, "balanceOf", a) for a in (terms.driver, world.vault.address)
        ]
        assert after == [before[0] + 20_000_000, before[1] - 20_000_000]
        assert result.event("SessionExpired") == {
            "sessionId": "0x" + session_id(terms).hex(),
            "driver": terms.driver,
            "refundMicros": 20_000_000,
            "pushed": True,
        }
        assert world.get(world.vault, "depositOf", terms.driver, 0) == 0

    def test_waits_for_the_deadline_to_the_second(self, opened):
        fork, terms = opened
        fork.move_to(terms.deadline_s - 1)
        early = fork.expire(terms)
        assert early.error == "ChargeVault_DeadlineNotPassed"
        assert early.arguments == {"deadline": terms.deadline_s, "time": terms.deadline_s - 1}
        assert fork.move_to(terms.deadline_s).expire(terms).error is None

    def test_may_be_called_by_anybody_years_later(self, world, opened):
        for sender in (NOBODY, world.drivers[1], world.operator):
            fork, terms = world.fork(START_S + 60), opened[1]
            fork.open(terms)
            fork.move_to(terms.deadline_s + 10 * 365 * 86_400)
            before = fork.token(terms.driver)
            assert fork.expire(terms, sender).error is None
            assert fork.token(terms.driver) == before + 20_000_000

    def test_happens_once(self, opened):
        fork, terms = opened
        fork.move_to(terms.deadline_s)
        assert fork.expire(terms).error is None
        again = fork.expire(terms)
        assert again.error == "ChargeVault_NotOpen"
        assert fork.close(terms, payload_of(tag=terms.id_tag)).error == "ChargeVault_NotOpen"
        fork.move_to(terms.deadline_s - 1)
        assert fork.open(terms).error == "ERC3009UsedAuthorization"

    def test_does_not_follow_a_close(self, opened):
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag))
        fork.move_to(terms.deadline_s)
        late = fork.expire(terms)
        assert late.error == "ChargeVault_NotOpen"
        assert fork.purse(terms) == (0, 0)

    def test_needs_no_meter_that_still_counts(self, world, opened):
        fork, terms = opened
        fork.ok(world.owner, world.registry, "revoke", world.k1.meter_id)
        fork.move_to(terms.deadline_s)
        assert fork.expire(terms).error is None

    def test_earns_the_operator_nothing(self, world, opened):
        fork, terms = opened
        assert fork.move_to(terms.deadline_s).expire(terms).error is None
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == 0
        assert fork.token(world.vault.address) == 0


class TestEarnings:
    HELD = 2_654_350

    @pytest.fixture
    def earned(self, world, opened):
        """A fork on which the meter has earned from the session, and the session's terms."""
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag))
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == self.HELD
        return fork, terms

    @pytest.fixture
    def collected(self, world, earned):
        """The same, when anybody has made them the operator's own."""
        fork, terms = earned
        result = fork.ok(NOBODY, world.vault, "collect", [world.k1.meter_id])
        assert result.event("EarningsCollected") == {
            "meterId": terms.meter_id,
            "operator": terms.operator,
            "amountMicros": self.HELD,
        }
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == 0
        assert fork.get(world.vault, "earnedOf", terms.operator) == self.HELD
        return fork, terms

    def test_are_paid_to_whom_the_operator_says(self, world, collected):
        fork, terms = collected
        operator = world.operator
        arguments = (operator.address, 1_000_000)
        paid = fork.ok(operator, world.vault, "withdrawEarned", *arguments)
        assert paid.event("EarningsWithdrawn") == {
            "operator": terms.operator,
            "to": terms.operator,
            "amountMicros": 1_000_000,
        }
        assert fork.token(operator) == 1_000_000
        assert fork.get(world.vault, "earnedOf", terms.operator) == self.HELD - 1_000_000
        fork.ok(operator, world.vault, "withdrawEarned", NOBODY, self.HELD - 1_000_000)
        assert fork.token(NOBODY) == self.HELD - 1_000_000
        assert fork.token(world.vault.address) == 0

    def test_are_never_more_than_was_earned(self, world, collected):
        fork, terms = collected
        more = fork.send(world.operator, world.vault, "withdrawEarned", NOBODY, self.HELD + 1)
        assert more.error == "ChargeVault_Insufficient"
        assert more.arguments == {
            "account": terms.operator,
            "held": self.HELD,
            "wanted": self.HELD + 1,
        }

    def test_are_not_the_operators_own_before_they_are_collected(self, world, earned):
        fork, _ = earned
        early = fork.send(world.operator, world.vault, "withdrawEarned", NOBODY, 1)
        assert early.error == "ChargeVault_Insufficient"

    def test_are_collected_once(self, world, collected):
        fork, terms = collected
        fork.ok(NOBODY, world.vault, "collect", [world.k1.meter_id, world.r1.meter_id])
        assert fork.get(world.vault, "earnedOf", terms.operator) == self.HELD

    def test_of_one_operator_are_not_anothers(self, world, collected):
        fork, _ = collected
        for stranger in (NOBODY, world.drivers[0], world.owner):
            result = fork.send(stranger, world.vault, "withdrawEarned", NOBODY, 1)
            assert result.error == "ChargeVault_Insufficient"
            result = fork.send(stranger, world.vault, "withdraw", 0, NOBODY, 1)
            assert result.error == "ChargeVault_Insufficient"

    def test_are_no_money_that_a_driver_withdraws(self, world, collected):
        fork, _ = collected
        result = fork.send(world.operator, world.vault, "withdraw", 0, NOBODY, 1)
        assert result.error == "ChargeVault_Insufficient"
        assert result.arguments["held"] == 0

    def test_beyond_what_a_meter_can_note_wait_until_anybody_collects(self, world):
        """281 million euros at one meter: the record is not lost, and nobody has to be asked."""
        fork, most = world.fork(START_S), 2**40 - 1

        def close(number):
            terms = world.terms(
                f"full{number}",
                meter_id=world.wide.meter_id_hex,
                deposit_micros=most,
                price_micros_per_kwh=10**15,
            )
            assert fork.open(terms).error is None
            fork.move_to(fork.now_s + 60)
            payload = payload_of(tag=terms.id_tag, page=number)
            return fork.close(terms, payload), terms, payload

        for number in range(1, 2**8 + 1):
            assert close(number)[0].error is None
        refused, terms, payload = close(2**8 + 1)
        assert refused.error == "ChargeVault_StationFull"
        assert refused.arguments == {"micros": (2**8 + 1) * most}
        fork.ok(NOBODY, world.vault, "collect", [world.wide.meter_id])
        assert fork.close(terms, payload).error is None
        assert fork.get(world.vault, "earnedOf", terms.operator) == 2**8 * most
        assert fork.get(world.vault, "stationEarned", world.wide.meter_id) == most


class TestMeterThatChangesHands:
    HELD = 2_654_350

    @pytest.fixture
    def sold(self, world, opened):
        """A fork on which the meter earned, was sold, and has one more session of before."""
        fork, terms = opened
        late = world.terms("late", purse=1)
        fork.open(late)
        fork.close(terms, payload_of(tag=terms.id_tag, page=1))
        buyer = world.members[0]
        fork.ok(world.owner, world.registry, "assign", world.k1.meter_id, buyer.address)
        bound = fork.ok(NOBODY, world.vault, "bind", world.k1.meter_id)
        assert bound.event("StationBound") == {
            "meterId": terms.meter_id,
            "operator": buyer.address_hex,
            "before": terms.operator,
            "earnedMicros": self.HELD,
        }
        return fork.move_to(START_S + 7_300), late, buyer

    def test_leaves_what_it_earned_with_who_had_it(self, world, sold):
        fork, late, buyer = sold
        assert fork.get(world.vault, "earnedOf", late.operator) == self.HELD
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == 0
        assert fork.get(world.vault, "operatorOf", world.k1.meter_id) == buyer.address_hex

    def test_pays_for_a_session_of_before_to_who_had_it_then(self, world, sold):
        fork, late, _ = sold
        closed = fork.close(late, payload_of(tag=late.id_tag, page=2))
        assert closed.event("EarningsCollected") == {
            "meterId": late.meter_id,
            "operator": late.operator,
            "amountMicros": self.HELD,
        }
        assert fork.get(world.vault, "earnedOf", late.operator) == 2 * self.HELD
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == 0
        assert fork.get(world.vault, "lastPageOf", world.k1.meter_id) == 2

    def test_keeps_the_pages_that_were_spent(self, sold):
        fork, late, _ = sold
        spent = fork.close(late, payload_of(tag=late.id_tag, page=1))
        assert spent.error == "ChargeVault_OldPage"

    def test_earns_for_the_buyer_from_then_on(self, world, sold):
        fork, _, buyer = sold
        terms = world.terms("new", operator=buyer.address_hex, purse=2)
        assert fork.open(terms).error is None
        fork.move_to(START_S + 10_900)
        assert fork.close(terms, payload_of(tag=terms.id_tag, page=3)).error is None
        assert fork.get(world.vault, "stationEarned", world.k1.meter_id) == self.HELD
        assert fork.open(world.terms("old", purse=3)).error == "ChargeVault_NotTheOperator"


@dataclass(frozen=True)
class Hostile:
    """A vault whose token treats drivers as it likes."""

    token: bytes
    vault: Contract

    def treat(self, fork, who: str, how: int) -> None:
        data = TREAT + bytes.fromhex(who[2:]).rjust(32, b"\0") + how.to_bytes(32)
        result = fork.send_raw(NOBODY, Contract.at("EnergyEuro", "0x" + self.token.hex()), data)
        assert result.error is None

    def open(self, fork, terms):
        """Open a session; this token asks for no signature."""
        signature = (0, 2**40, 27, bytes(32), bytes(32))
        result = fork.ok(NOBODY, self.vault, "open", contract_tuple(terms), signature)
        fork.remember(
            terms,
            fork.get(self.vault, "lastPageOf", bytes.fromhex(terms.meter_id[2:])),
            from_wallet=True,
        )
        return result

    def expire(self, fork, terms):
        arguments = (contract_tuple(terms), fork.opening(terms))
        return fork.ok(NOBODY, self.vault, "expire", *arguments)

    def free(self, fork, terms) -> int:
        return fork.get(self.vault, "freeOf", terms.driver, terms.purse)

    def balance(self, fork, who: str) -> int:
        token = Contract.at("EnergyEuro", "0x" + self.token.hex())
        return int.from_bytes(fork.ok(NOBODY, token, "balanceOf", who).output)

    def close(self, fork, terms):
        payload = payload_of(tag=terms.id_tag)
        signature = sign_payload(fork.world.meter_of(terms), payload)
        arguments = (contract_tuple(terms), fork.opening(terms), payload, signature)
        return fork.send(NOBODY, self.vault, "closeWithOcmf", *arguments)


def hostile(world, fee=0):
    """Return a token that keeps ``fee`` of each payment, and a vault on it, mined."""
    token = deploy(world, fee)
    code = creation("ChargeVault", "0x" + token.hex(), world.registry.address)
    vault = world.mine(world.owner, None, code).contract_address
    found = Hostile(token, Contract.at("ChargeVault", "0x" + vault.hex()))
    world.send(NOBODY_WALLET, found.vault, "bind", world.k1.meter_id)
    return found


@pytest.fixture(scope="module")
def capricious(world):
    """The hostile token and a vault on it."""
    return hostile(world)


@pytest.fixture
def refused(world, capricious):
    """A fork of the head with a session on the hostile token, opened an hour ago."""
    terms = world.terms("hostile")
    fork = world.fork(world.node.head.header.timestamp + 60, base=world.node.head.header)
    capricious.open(fork, terms)
    return fork.move_to(fork.now_s + 3_600), terms


class TestRefundThatTheTokenWillNotDeliver:
    CHARGE, REFUND = 2_654_350, 17_345_650

    def closed(self, capricious, refused, how):
        fork, terms = refused
        capricious.treat(fork, terms.driver, how)
        result = capricious.close(fork, terms)
        assert result.error is None
        assert fork.get(capricious.vault, "depositOf", terms.driver, terms.purse) == 0
        earned = fork.get(capricious.vault, "stationEarned", fork.world.k1.meter_id)
        assert earned == self.CHARGE
        return capricious.free(fork, terms)

    @pytest.mark.parametrize("how", [REVERTS, DENIES, REENTERS])
    def test_becomes_the_drivers_credit_and_never_blocks_the_station(
        self, capricious, refused, how
    ):
        assert self.closed(capricious, refused, how) == self.REFUND
        fork, terms = refused
        assert capricious.balance(fork, terms.driver) == 0

    @pytest.mark.parametrize("how", [PAYS, SILENT])
    def test_is_paid_if_the_token_answers_true_or_nothing(self, capricious, refused, how):
        assert self.closed(capricious, refused, how) == 0
        fork, terms = refused
        assert capricious.balance(fork, terms.driver) == self.REFUND

    def test_is_withdrawn_by_the_driver_once_the_token_pays_again(self, capricious, refused):
        fork, terms = refused
        self.closed(capricious, refused, REVERTS)
        vault, driver = capricious.vault, terms.driver
        still = fork.send(driver, vault, "withdraw", 0, driver, self.REFUND)
        assert still.error is not None
        assert capricious.free(fork, terms) == self.REFUND
        fork.ok(driver, vault, "withdraw", 0, NOBODY, 300_000)
        assert capricious.balance(fork, "0x" + NOBODY.hex()) == 300_000
        capricious.treat(fork, driver, PAYS)
        fork.ok(driver, vault, "withdraw", 0, driver, 45_650)
        assert capricious.free(fork, terms) == 17_000_000
        more = fork.send(driver, vault, "withdraw", 0, driver, 17_000_001)
        assert more.error == "ChargeVault_Insufficient"
        assert more.arguments == {"account": driver, "held": 17_000_000, "wanted": 17_000_001}
        fork.ok(driver, vault, "withdraw", 0, driver, 17_000_000)
        assert capricious.free(fork, terms) == 0
        assert capricious.balance(fork, driver) == self.REFUND - 300_000

    def test_is_nobody_elses_credit(self, world, capricious, refused):
        fork, _ = refused
        self.closed(capricious, refused, REVERTS)
        for stranger in (NOBODY, world.operator, world.drivers[1]):
            result = fork.send(stranger, capricious.vault, "withdraw", 0, NOBODY, 1)
            assert result.error == "ChargeVault_Insufficient"

    def test_after_the_deadline_becomes_credit_too(self, capricious, refused):
        fork, terms = refused
        capricious.treat(fork, terms.driver, DENIES)
        fork.move_to(terms.deadline_s)
        capricious.expire(fork, terms)
        assert capricious.free(fork, terms) == terms.deposit_micros

    def test_of_two_sessions_adds_up(self, world, capricious, refused):
        fork, terms = refused
        second = world.terms("hostile2")
        capricious.treat(fork, terms.driver, REVERTS)
        assert capricious.close(fork, terms).error is None
        capricious.open(fork, second)
        capricious.treat(fork, terms.driver, REVERTS)
        fork.move_to(terms.deadline_s)
        capricious.expire(fork, second)
        assert capricious.free(fork, terms) == self.REFUND + 20_000_000


class TestTokenThatTakesAFee:
    """What the vault does not receive it never owes."""

    def test_opens_no_session_and_makes_no_deposit(self, world):
        short = hostile(world, 3)
        fork = world.fork(world.node.head.header.timestamp + 60, base=world.node.head.header)
        terms = world.terms("fee")
        signature = (0, 2**40, 27, bytes(32), bytes(32))
        opened = fork.send(NOBODY, short.vault, "open", contract_tuple(terms), signature)
        put_in = fork.send(NOBODY, short.vault, "deposit", NOBODY, 0, 1_000)
        assert [opened.error, put_in.error] == ["ChargeVault_TokenShort"] * 2
        assert put_in.arguments == {"received": 997, "wanted": 1_000}


class TestReentrance:
    @pytest.fixture
    def earned(self, capricious, refused):
        fork, terms = refused
        assert capricious.close(fork, terms).error is None
        fork.ok(NOBODY, capricious.vault, "collect", [fork.world.k1.meter_id])
        capricious.treat(fork, terms.operator, REENTERS)
        return fork, terms

    def test_by_the_token_during_a_withdrawal_is_refused(self, capricious, earned):
        fork, terms = earned
        arguments = (terms.operator, 1)
        result = fork.send(terms.operator, capricious.vault, "withdrawEarned", *arguments)
        assert result.error == "ReentrancyGuardReentrantCall"

    def test_refused_leaves_the_credit_where_it_was(self, capricious, earned):
        fork, terms = earned
        held = fork.get(capricious.vault, "earnedOf", terms.operator)
        fork.send(terms.operator, capricious.vault, "withdrawEarned", terms.operator, 1)
        assert fork.get(capricious.vault, "earnedOf", terms.operator) == held
