"""The settler's bond, and the guardian's pause: neither keeps a member from its money."""

import pytest

from contracts.typed_data import keccak
from settlement.chain.calls import Contract, creation
from tests.contracts.hostile import deploy
from tests.contracts.support import FUNDS, NOBODY, NOBODY_WALLET
from tests.contracts.trading import CAP, CENT, NOW_S, OVER, WEEK_S, balances, settle

BOND = 50_000_000


def ready(world, fork, who, amount=BOND):
    """Let ``who`` have money and let the contract take it."""
    fork.ok(world.owner, world.token, "mint", who, amount)
    spender = bytes.fromhex(world.trade.address[2:])
    fork.ok(who, world.token, "approve", spender, amount)


def posted(world, amount=BOND):
    """Return a fork in which the settler has posted a bond."""
    fork = world.fork(NOW_S)
    ready(world, fork, world.owner.address, amount)
    result = fork.ok(world.owner, world.trade, "postBond", amount)
    assert result.event("BondPosted") == {
        "owner": world.owner.address_hex,
        "amountMicros": amount,
    }
    return fork


class TestBond:
    def test_is_held_beside_the_balances(self, world):
        fork = posted(world)
        assert fork.get(world.trade, "bondOf", world.owner.address) == BOND
        assert fork.get(world.trade, "bondOf", NOBODY) == 0
        assert fork.token(world.trade.address) == sum(balances(world, fork)) + BOND

    def test_grows(self, world):
        fork = posted(world)
        ready(world, fork, world.owner.address, 7)
        fork.ok(world.owner, world.trade, "postBond", 7)
        assert fork.get(world.trade, "bondOf", world.owner.address) == BOND + 7

    def test_of_nothing_is_refused(self, world, fork):
        assert fork.send(world.owner, world.trade, "postBond", 0).error == "TradeLedger_EmptyBond"

    def test_needs_the_money(self, world, fork):
        result = fork.send(world.owner, world.trade, "postBond", 1)
        assert result.error == "ERC20InsufficientAllowance"
        assert fork.get(world.trade, "bondOf", world.owner.address) == 0

    def test_beyond_all_measure_is_refused(self, world, fork):
        ready(world, fork, world.owner.address, 2**48)
        result = fork.send(world.owner, world.trade, "postBond", 2**48)
        assert result.error == "SafeCastOverflowedUintDowncast"
        fork.ok(world.owner, world.trade, "postBond", 2**48 - 1)

    def test_is_a_settlers_alone_and_one_settlers(self, world):
        fork = posted(world)
        stranger = fork.send(NOBODY, world.trade, "postBond", 1)
        assert stranger.error == "AccessControlUnauthorizedAccount"
        fork.ok(world.owner, world.trade, "grantRole", keccak(b"SETTLER_ROLE"), NOBODY)
        second = fork.send(NOBODY, world.trade, "postBond", 1)
        assert second.error == "TradeLedger_NotYourBond"
        assert second.arguments == {
            "caller": "0x" + NOBODY.hex(),
            "owner": world.owner.address_hex,
        }

    def test_covers_the_last_run_for_as_long_as_it_is_provable(self, world):
        fork = posted(world)
        settle(world, fork, [])
        asked = fork.ok(world.owner, world.trade, "requestBondRelease")
        assert asked.event("BondReleaseRequested") == {
            "owner": world.owner.address_hex,
            "readyAt": NOW_S + WEEK_S,
        }
        refused = settle(world, fork, [], run=2, interval=OVER - 1)
        assert refused.error == "TradeLedger_BondLeaving"
        assert refused.arguments == {"readyAt": NOW_S + WEEK_S}
        fork.move_to(NOW_S + WEEK_S - 1)
        early = fork.send(world.owner, world.trade, "releaseBond")
        assert early.error == "TradeLedger_BondNotReady"
        assert early.arguments == {"readyAt": NOW_S + WEEK_S}
        fork.move_to(NOW_S + WEEK_S)
        paid = fork.ok(world.owner, world.trade, "releaseBond")
        assert paid.event("BondReleased") == {
            "owner": world.owner.address_hex,
            "amountMicros": BOND,
        }
        assert fork.token(world.owner) == BOND
        assert fork.token(world.trade.address) == sum(balances(world, fork))
        assert fork.get(world.trade, "bondOf", world.owner.address) == 0

    def test_is_paid_once(self, world):
        fork = posted(world)
        fork.ok(world.owner, world.trade, "requestBondRelease")
        fork.move_to(NOW_S + WEEK_S)
        fork.ok(world.owner, world.trade, "releaseBond")
        again = fork.send(world.owner, world.trade, "releaseBond")
        assert again.error == "TradeLedger_NotYourBond"

    def test_that_nobody_asked_back_is_not_paid(self, world):
        fork = posted(world).move_to(NOW_S + 9 * WEEK_S)
        result = fork.send(world.owner, world.trade, "releaseBond")
        assert (result.error, result.arguments) == ("TradeLedger_BondNotReady", {"readyAt": 0})

    def test_may_stay_after_all(self, world):
        fork = posted(world)
        fork.ok(world.owner, world.trade, "requestBondRelease")
        kept = fork.ok(world.owner, world.trade, "cancelBondRelease")
        assert kept.event("BondReleaseCancelled") == {"owner": world.owner.address_hex}
        assert settle(world, fork, []).error is None
        fork.move_to(NOW_S + WEEK_S)
        refused = fork.send(world.owner, world.trade, "releaseBond")
        assert refused.error == "TradeLedger_BondNotReady"

    @pytest.mark.parametrize("what", ["requestBondRelease", "cancelBondRelease", "releaseBond"])
    def test_is_its_owners_alone(self, world, what):
        fork = posted(world)
        fork.ok(world.owner, world.trade, "grantRole", keccak(b"SETTLER_ROLE"), NOBODY)
        for stranger in (NOBODY, world.members[0].address):
            result = fork.send(stranger, world.trade, what)
            assert result.error == "TradeLedger_NotYourBond"

    def test_comes_back_to_an_owner_who_lost_the_role(self, world):
        fork, role = posted(world), keccak(b"SETTLER_ROLE")
        fork.ok(world.owner, world.trade, "revokeRole", role, world.owner.address)
        fork.ok(world.owner, world.trade, "requestBondRelease")
        fork.move_to(NOW_S + WEEK_S)
        fork.ok(world.owner, world.trade, "releaseBond")
        assert fork.token(world.owner) == BOND

    def test_below_the_least_lets_no_run_through(self, world):
        arguments = (world.token.address, 900, BOND, world.owner.address)
        trade = world.create("TradeLedger", *arguments)
        fork = world.fork(NOW_S, world.node.head.header)
        run = (1, OVER, OVER, 0, 0, bytes(32), b"")
        refused = fork.send(world.owner, trade, "settle", *run)
        assert refused.error == "TradeLedger_BondTooLow"
        assert refused.arguments == {"bond": 0, "minimum": BOND}
        fork.ok(world.owner, world.token, "mint", world.owner.address, BOND)
        spender = bytes.fromhex(trade.address[2:])
        fork.ok(world.owner, world.token, "approve", spender, BOND)
        fork.ok(world.owner, trade, "postBond", BOND - 1)
        again = fork.send(world.owner, trade, "settle", *run)
        assert again.arguments == {"bond": BOND - 1, "minimum": BOND}
        fork.ok(world.owner, trade, "postBond", 1)
        fork.ok(world.owner, trade, "settle", *run)


