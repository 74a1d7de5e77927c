"""Members' own money: joining, adding, capping and leaving need the member's own will."""

import pytest

from devnet.field.keys import wallet_of
from tests.contracts.support import (
    FAR_S,
    FUNDS,
    INTERVAL_S,
    NOBODY,
    NOBODY_WALLET,
    SEED,
    membership,
)

SALT = b"\x5a" * 32


@pytest.fixture
def newcomer(world, fork):
    """Somebody with money who is no member."""
    someone = wallet_of(SEED, "newcomer")
    fork.ok(world.owner, world.token, "mint", someone.address, FUNDS)
    return someone


def join(  # noqa: PLR0913 - the arguments of the contract
    world, fork, member, *, cap, amount, salt=SALT, signed_cap=None
):
    """Join with an authorization over ``signed_cap``, or the cap itself."""
    nonce = membership(member, cap if signed_cap is None else signed_cap, amount, salt)
    signature = world.authorization(member, world.trade.address, amount, nonce)
    return fork.send(NOBODY, world.trade, "join", member.address, cap, amount, salt, *signature)


def deposit(world, fork, member, amount, *, cap, salt=SALT):
    """Add money with an authorization over a membership of ``cap``."""
    nonce = membership(member, cap, amount, salt)
    signature = world.authorization(member, world.trade.address, amount, nonce)
    return fork.send(NOBODY, world.trade, "deposit", member.address, amount, salt, *signature)


class TestJoining:
    def test_brings_money_and_cap_with_one_signature_sent_by_a_stranger(self, world):
        someone = wallet_of(SEED, "mined-newcomer")
        world.send(world.owner, world.token, "mint", someone.address, 7_000_000)
        held = world.get(world.token, "balanceOf", world.trade.address)
        arguments = world.join_arguments(someone, cap=250_000, amount=6_000_000)
        result = world.send(NOBODY_WALLET, world.trade, "join", *arguments)
        assert result.event("Joined") == {
            "member": someone.address_hex,
            "capMicros": 250_000,
            "amountMicros": 6_000_000,
        }
        assert world.get(world.trade, "balanceOf", someone.address) == 6_000_000
        assert world.get(world.trade, "capOf", someone.address) == 250_000
        assert world.get(world.token, "balanceOf", someone.address) == 1_000_000
        assert world.get(world.token, "balanceOf", world.trade.address) == held + 6_000_000

    def test_happens_once(self, world, fork):
        again = join(world, fork, world.members[0], cap=1, amount=1)
        assert again.error == "TradeLedger_AlreadyJoined"
        assert again.arguments == {"account": world.members[0].address_hex}

    def test_is_not_for_an_institution(self, world, fork):
        result = join(world, fork, world.institution, cap=1, amount=0)
        assert result.error == "TradeLedger_AlreadyJoined"

    def test_under_another_cap_than_the_member_signed_is_refused(self, world, fork, newcomer):
        result = join(world, fork, newcomer, cap=2, amount=9, signed_cap=1)
        assert result.error == "ERC3009InvalidSignature"
        assert fork.get(world.trade, "balanceOf", newcomer.address) == 0

    def test_without_the_money_is_refused(self, world, fork, newcomer):
        result = join(world, fork, newcomer, cap=1, amount=FUNDS + 1)
        assert result.error == "ERC20InsufficientBalance"

    def test_with_no_money_at_all_is_allowed(self, world, fork, newcomer):
        assert join(world, fork, newcomer, cap=5, amount=0).error is None
        assert fork.get(world.trade, "capOf", newcomer.address) == 5

    def test_authorization_cannot_be_taken_by_a_stranger(self, world, fork, newcomer):
        nonce = membership(newcomer, 1, 9, SALT)
        after, before, *signature = world.authorization(newcomer, world.trade.address, 9, nonce)
        taken = (newcomer.address, world.trade.address, 9, after, before, nonce, *signature)
        result = fork.send(NOBODY, world.token, "receiveWithAuthorization", *taken)
        assert result.error == "ERC20InvalidReceiver"


class TestInstitution:
    def test_joins_by_the_administrator_alone(self, world, fork):
        for stranger in (NOBODY, world.members[0]):
            result = fork.send(stranger, world.trade, "joinInstitution", NOBODY)
            assert result.error == "AccessControlUnauthorizedAccount"
        joined = fork.ok(world.owner, world.trade, "joinInstitution", NOBODY)
        assert joined.event("InstitutionJoined") == {"institution": "0x" + NOBODY.hex()}

    @pytest.mark.parametrize("who", ["institution", "members"])
    def test_joins_once_and_is_no_member_already(self, world, fork, who):
        account = world.institution if who == "institution" else world.members[0]
        result = fork.send(world.owner, world.trade, "joinInstitution", account.address)
        assert result.error == "TradeLedger_AlreadyJoined"


