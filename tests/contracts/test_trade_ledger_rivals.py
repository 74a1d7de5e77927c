"""
What rivals' ledgers let happen does not happen here.

Each test is a fault that was reproduced or read in the code of another system for trading energy
between neighbours.
"""

import pytest

from tests.contracts.support import NOBODY
from tests.contracts.trading import (
    BALANCE,
    CAP,
    INITIAL,
    OVER,
    ROOT,
    balances,
    entry,
    everybody,
    settle,
)

STRANGERS = ["nobody", "member", "institution"]


@pytest.fixture
def stranger(world, request):
    """Somebody without a role."""
    people = {
        "nobody": NOBODY,
        "member": world.members[0].address,
        "institution": world.institution.address,
    }
    return people[request.param]


@pytest.mark.parametrize("stranger", STRANGERS, indirect=True)
class TestAStranger:
    def test_cannot_credit_itself(self, world, fork, stranger):
        """Lemlab's ``update_user_balances`` took any balance from anybody."""
        before = balances(world, fork)
        arguments = (1, OVER, OVER, INITIAL, 0, ROOT, entry(0, 10**11, -(10**11)))
        result = fork.send(stranger, world.trade, "settle", *arguments)
        assert result.error == "AccessControlUnauthorizedAccount"
        assert balances(world, fork) == before

    def test_cannot_wipe_out_anybody(self, world, fork, stranger):
        """Lemlab's ``clear_permanent_data`` left no user."""
        functions = {one["name"]: one for one in world.trade.abi if one["type"] == "function"}
        without_arguments = [
            name
            for name, one in functions.items()
            if not one["inputs"] and one["stateMutability"] not in {"view", "pure"}
        ]
        before = [fork.get(world.trade, "capOf", one.address) for one in everybody(world)]
        for name in without_arguments:
            assert fork.send(stranger, world.trade, name).error is not None, name
        assert fork.get(world.trade, "accounts") == 7
        assert balances(world, fork) == [BALANCE] * 6 + [0]
        assert before == [fork.get(world.trade, "capOf", one.address) for one in everybody(world)]

    def test_cannot_take_a_role(self, world, fork, stranger):
        for name in ("SETTLER_ROLE", "GUARDIAN_ROLE", "DEFAULT_ADMIN_ROLE"):
            role = fork.get(world.trade, name)
            given = (bytes.fromhex(role[2:]), stranger)
            result = fork.send(stranger, world.trade, "grantRole", *given)
            assert result.error == "AccessControlUnauthorizedAccount"


class TestABuyer:
    def test_never_falls_below_nothing(self, world, fork):
        """D3A let a buyer without tokens trade, down to -480."""
        seller, buyer = world.members[:2]
        for run in range(1, 6):
            deltas = [(seller, CAP), (buyer, -CAP)]
            assert settle(world, fork, deltas, run=run, interval=OVER - run).error is None
        assert balances(world, fork)[1] == 0
        result = settle(world, fork, [(seller, 1), (buyer, -1)], run=6, interval=OVER - 6)
        assert result.error == "TradeLedger_Underfunded"
        assert balances(world, fork)[1] == 0

    def test_is_not_debited_beyond_what_it_signed(self, world, fork):
        """IBM's sample let the seller set the value that the buyer pays."""
        seller, buyer = world.members[:2]
        result = settle(world, fork, [(seller, CAP + 1), (buyer, -CAP - 1)])
        assert result.error == "TradeLedger_AboveCap"

    def test_pays_what_others_get_to_the_micro(self, world, fork):
        """GSY's buyers paid a grid fee that nobody received."""
        seller, buyer = world.members[:2]
        short = settle(world, fork, [(seller, 1_500_000 // 2), (buyer, -2_220_000 // 3)])
        assert short.error == "TradeLedger_NotZeroSum"
        assert sum(balances(world, fork)) == fork.token(world.trade.address)

    def test_pays_no_negative_amount_to_be_paid(self, world, fork):
        """A negative trade credited the buyer and debited the seller in IBM's sample."""
        seller, buyer = world.members[:2]
        result = settle(world, fork, [(seller, -CAP - 1), (buyer, CAP + 1)])
        assert result.error == "TradeLedger_AboveCap"


class TestTheSettler:
    def test_cannot_settle_ahead_of_time(self, world, fork):
        """D3A's check of the market interval was commented out."""
        for ahead in (1, 2, 1_000):
            result = settle(world, fork, [], interval=OVER + ahead)
            assert result.error == "TradeLedger_IntervalNotOver"

    def test_can_settle_one_member_alone_or_a_single_pair(self, world, fork):
        """Origin's ``batchIssue`` ran one past the end: a batch of one reverted."""
        seller, buyer = world.members[0], world.members[4]
        assert settle(world, fork, [(seller, 1), (buyer, -1)]).error is None
        assert settle(world, fork, [], run=2, interval=OVER - 1).error is None

    def test_cannot_name_an_account_twice_in_a_run(self, world, fork):
        """Two equal bids were taken for one by Lemlab, and a debit could be split to pass a cap."""
        twice = entry(0, CAP, -CAP) + entry(0, CAP, -CAP)
        assert settle(world, fork, [], entries=twice).error == "TradeLedger_Unsorted"

    def test_cannot_make_money_for_itself(self, world, fork):
        result = settle(world, fork, [], entries=entry(0, 1))
        assert result.error == "TradeLedger_NotZeroSum"
        assert result.arguments == {"sum": 1}