@pytest.fixture
def paused(world, fork):
    """Entries are paused; a member asked for money and a lower cap before."""
    member = world.members[0]
    fork.ok(member, world.trade, "requestExit", 1_000)
    fork.ok(member, world.trade, "setCap", CENT)
    result = fork.ok(world.owner, world.trade, "pauseEntries", True)
    assert result.event("EntriesPaused") == {"paused": True}
    assert fork.get(world.trade, "entriesPaused") is True
    return fork


class TestPause:
    def test_stops_every_entry(self, world, paused):
        newcomer, member = world.drivers[0], world.members[1]
        join = world.join_arguments(newcomer, cap=CENT, amount=5)
        entries = [
            paused.send(NOBODY_WALLET, world.trade, "join", *join),
            paused.send(world.owner, world.trade, "joinInstitution", NOBODY),
            paused.send(
                NOBODY,
                world.trade,
                "deposit",
                member.address,
                5,
                bytes(32),
                *world.authorization(member, world.trade.address, 5, bytes(32)),
            ),
            paused.send(member, world.trade, "setCap", CAP + CENT),
            settle(world, paused, []),
        ]
        assert [one.error for one in entries] == ["TradeLedger_EntriesPaused"] * 5

    def test_stops_no_exit_and_no_lower_cap(self, world, paused):
        asked, other = world.members[:2]
        paused.ok(other, world.trade, "requestExit", 1)
        paused.ok(other, world.trade, "setCap", 0)
        paused.ok(other, world.trade, "cancelExit")
        paused.move_to(NOW_S + WEEK_S)
        paused.ok(asked, world.trade, "exit")
        paused.ok(NOBODY, world.trade, "applyCap", asked.address)
        paused.ok(NOBODY, world.trade, "applyCap", other.address)
        assert paused.token(asked) == FUNDS - 5_000_000 + 1_000
        assert paused.get(world.trade, "capOf", asked.address) == CENT

    def test_lets_a_member_take_a_lower_cap_back(self, world, paused):
        paused.ok(world.members[0], world.trade, "setCap", CAP)
        assert paused.get(world.trade, "loweringOf", world.members[0].address)[1] == 0

    def test_stops_no_bond(self, world):
        fork = posted(world)
        fork.ok(world.owner, world.trade, "pauseEntries", True)
        fork.ok(world.owner, world.trade, "requestBondRelease")
        fork.move_to(NOW_S + WEEK_S)
        fork.ok(world.owner, world.trade, "releaseBond")

    def test_ends(self, world, paused):
        paused.ok(world.owner, world.trade, "pauseEntries", False)
        assert settle(world, paused, []).error is None

    def test_is_the_guardians_alone(self, world, fork):
        for stranger in (NOBODY, world.members[0].address):
            result = fork.send(stranger, world.trade, "pauseEntries", True)
            assert result.error == "AccessControlUnauthorizedAccount"
            assert result.arguments["neededRole"] == "0x" + keccak(b"GUARDIAN_ROLE").hex()
        role = keccak(b"GUARDIAN_ROLE")
        fork.ok(world.owner, world.trade, "grantRole", role, NOBODY)
        fork.ok(NOBODY, world.trade, "pauseEntries", True)


class TestTokenThatTakesAFee:
    """What the ledger does not receive it never owes."""

    def test_brings_no_member_no_deposit_and_no_bond(self, world):
        token = "0x" + deploy(world, fee=3).hex()
        code = creation("TradeLedger", token, 900, 0, world.owner.address)
        trade = Contract.at(
            "TradeLedger", "0x" + world.mine(world.owner, None, code).contract_address.hex()
        )
        fork = world.fork(base=world.node.head.header)
        signature = (0, 2**40, 27, bytes(32), bytes(32))
        member = world.members[0].address
        joining = (member, CENT, 1_000, bytes(32), *signature)
        results = [
            fork.send(NOBODY, trade, "join", *joining),
            fork.send(world.owner, trade, "postBond", 1_000),
        ]
        empty = (member, CENT, 0, bytes(32), *signature)
        refused = fork.send(NOBODY, trade, "join", *empty)
        results.append(refused)
        assert [one.error for one in results] == ["TradeLedger_TokenShort"] * 3
        assert results[0].arguments == {"received": 997, "wanted": 1_000}
