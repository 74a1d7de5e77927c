"""Paying out: expiry by anybody, credit where the token refuses, and withdrawals.

No token of the product ever refuses a driver, so the refusals come from a token of a few opcodes.
"""

from dataclasses import dataclass

import pytest

from contracts.typed_data import keccak
from settlement.chain.calls import Contract, creation
from settlement.charging.terms import contract_tuple, session_id
from tests.contracts.support import (
    NOBODY,
    NOBODY_WALLET,
    START_S,
    payload_of,
    sign_payload,
)
from tests.unit.devnet.support import init_code

CLOSED, EXPIRED = 2, 3


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
        world.send(NOBODY_WALLET, world.vault, "open", *world.open_arguments(terms))
        world.clock.set(now_s + 60)
        before = [
            world.get(world.token, "balanceOf", a) for a in (terms.driver, world.vault.address)
        ]
        result = world.send(NOBODY_WALLET, world.vault, "expire", contract_tuple(terms))
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
        held, _, _, state = world.get(world.vault, "sessionOf", session_id(terms))
        assert (held, state) == (0, EXPIRED)

    def test_waits_for_the_deadline_to_the_second(self, world, opened):
        fork, terms = opened
        fork.move_to(terms.deadline_s - 1)
        early = fork.send(NOBODY, world.vault, "expire", contract_tuple(terms))
        assert early.error == "ChargeVault_DeadlineNotPassed"
        assert early.arguments == {"deadline": terms.deadline_s, "time": terms.deadline_s - 1}
        fork.move_to(terms.deadline_s).ok(NOBODY, world.vault, "expire", contract_tuple(terms))

    def test_may_be_called_by_anybody_years_later(self, world, opened):
        for sender in (NOBODY, world.drivers[1], world.operator):
            fork, terms = world.fork(START_S + 60), opened[1]
            fork.open(terms)
            fork.move_to(terms.deadline_s + 10 * 365 * 86_400)
            before = fork.token(terms.driver)
            fork.ok(sender, world.vault, "expire", contract_tuple(terms))
            assert fork.token(terms.driver) == before + 20_000_000

    def test_happens_once(self, world, opened):
        fork, terms = opened
        fork.move_to(terms.deadline_s)
        fork.ok(NOBODY, world.vault, "expire", contract_tuple(terms))
        again = fork.send(NOBODY, world.vault, "expire", contract_tuple(terms))
        assert again.error == "ChargeVault_NotOpen"
        assert fork.close(terms, payload_of(tag=terms.id_tag)).error == "ChargeVault_NotOpen"
        assert fork.open(terms).error == "ChargeVault_AlreadyOpened"

    def test_does_not_follow_a_close(self, world, opened):
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag))
        fork.move_to(terms.deadline_s)
        late = fork.send(NOBODY, world.vault, "expire", contract_tuple(terms))
        assert late.error == "ChargeVault_NotOpen"
        assert fork.get(world.vault, "sessionOf", session_id(terms))[3] == CLOSED

    def test_needs_no_meter_that_still_counts(self, world, opened):
        fork, terms = opened
        fork.ok(world.owner, world.registry, "revoke", world.k1.meter_id)
        fork.move_to(terms.deadline_s)
        fork.ok(NOBODY, world.vault, "expire", contract_tuple(terms))

    def test_earns_the_operator_nothing(self, world, opened):
        fork, terms = opened
        fork.move_to(terms.deadline_s).ok(NOBODY, world.vault, "expire", contract_tuple(terms))
        assert fork.get(world.vault, "earnedOf", terms.operator) == 0
        assert fork.token(world.vault.address) == 0


class TestEarnings:
    def test_are_paid_to_the_operator_who_asks(self, world, opened):
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag))
        held = 2_654_350
        assert fork.get(world.vault, "earnedOf", terms.operator) == held
        paid = fork.ok(world.operator, world.vault, "withdrawEarned", 1_000_000)
        assert paid.event("EarningsWithdrawn") == {
            "operator": terms.operator,
            "amountMicros": 1_000_000,
        }
        assert fork.token(world.operator) == 1_000_000
        assert fork.get(world.vault, "earnedOf", terms.operator) == held - 1_000_000
        fork.ok(world.operator, world.vault, "withdrawEarned", held - 1_000_000)
        assert fork.token(world.operator) == held
        assert fork.token(world.vault.address) == 0

    def test_are_never_more_than_was_earned(self, world, opened):
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag))
        more = fork.send(world.operator, world.vault, "withdrawEarned", 2_654_351)
        assert more.error == "ChargeVault_Insufficient"
        assert more.arguments == {
            "account": terms.operator,
            "held": 2_654_350,
            "wanted": 2_654_351,
        }

    def test_of_one_operator_are_not_anothers(self, world, opened):
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag))
        for stranger in (NOBODY, world.drivers[0], world.owner):
            for function in ("withdrawEarned", "withdraw"):
                result = fork.send(stranger, world.vault, function, 1)
                assert result.error == "ChargeVault_Insufficient"

    def test_are_no_credit_that_a_driver_withdraws(self, world, opened):
        fork, terms = opened
        fork.close(terms, payload_of(tag=terms.id_tag))
        result = fork.send(world.operator, world.vault, "withdraw", 1)
        assert result.error == "ChargeVault_Insufficient"
        assert result.arguments["held"] == 0


