"""Commit to a correction: the interval as it is now, and what this run moves."""

from collections.abc import Iterable
from dataclasses import replace

from settlement.trading.settle import IntervalInputs
from settlement.trading.tree import EMPTY, Leaf, salt_of


def corrected_leaves(
    inputs: IntervalInputs, leaves: Iterable[Leaf], moved: Iterable[tuple[str, int]]
) -> tuple[Leaf, ...]:
    """
    Return a leaf for each account, by account.

    Energy, order, readings and trades are those of the whole interval as it is now; net is what
    this run moves, as the contract's deltas say. An account that no longer trades and gives
    something back has a leaf too.
    """
    net = dict(moved)
    known = {leaf.account: leaf for leaf in leaves}
    found = []
    for account in sorted({*known, *net}):
        leaf = known.get(account) or _empty(inputs, account)
        found.append(replace(leaf, net_micros=net.get(account, 0)))
    return tuple(found)


def _empty(inputs: IntervalInputs, account: str) -> Leaf:
    return Leaf(
        run=inputs.run,
        interval=inputs.interval,
        account=account,
        net_micros=0,
        wh_in=0,
        wh_out=0,
        order_hash=EMPTY,
        readings_hash=EMPTY,
        trades_root=EMPTY,
        salt=salt_of(inputs.salt_key, inputs.run, account),
    )
