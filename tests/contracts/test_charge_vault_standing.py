"""Standing balances: put in once, sessions opened from them by signature, raised while they run.

The law of every purse: what is free and what is held only move between the two, in and out.
"""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.typed_data import hash_struct
from settlement.charging.terms import contract_tuple, session_id
from tests.contracts.ocmf_cases import payload_of
from tests.contracts.support import FAR_S, NOBODY, START_S, Fork
from tests.contracts.test_energy_euro import signed

ALL = 30_000_000


@pytest.fixture
def standing(world, fork):
    """A fork on which the first driver has 30 euros standing in its first purse."""
    fork.stand(world.drivers[0], ALL)
    return fork


class TestDeposit:
    def test_comes_from_whoever_pays_for_the_driver(self, world, fork):
        driver, friend = world.drivers[:2]
        fork.ok(friend, world.token, "approve", world.vault.address, 700)
        before = fork.token(friend)
        made = fork.ok(friend, world.vault, "deposit", driver.address, 3, 700)
        assert made.event("Deposited") == {
            "driver": driver.address_hex,
            "purse": 3,
            "amountMicros": 700,
        }
        assert fork.token(friend) == before - 700
        assert fork.get(world.vault, "freeOf", driver.address, 3) == 700
        assert fork.get(world.vault, "freeOf", friend.address, 3) == 0

    def test_of_nothing_is_refused(self, world, fork):
        result = fork.send(NOBODY, world.vault, "deposit", NOBODY, 0, 0)
        assert result.error == "ChargeVault_NoDeposit"

    def test_without_allowance_is_refused(self, world, fork):
        result = fork.send(world.drivers[0], world.vault, "deposit", NOBODY, 0, 1)
        assert result.error == "ERC20InsufficientAllowance"

    def test_above_what_a_purse_holds_is_refused(self, world, fork):
        driver = world.drivers[0]
        fork.ok(driver, world.token, "approve", world.vault.address, 2**41)
        most = 2**40 - 1
        fork.ok(driver, world.vault, "deposit", driver.address, 0, most)
        refused = fork.send(driver, world.vault, "deposit", driver.address, 0, 1)
        assert (refused.error, refused.arguments) == ("Purse_Full", {"micros": 2**40})

    def permit(self, world, fork, amount):
        driver = world.drivers[0]
        message = {
            "owner": driver.address_hex,
            "spender": world.vault.address,
            "value": amount,
            "nonce": fork.get(world.token, "nonces", driver.address),
            "deadline": FAR_S,
        }
        return (FAR_S, *signed(world, driver, "Permit", message))

    def test_may_bring_its_permit_along(self, world, fork):
        driver = world.drivers[0]
        arguments = (5, 900, *self.permit(world, fork, 900))
        fork.ok(driver, world.vault, "depositWithPermit", *arguments)
        assert fork.get(world.vault, "freeOf", driver.address, 5) == 900

    def test_survives_a_permit_that_somebody_brought_before(self, world, fork):
        driver = world.drivers[0]
        permit = self.permit(world, fork, 900)
        taken = (driver.address, world.vault.address, 900, *permit)
        fork.ok(NOBODY, world.token, "permit", *taken)
        fork.ok(driver, world.vault, "depositWithPermit", 5, 900, *permit)
        assert fork.get(world.vault, "freeOf", driver.address, 5) == 900

    def test_with_anothers_permit_takes_nothing(self, world, fork):
        permit = self.permit(world, fork, 900)
        result = fork.send(world.drivers[1], world.vault, "depositWithPermit", 5, 900, *permit)
        assert result.error == "ERC20InsufficientAllowance"


class TestWithdrawal:
    def test_leaves_what_runs(self, world, standing):
        terms = world.standing("run", 1)
        standing.open_standing(terms)
        driver = world.drivers[0]
        more = standing.send(driver, world.vault, "withdraw", 0, NOBODY, 10_000_001)
        assert more.error == "ChargeVault_Insufficient"
        assert more.arguments["held"] == 10_000_000
        paid = standing.ok(driver, world.vault, "withdraw", 0, NOBODY, 10_000_000)
        assert paid.event("Withdrawn") == {
            "driver": driver.address_hex,
            "purse": 0,
            "to": "0x" + NOBODY.hex(),
            "amountMicros": 10_000_000,
        }
        assert standing.purse(terms) == (0, 20_000_000)

    def test_of_one_purse_is_not_of_another(self, world, standing):
        result = standing.send(world.drivers[0], world.vault, "withdraw", 1, NOBODY, 1)
        assert result.error == "ChargeVault_Insufficient"

    def test_by_a_stranger_is_refused(self, world, standing):
        for stranger in (NOBODY, world.operator, world.owner, world.drivers[1]):
            result = standing.send(stranger, world.vault, "withdraw", 0, NOBODY, 1)
            assert result.error == "ChargeVault_Insufficient"