# A token of two tables: balances by holder, and what it does to a holder, by the complement of the
# address. 0 pays, 1 reverts, 2 answers false, 3 answers nothing, 4 calls the vault back first.
CAPRICIOUS = """
    PUSH0 CALLDATALOAD PUSH1 e0 SHR
    DUP1 PUSH4 a9059cbb EQ PUSH1 :transfer JUMPI
    DUP1 PUSH4 70a08231 EQ PUSH1 :balance JUMPI
    DUP1 PUSH4 {treat} EQ PUSH1 :treat JUMPI
    STOP
  :balance
    PUSH1 04 CALLDATALOAD SLOAD PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
  :treat
    PUSH1 24 CALLDATALOAD PUSH1 04 CALLDATALOAD NOT SSTORE STOP
  :transfer
    PUSH1 04 CALLDATALOAD NOT SLOAD
    DUP1 PUSH1 01 EQ PUSH1 :refuse JUMPI
    DUP1 PUSH1 02 EQ PUSH1 :deny JUMPI
    DUP1 PUSH1 04 EQ PUSH1 :reenter JUMPI
  :pay
    PUSH1 24 CALLDATALOAD PUSH1 04 CALLDATALOAD SLOAD ADD PUSH1 04 CALLDATALOAD SSTORE
    PUSH1 03 EQ PUSH1 :silent JUMPI
    PUSH1 01 PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
  :silent
    STOP
  :refuse
    PUSH0 PUSH0 REVERT
  :deny
    PUSH0 PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
  :reenter
    PUSH4 {again} PUSH0 MSTORE
    PUSH0 PUSH0 PUSH1 24 PUSH1 1c PUSH0 CALLER GAS CALL
    PUSH1 :pay JUMPI
    RETURNDATASIZE PUSH0 PUSH0 RETURNDATACOPY RETURNDATASIZE PUSH0 REVERT
"""
OPCODES = {
    "STOP": 0x00, "ADD": 0x01, "EQ": 0x14, "NOT": 0x19, "SHR": 0x1C, "CALLER": 0x33,
    "CALLDATALOAD": 0x35, "RETURNDATASIZE": 0x3D, "RETURNDATACOPY": 0x3E, "MSTORE": 0x52,
    "SLOAD": 0x54, "SSTORE": 0x55, "JUMPI": 0x57, "GAS": 0x5A, "PUSH0": 0x5F, "PUSH1": 0x60,
    "PUSH4": 0x63, "DUP1": 0x80, "CALL": 0xF1, "RETURN": 0xF3, "REVERT": 0xFD,
}  # fmt: skip
JUMPDEST = 0x5B
PAYS, REVERTS, DENIES, SILENT, REENTERS = range(5)
TREAT = keccak(b"treat(address,uint256)")[:4]


def assemble(text: str) -> bytes:
    """Return the bytes of a program; a line ``:name`` is a place to jump to."""
    words, places, code = text.split(), {}, bytearray()
    pushed = False
    for word in words:
        if pushed:
            code += bytes(1) if word.startswith(":") else bytes.fromhex(word)
        elif word.startswith(":"):
            places[word] = len(code)
            code.append(JUMPDEST)
        else:
            code.append(OPCODES[word])
        pushed = not pushed and word in {"PUSH1", "PUSH4"}
    at = 0
    for before, word in zip(["", *words], words, strict=False):
        if before in {"PUSH1", "PUSH4"}:
            if word in places:
                code[at] = places[word]
            at += 1 if before == "PUSH1" else 4
        else:
            at += 1
    return bytes(code)


@dataclass(frozen=True)
class Hostile:
    """A vault whose token treats drivers as it likes."""

    token: bytes
    vault: Contract

    def treat(self, fork, who: str, how: int) -> None:
        data = TREAT + bytes.fromhex(who[2:]).rjust(32, b"\0") + how.to_bytes(32)
        result = fork.send_raw(NOBODY, Contract.at("EnergyEuro", "0x" + self.token.hex()), data)
        assert result.error is None

    def balance(self, fork, who: str) -> int:
        token = Contract.at("EnergyEuro", "0x" + self.token.hex())
        return int.from_bytes(fork.ok(NOBODY, token, "balanceOf", who).output)

    def close(self, fork, terms):
        payload = payload_of(tag=terms.id_tag)
        signature = sign_payload(fork.world.meter_of(terms), payload)
        arguments = (contract_tuple(terms), payload, signature)
        return fork.send(NOBODY, self.vault, "closeWithOcmf", *arguments)


