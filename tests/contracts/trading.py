"""What the tests of the TradeLedger share: an interval that is over, and runs of it."""

from settlement.chain.lanes import pack
from tests.contracts.support import INTERVAL_S, START_S, holder

INITIAL, CORRECTION = 0, 1
NOW_S = START_S + 3_600
"""When a fork begins."""
OVER = NOW_S // INTERVAL_S - 1
"""The last interval that is over then."""
ROOT = b"\x07" * 32
CENT = 10_000
CAP, BALANCE = 1_000_000, 5_000_000
"""What every member joined with."""
WEEK_S = 7 * 86_400
KEPT = 2 * WEEK_S // INTERVAL_S
"""Runs that stay provable."""
BALANCE_MAX, CAP_MAX = 2**44 - 1, (2**19 - 1) * CENT


def lanes(world, source, deltas):
    """Return deltas by the account's number."""
    return {source.get(world.trade, "idOf", holder(one)): micros for one, micros in deltas}


def settle(world, fork, deltas, *, sender=None, entries=None, **changes):
    """Settle the last interval that is over, as run 1, changed by ``changes``."""
    fields = {
        "run": 1,
        "interval": OVER,
        "settled_through": 0,
        "kind": INITIAL,
        "amends": 0,
        "root": ROOT,
    } | changes
    packed = pack(lanes(world, fork, deltas)) if entries is None else entries
    return fork.send(sender or world.owner, world.trade, "settle", *fields.values(), packed)


def everybody(world):
    """Return all members and the institution, by their numbers."""
    return (*world.members, world.institution)


def balances(world, source):
    """Return the balances of all members and the institution."""
    return [source.get(world.trade, "balanceOf", one.address) for one in everybody(world)]


def entry(slot, *micros):
    """Return one packed entry, written down by hand."""
    words = [one.to_bytes(5, signed=True) for one in (*micros, *(0,) * (4 - len(micros)))]
    return slot.to_bytes(3) + b"".join(words)


def pretend_joined(world, fork, number):
    """Let the contract believe that ``number`` accounts have joined."""
    place, offset, bits = 1, 4 * 48, 32
    address = holder(world.trade.address)
    word = fork.state.get_storage(address, place)
    had = fork.get(world.trade, "accounts")
    assert word >> offset & 2**bits - 1 == had, "the layout of TradeLedgerState changed"
    fork.state.set_storage(address, place, word + (number - had << offset))