class TestOpening:
    def test_moves_no_token_and_holds_the_deposit(self, world, standing):
        terms = world.standing("one", 1)
        result = standing.open_standing(terms)
        opened = result.event("SessionOpened")
        assert (opened["fromWallet"], opened["depositMicros"]) == (False, 20_000_000)
        assert [event.name for event in result.events] == ["SessionOpened"]
        assert result.output == session_id(terms)
        assert standing.purse(terms) == (10_000_000, 20_000_000)
        assert standing.is_open(terms)

    def test_by_the_driver_needs_no_signature(self, world, standing):
        terms = world.standing("one", 1)
        arguments = (contract_tuple(terms), b"")
        standing.note(terms, standing.ok(terms.driver, world.vault, "openFromBalance", *arguments))
        assert standing.is_open(terms)

    @pytest.mark.parametrize("signature", [b"", bytes(65), bytes(64), b"\x01" * 66])
    def test_by_a_stranger_needs_the_drivers_signature(self, world, standing, signature):
        terms = contract_tuple(world.standing("one", 1))
        result = standing.send(NOBODY, world.vault, "openFromBalance", terms, signature)
        assert result.error == "ChargeVault_NotTheDriver"

    def test_signed_by_somebody_else_is_refused(self, world, standing):
        terms = world.standing("one", 1)
        forged = world.terms_signature(terms, world.operator)
        arguments = (contract_tuple(terms), forged)
        result = standing.send(world.operator, world.vault, "openFromBalance", *arguments)
        assert result.error == "ChargeVault_NotTheDriver"
        assert result.arguments == {"found": terms.operator, "driver": terms.driver}

    @pytest.mark.parametrize(
        "changes", [{"price_micros_per_kwh": 391_701}, {"deposit_micros": 1}, {"purse": 1}]
    )
    def test_does_not_cover_changed_terms(self, world, standing, changes):
        terms = world.standing("one", 1)
        changed = contract_tuple(replace(terms, **changes))
        arguments = (changed, world.terms_signature(terms))
        result = standing.send(NOBODY, world.vault, "openFromBalance", *arguments)
        assert result.error == "ChargeVault_NotTheDriver"

    def test_without_the_money_is_refused(self, world, standing):
        terms = world.standing("one", 1, deposit_micros=ALL + 1)
        refused = standing.open_standing(terms)
        assert refused.error == "ChargeVault_Insufficient"
        assert refused.arguments == {"account": terms.driver, "held": ALL, "wanted": ALL + 1}

    @pytest.mark.parametrize("number", [0, 2, 2**24])
    def test_has_the_number_of_the_purses_next_session_as_salt(self, world, standing, number):
        refused = standing.open_standing(world.standing("one", number))
        assert refused.error == "ChargeVault_BadSalt"

    def test_by_one_signature_happens_once(self, world, standing):
        """Rival fault: one signature paid three times."""
        terms = world.standing("one", 1, deposit_micros=1_000_000)
        standing.open_standing(terms)
        standing.move_to(START_S + 7_200)
        standing.close(terms, payload_of(tag=terms.id_tag))
        assert standing.open_standing(terms).error == "ChargeVault_BadSalt"
        second = world.standing("two", 2, deposit_micros=1_000_000)
        assert standing.open_standing(second).error is None

    def test_while_another_session_runs_is_refused(self, world, standing):
        standing.open_standing(world.standing("one", 1, deposit_micros=1_000_000))
        second = world.standing("two", 2, deposit_micros=1_000_000)
        assert standing.open_standing(second).error == "ChargeVault_PurseInUse"

    def test_gives_the_rest_back_as_free_money(self, world, standing):
        terms = world.standing("one", 1)
        standing.open_standing(terms)
        standing.move_to(START_S + 7_200)
        closed = standing.close(terms, payload_of(tag=terms.id_tag))
        assert closed.event("SessionClosed")["pushed"] is False
        assert [event.name for event in closed.events] == ["SessionClosed"]
        assert standing.purse(terms) == (ALL - 2_654_350, 0)

    def test_that_expires_gives_all_back_as_free_money(self, world, standing):
        terms = world.standing("one", 1)
        standing.open_standing(terms)
        standing.move_to(terms.deadline_s)
        expired = standing.expire(terms)
        assert expired.event("SessionExpired")["pushed"] is False
        assert standing.purse(terms) == (ALL, 0)

    def test_says_how_it_was_opened_or_is_not_found(self, world, standing):
        """Who closes cannot choose whereto the refund goes, nor when or at which page it began."""
        terms = world.standing("one", 1)
        standing.open_standing(terms)
        standing.move_to(START_S + 7_200)
        at_s, page, _ = standing.opening(terms)
        payload = payload_of(tag=terms.id_tag)
        for changed in ((at_s, page, True), (at_s - 1, page, False), (at_s, page + 1, False)):
            arguments = (contract_tuple(terms), changed, payload, b"")
            result = standing.send(NOBODY, world.vault, "closeWithOcmf", *arguments)
            assert result.error == "ChargeVault_NotOpen"
            late = standing.send(NOBODY, world.vault, "expire", contract_tuple(terms), changed)
            assert late.error == "ChargeVault_NotOpen"