@pytest.fixture(scope="module")
def capricious(world):
    """The hostile token and a vault on it, mined."""
    again = keccak(b"withdrawEarned(uint64)")[:4].hex()
    runtime = assemble(CAPRICIOUS.format(treat=TREAT.hex(), again=again))
    token = world.mine(world.owner, None, init_code(runtime)).contract_address
    code = creation("ChargeVault", "0x" + token.hex(), world.registry.address)
    vault = world.mine(world.owner, None, code).contract_address
    return Hostile(token, Contract.at("ChargeVault", "0x" + vault.hex()))


@pytest.fixture
def refused(world, capricious):
    """A fork of the head with a session on the hostile token, opened an hour ago."""
    terms = world.terms("hostile")
    fork = world.fork(world.node.head.header.timestamp + 60, base=world.node.head.header)
    signature = (0, 2**40, 27, bytes(32), bytes(32))
    fork.ok(NOBODY, capricious.vault, "open", contract_tuple(terms), *signature)
    return fork.move_to(fork.now_s + 3_600), terms


class TestRefundThatTheTokenWillNotDeliver:
    CHARGE, REFUND = 2_654_350, 17_345_650

    def closed(self, capricious, refused, how):
        fork, terms = refused
        capricious.treat(fork, terms.driver, how)
        result = capricious.close(fork, terms)
        assert result.error is None
        state = fork.get(capricious.vault, "sessionOf", session_id(terms))
        assert (state[0], state[3]) == (0, CLOSED)
        assert fork.get(capricious.vault, "earnedOf", terms.operator) == self.CHARGE
        return fork.get(capricious.vault, "freeOf", terms.driver)

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
        still = fork.send(driver, vault, "withdraw", self.REFUND)
        assert still.error is not None
        assert fork.get(vault, "freeOf", driver) == self.REFUND
        capricious.treat(fork, driver, PAYS)
        fork.ok(driver, vault, "withdraw", 345_650)
        assert fork.get(vault, "freeOf", driver) == 17_000_000
        more = fork.send(driver, vault, "withdraw", 17_000_001)
        assert more.error == "ChargeVault_Insufficient"
        assert more.arguments == {"account": driver, "held": 17_000_000, "wanted": 17_000_001}
        fork.ok(driver, vault, "withdraw", 17_000_000)
        assert fork.get(vault, "freeOf", driver) == 0
        assert capricious.balance(fork, driver) == self.REFUND

    def test_is_nobody_elses_credit(self, world, capricious, refused):
        fork, _ = refused
        self.closed(capricious, refused, REVERTS)
        for stranger in (NOBODY, world.operator, world.drivers[1]):
            result = fork.send(stranger, capricious.vault, "withdraw", 1)
            assert result.error == "ChargeVault_Insufficient"

    def test_after_the_deadline_becomes_credit_too(self, capricious, refused):
        fork, terms = refused
        capricious.treat(fork, terms.driver, DENIES)
        fork.move_to(terms.deadline_s)
        fork.ok(NOBODY, capricious.vault, "expire", contract_tuple(terms))
        assert fork.get(capricious.vault, "freeOf", terms.driver) == terms.deposit_micros

    def test_of_two_sessions_adds_up(self, world, capricious, refused):
        fork, terms = refused
        second = world.terms("hostile2")
        signature = (0, 2**40, 27, bytes(32), bytes(32))
        fork.ok(NOBODY, capricious.vault, "open", contract_tuple(second), *signature)
        capricious.treat(fork, terms.driver, REVERTS)
        fork.move_to(terms.deadline_s)
        for one in (terms, second):
            fork.ok(NOBODY, capricious.vault, "expire", contract_tuple(one))
        assert fork.get(capricious.vault, "freeOf", terms.driver) == 40_000_000


class TestReentrance:
    def test_by_the_token_during_a_withdrawal_is_refused(self, capricious, refused):
        fork, terms = refused
        capricious.close(fork, terms)
        capricious.treat(fork, terms.operator, REENTERS)
        result = fork.send(terms.operator, capricious.vault, "withdrawEarned", 1)
        assert result.error == "ReentrancyGuardReentrantCall"

    def test_refused_leaves_the_credit_where_it_was(self, capricious, refused):
        fork, terms = refused
        capricious.close(fork, terms)
        held = fork.get(capricious.vault, "earnedOf", terms.operator)
        capricious.treat(fork, terms.operator, REENTERS)
        fork.send(terms.operator, capricious.vault, "withdrawEarned", 1)
        assert fork.get(capricious.vault, "earnedOf", terms.operator) == held
