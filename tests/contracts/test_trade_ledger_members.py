"""Members' own money: joining and adding need the member's own will, and fit into a lane."""

import pytest

from devnet.field.keys import wallet_of
from tests.contracts.support import FUNDS, NOBODY, NOBODY_WALLET, SEED, membership
from tests.contracts.trading import BALANCE_MAX, CAP_MAX, CENT, everybody, pretend_joined

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
            "id": world.get(world.trade, "accounts") - 1,
            "capMicros": 250_000,
            "amountMicros": 6_000_000,
        }
        assert world.get(world.trade, "balanceOf", someone.address) == 6_000_000
        assert world.get(world.trade, "capOf", someone.address) == 250_000
        assert world.get(world.token, "balanceOf", someone.address) == 1_000_000
        assert world.get(world.token, "balanceOf", world.trade.address) == held + 6_000_000

    def test_happens_once(self, world, fork):
        again = join(world, fork, world.members[0], cap=CENT, amount=1)
        assert again.error == "TradeLedger_AlreadyJoined"
        assert again.arguments == {"account": world.members[0].address_hex}

    def test_is_not_for_an_institution(self, world, fork):
        result = join(world, fork, world.institution, cap=CENT, amount=0)
        assert result.error == "TradeLedger_AlreadyJoined"

    def test_under_another_cap_than_the_member_signed_is_refused(self, world, fork, newcomer):
        result = join(world, fork, newcomer, cap=2 * CENT, amount=9, signed_cap=CENT)
        assert result.error == "ERC3009InvalidSignature"
        assert fork.get(world.trade, "balanceOf", newcomer.address) == 0

    def test_without_the_money_is_refused(self, world, fork, newcomer):
        fork.ok(newcomer, world.token, "transfer", NOBODY, FUNDS)
        result = join(world, fork, newcomer, cap=CENT, amount=BALANCE_MAX)
        assert result.error == "ERC20InsufficientBalance"

    def test_with_no_money_at_all_is_allowed(self, world, fork, newcomer):
        assert join(world, fork, newcomer, cap=5 * CENT, amount=0).error is None
        assert fork.get(world.trade, "capOf", newcomer.address) == 5 * CENT

    @pytest.mark.parametrize("cap", [1, CENT - 1, CENT + 1, CAP_MAX - 1, 2**64 - 1])
    def test_with_a_cap_of_broken_cents_is_refused(self, world, fork, newcomer, cap):
        result = join(world, fork, newcomer, cap=cap, amount=0)
        assert result.error == "TradeLedger_CapNotWholeCents"
        assert result.arguments == {"capMicros": cap}

    @pytest.mark.parametrize("cap", [CAP_MAX + CENT, 2**63 // CENT * CENT])
    def test_with_a_cap_beyond_a_lane_is_refused(self, world, fork, newcomer, cap):
        result = join(world, fork, newcomer, cap=cap, amount=0)
        assert result.error == "TradeLedger_CapTooHigh"
        assert result.arguments == {"capMicros": cap, "highest": CAP_MAX}
        assert join(world, fork, newcomer, cap=CAP_MAX, amount=0).error is None
        assert fork.get(world.trade, "capOf", newcomer.address) == CAP_MAX

    @pytest.mark.parametrize("amount", [BALANCE_MAX + 1, 2**44 * 2 + 1, 2**64 - 1])
    def test_with_more_than_a_lane_holds_is_refused(self, world, fork, newcomer, amount):
        result = join(world, fork, newcomer, cap=0, amount=amount)
        assert result.error == "TradeLedger_BalanceOverflow"
        assert result.arguments["credit"] == amount

    def test_gives_the_next_number_each_time(self, world, fork, newcomer):
        numbers = [fork.get(world.trade, "idOf", one.address) for one in everybody(world)]
        assert numbers == list(range(7))
        assert join(world, fork, newcomer, cap=0, amount=0).event("Joined")["id"] == 7
        assert fork.get(world.trade, "accountOf", 7) == newcomer.address_hex
        assert fork.get(world.trade, "accountOf", 8) == "0x" + bytes(20).hex()
        assert fork.get(world.trade, "accounts") == 8

    def test_leaves_the_others_in_its_slot_as_they_are(self, world, fork, newcomer):
        def seen():
            return [
                fork.get(world.trade, name, one.address)
                for one in everybody(world)
                for name in ("balanceOf", "capOf")
            ]

        before = seen()
        assert join(world, fork, newcomer, cap=CAP_MAX, amount=BALANCE_MAX).error is None
        assert seen() == before

    def test_is_refused_once_every_lane_is_taken(self, world, fork, newcomer):
        pretend_joined(world, fork, 2**26 - 1)
        assert join(world, fork, newcomer, cap=0, amount=0).event("Joined")["id"] == 2**26 - 1
        result = fork.send(world.owner, world.trade, "joinInstitution", NOBODY)
        assert result.error == "TradeLedger_Full"

    def test_of_somebody_unknown_has_no_number(self, world, fork):
        result = fork.send(NOBODY, world.trade, "idOf", NOBODY)
        assert result.error == "TradeLedger_NotAMember"
        for name in ("balanceOf", "capOf", "exitOf", "exitRequestedAt"):
            assert fork.get(world.trade, name, NOBODY) == 0

    def test_authorization_cannot_be_taken_by_a_stranger(self, world, fork, newcomer):
        nonce = membership(newcomer, CENT, 9, SALT)
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
        assert joined.event("InstitutionJoined") == {"institution": "0x" + NOBODY.hex(), "id": 7}

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

    def test_never_wraps_around_what_a_lane_holds(self, world, fork, newcomer):
        assert join(world, fork, newcomer, cap=0, amount=BALANCE_MAX - 9).error is None
        above = deposit(world, fork, newcomer, 10, cap=0)
        assert above.error == "TradeLedger_BalanceOverflow"
        assert above.arguments == {
            "account": newcomer.address_hex,
            "balance": BALANCE_MAX - 9,
            "credit": 10,
        }
        assert deposit(world, fork, newcomer, 9, cap=0, salt=bytes(32)).error is None
        assert fork.get(world.trade, "balanceOf", newcomer.address) == BALANCE_MAX

    def test_sent_without_a_call_counts_for_nobody(self, world, fork, newcomer):
        before = [fork.get(world.trade, "balanceOf", one.address) for one in everybody(world)]
        fork.ok(newcomer, world.token, "transfer", bytes.fromhex(world.trade.address[2:]), 77)
        after = [fork.get(world.trade, "balanceOf", one.address) for one in everybody(world)]
        assert after == before