class TestTopUp:
    @pytest.fixture
    def running(self, world, standing):
        terms = world.terms("running", deposit_micros=1_000_000)
        assert standing.open(terms).error is None
        return standing, terms

    def by_wallet(self, world, fork, terms, amount, *, held=None, sender=NOBODY):
        values = {
            "sessionId": session_id(terms),
            "depositMicros": fork.purse(terms)[1] if held is None else held,
            "amountMicros": amount,
        }
        wallet, nonce = world.wallet(terms.driver), hash_struct("TopUp", values)
        signature = world.authorization(wallet, world.vault.address, amount, nonce)
        arguments = (contract_tuple(terms), fork.opening(terms), amount, signature)
        return fork.send(sender, world.vault, "topUp", *arguments)

    def by_balance(self, world, fork, terms, amount, *, sender=None):
        arguments = (contract_tuple(terms), fork.opening(terms), amount)
        return fork.send(sender or terms.driver, world.vault, "topUpFromBalance", *arguments)

    def test_from_the_wallet_raises_what_a_session_may_cost(self, world, running):
        fork, terms = running
        raised = self.by_wallet(world, fork, terms, 9_000_000)
        assert raised.event("SessionToppedUp") == {
            "sessionId": "0x" + session_id(terms).hex(),
            "amountMicros": 9_000_000,
            "depositMicros": 10_000_000,
            "fromWallet": True,
        }
        before = fork.token(terms.driver)
        fork.move_to(START_S + 7_200)
        closed = fork.close(terms, payload_of(tag=terms.id_tag)).event("SessionClosed")
        assert (closed["chargeMicros"], closed["refundMicros"]) == (2_654_350, 7_345_650)
        assert fork.token(terms.driver) == before + 7_345_650

    def test_by_one_signature_happens_once(self, world, running):
        fork, terms = running
        assert self.by_wallet(world, fork, terms, 500).error is None
        again = self.by_wallet(world, fork, terms, 500, held=1_000_000)
        assert again.error == "ERC3009InvalidSignature"
        assert self.by_wallet(world, fork, terms, 500).error is None
        assert fork.purse(terms)[1] == 1_001_000

    def test_from_the_balance_moves_no_token(self, world, running):
        fork, terms = running
        result = self.by_balance(world, fork, terms, 2_000_000)
        assert result.event("SessionToppedUp")["fromWallet"] is False
        assert fork.purse(terms) == (ALL - 2_000_000, 3_000_000)

    def test_from_the_balance_is_the_drivers_own(self, world, running):
        fork, terms = running
        result = self.by_balance(world, fork, terms, 1, sender=NOBODY)
        assert result.error == "ChargeVault_NotTheDriver"
        more = self.by_balance(world, fork, terms, ALL + 1)
        assert more.error == "ChargeVault_Insufficient"

    def test_of_nothing_is_refused(self, world, running):
        fork, terms = running
        assert self.by_wallet(world, fork, terms, 0).error == "ChargeVault_NoDeposit"
        assert self.by_balance(world, fork, terms, 0).error == "ChargeVault_NoDeposit"

    def test_above_what_a_purse_holds_is_refused(self, world, running):
        fork, terms = running
        room = 2**40 - 1 - ALL - 1_000_000
        assert self.by_wallet(world, fork, terms, room + 1).error == "Purse_Full"
        assert self.by_wallet(world, fork, terms, room).error is None

    def test_of_no_running_session_is_refused(self, world, running):
        fork, terms = running
        never = world.terms("never", purse=1)
        for act in (self.by_wallet, self.by_balance):
            assert act(world, fork, never, 1).error == "ChargeVault_NotOpen"
        fork.move_to(terms.deadline_s)
        for act in (self.by_wallet, self.by_balance):
            assert act(world, fork, terms, 1).error == "ChargeVault_DeadlinePassed"