class TestDeposit:
    def test_adds_exactly_its_amount(self, world, fork):
        member = world.members[0]
        result = deposit(world, fork, member, 123, cap=1_000_000)
        assert result.event("Deposited") == {"member": member.address_hex, "amountMicros": 123}
        assert fork.get(world.trade, "balanceOf", member.address) == 5_000_123

    def test_over_a_membership_that_has_changed_is_refused(self, world, fork):
        member = world.members[0]
        fork.ok(member, world.trade, "setCap", 2_000_000)
        stale = deposit(world, fork, member, 123, cap=1_000_000)
        assert stale.error == "ERC3009InvalidSignature"
        assert deposit(world, fork, member, 123, cap=2_000_000).error is None

    def test_counts_once(self, world, fork):
        member = world.members[0]
        deposit(world, fork, member, 123, cap=1_000_000)
        again = deposit(world, fork, member, 123, cap=1_000_000)
        assert again.error == "ERC3009UsedAuthorization"
        assert fork.get(world.trade, "balanceOf", member.address) == 5_000_123

    def test_is_not_the_money_of_joining_once_more(self, world, fork):
        member = world.members[0]
        again = deposit(world, fork, member, 5_000_000, cap=1_000_000, salt=bytes(32))
        assert again.error == "ERC3009UsedAuthorization"

    def test_of_somebody_who_is_no_member_is_refused(self, world, fork, newcomer):
        result = deposit(world, fork, newcomer, 1, cap=0)
        assert result.error == "TradeLedger_NotAMember"
        assert result.arguments == {"account": newcomer.address_hex}

    def test_never_wraps_around_what_a_balance_holds(self, world, fork, newcomer):
        fork.ok(world.owner, world.token, "mint", newcomer.address, 2**65)
        assert join(world, fork, newcomer, cap=1, amount=2**64 - 1).error is None
        result = deposit(world, fork, newcomer, 1, cap=1)
        assert result.error is not None
        assert fork.get(world.trade, "balanceOf", newcomer.address) == 2**64 - 1


class TestCap:
    def test_is_set_by_its_member(self, world, fork):
        member = world.members[1]
        result = fork.ok(member, world.trade, "setCap", 42)
        assert result.event("CapSet") == {"member": member.address_hex, "capMicros": 42}
        assert fork.get(world.trade, "capOf", member.address) == 42
        assert fork.get(world.trade, "capOf", world.members[0].address) == 1_000_000

    def test_of_somebody_who_is_no_member_is_refused(self, world, fork):
        for stranger in (NOBODY, world.owner):
            assert fork.send(stranger, world.trade, "setCap", 1).error == "TradeLedger_NotAMember"


class TestExit:
    def test_pays_what_was_asked_for_two_intervals_later(self, world, fork):
        member, asked_s = world.members[0], fork.now_s
        ready_s = asked_s + 2 * INTERVAL_S
        asked = fork.ok(member, world.trade, "requestExit", 1_250_000)
        assert asked.event("ExitRequested") == {
            "member": member.address_hex,
            "amountMicros": 1_250_000,
            "readyAt": ready_s,
        }
        assert fork.get(world.trade, "exitOf", member.address) == 1_250_000
        fork.move_to(ready_s - 1)
        early = fork.send(member, world.trade, "exit")
        assert early.error == "TradeLedger_ExitNotReady"
        assert early.arguments == {"member": member.address_hex, "readyAt": ready_s}
        before = fork.token(member)
        fork.move_to(ready_s)
        paid = fork.ok(member, world.trade, "exit")
        assert paid.event("Exited") == {"member": member.address_hex, "amountMicros": 1_250_000}
        assert fork.token(member) == before + 1_250_000
        assert fork.get(world.trade, "balanceOf", member.address) == 3_750_000
        assert fork.get(world.trade, "exitOf", member.address) == 0

    def test_that_nobody_asked_for_is_refused(self, world, fork):
        for who in (world.members[0].address, NOBODY):
            result = fork.send(who, world.trade, "exit")
            assert result.error == "TradeLedger_ExitNotReady"
            assert result.arguments["readyAt"] == 0

    def test_pays_once(self, world, fork):
        member = world.members[0]
        fork.ok(member, world.trade, "requestExit", 1)
        fork.move_to(fork.now_s + 2 * INTERVAL_S)
        fork.ok(member, world.trade, "exit")
        assert fork.send(member, world.trade, "exit").error == "TradeLedger_ExitNotReady"

    @pytest.mark.parametrize("amount", [0, 5_000_001])
    def test_of_nothing_or_of_more_than_is_there_is_refused(self, world, fork, amount):
        member = world.members[0]
        result = fork.send(member, world.trade, "requestExit", amount)
        assert result.error == "TradeLedger_BadExit"
        assert result.arguments == {"member": member.address_hex, "amountMicros": amount}

    def test_is_asked_for_once_at_a_time(self, world, fork):
        member = world.members[0]
        fork.ok(member, world.trade, "requestExit", 1)
        assert fork.send(member, world.trade, "requestExit", 1).error == "TradeLedger_BadExit"
        fork.move_to(fork.now_s + 2 * INTERVAL_S)
        fork.ok(member, world.trade, "exit")
        fork.ok(member, world.trade, "requestExit", 1)

    def test_is_for_members_alone(self, world, fork):
        assert fork.send(NOBODY, world.trade, "requestExit", 1).error == "TradeLedger_NotAMember"

    def test_pays_no_more_than_settled_intervals_have_left(self, world, fork):
        member, other = world.members[0], world.members[1]
        fork.ok(member, world.trade, "requestExit", 5_000_000)
        deltas = [(member.address, -600_000), (other.address, 600_000)]
        over = fork.now_s // INTERVAL_S - 1
        fork.ok(world.owner, world.trade, "settle", 1, over, 0, 0, SALT, deltas)
        before = fork.token(member)
        fork.move_to(fork.now_s + 2 * INTERVAL_S)
        paid = fork.ok(member, world.trade, "exit")
        assert paid.event("Exited")["amountMicros"] == 4_400_000
        assert fork.token(member) == before + 4_400_000
        assert fork.get(world.trade, "balanceOf", member.address) == 0

    def test_of_everything_leaves_the_others_money_in_the_contract(self, world, fork):
        for member in world.members:
            fork.ok(member, world.trade, "requestExit", 5_000_000)
        fork.move_to(FAR_S)
        for number, member in enumerate(world.members, start=1):
            fork.ok(member, world.trade, "exit")
            left = (len(world.members) - number) * 5_000_000
            assert fork.token(world.trade.address) == left