class PurseMachine(RuleBasedStateMachine):
    """One driver, one purse: whatever happens, in whatever order, no micro appears or is lost."""

    world = None

    def __init__(self):
        super().__init__()
        self.fork: Fork = self.world.fork(START_S + 60)
        self.driver = self.world.drivers[0]
        self.fork.ok(self.driver, self.world.token, "approve", self.world.vault.address, 2**60)
        self.start = self.fork.token(self.driver)
        self.free, self.held, self.earned, self.opened = 0, 0, 0, 0
        self.page, self.running = 0, None

    @rule(amount=st.integers(1, 5_000_000))
    def deposit(self, amount):
        self.fork.ok(self.driver, self.world.vault, "deposit", self.driver.address, 0, amount)
        self.free += amount

    @rule(amount=st.integers(0, 6_000_000))
    def withdraw(self, amount):
        arguments = (0, self.driver.address, amount)
        result = self.fork.send(self.driver, self.world.vault, "withdraw", *arguments)
        assert (result.error is None) == (amount <= self.free)
        self.free -= amount if result.error is None else 0

    @rule(amount=st.integers(1, 5_000_000), wallet=st.booleans())
    def open(self, amount, wallet):
        number, tag = self.opened + 1, f"S{self.opened}"
        changes = {"id_tag": tag, "deposit_micros": amount, "deadline_s": self.fork.now_s + 9_000}
        if wallet:
            terms = self.world.terms(f"{tag}-{self.fork.now_s}", **changes)
            result = self.fork.open(terms)
        else:
            terms = self.world.standing(tag, number, **changes)
            result = self.fork.open_standing(terms)
        possible = self.running is None and (wallet or amount <= self.free)
        assert (result.error is None) == possible, result.error
        if possible:
            self.free -= 0 if wallet else amount
            self.held, self.running, self.opened = amount, (terms, wallet), number

    @precondition(lambda self: self.running)
    @rule(amount=st.integers(1, 3_000_000))
    def top_up(self, amount):
        terms, _ = self.running
        arguments = (contract_tuple(terms), self.fork.opening(terms), amount)
        result = self.fork.send(self.driver, self.world.vault, "topUpFromBalance", *arguments)
        in_time = self.fork.now_s < terms.deadline_s
        assert (result.error is None) == (in_time and amount <= self.free)
        if result.error is None:
            self.free, self.held = self.free - amount, self.held + amount

    @precondition(lambda self: self.running)
    @rule(energy_wh=st.integers(0, 12_000))
    def close(self, energy_wh):
        (terms, wallet), self.page = self.running, self.page + 1
        end = f"{energy_wh // 1_000}.{energy_wh % 1_000:03d}"
        payload = payload_of(tag=terms.id_tag, page=self.page, begin="0.000", end=end)
        result = self.fork.close(terms, payload)
        opened_s = self.fork.opening(terms)[0]
        fits = energy_wh <= 22_000 * (self.fork.now_s - opened_s) * 105 // 360_000
        possible = fits and self.fork.now_s < terms.deadline_s
        assert (result.error is None) == possible, result.error
        if possible:
            owed = energy_wh * 391_700 // 1_000 + (500_000 if energy_wh else 0)
            charge = min(owed, self.held)
            self.earned += charge
            self.end(charge, wallet)

    @precondition(lambda self: self.running)
    @rule()
    def expire(self):
        terms, wallet = self.running
        result = self.fork.expire(terms)
        assert (result.error is None) == (self.fork.now_s >= terms.deadline_s)
        if result.error is None:
            self.end(0, wallet)

    def end(self, charge, wallet):
        self.free += 0 if wallet else self.held - charge
        self.held, self.running = 0, None

    @rule(seconds=st.integers(1, 4_000))
    def wait(self, seconds):
        self.fork.move_to(self.fork.now_s + seconds)

    @invariant()
    def no_micro_appears_or_is_lost(self):
        vault = self.world.vault
        purse = (self.driver.address, 0)
        assert self.fork.get(vault, "freeOf", *purse) == self.free
        assert self.fork.get(vault, "depositOf", *purse) == self.held
        assert self.fork.get(vault, "openedOf", *purse) == self.opened
        assert self.fork.get(vault, "stationEarned", self.world.k1.meter_id) == self.earned
        inside = self.free + self.held + self.earned
        assert self.fork.token(vault.address) == inside
        assert self.fork.token(self.driver) == self.start - inside


def test_no_micro_of_a_purse_appears_or_is_lost(world):
    class Here(PurseMachine):
        pass

    Here.world = world
    case = Here.TestCase
    case.settings = settings(
        max_examples=40, stateful_step_count=20, deadline=None, database=None, derandomize=True
    )
    case().runTest()
