"""What the tests of the store share: transfers between two members."""

from ledger import accounts
from ledger.transfers import Kind, Transfer, TransferId

ANNA = accounts.trade_balance("0x" + "aa" * 20)
BEN = accounts.trade_balance("0x" + "bb" * 20)


def move(name, debit, credit, amount, kind=Kind.POSTED, pending=None, **more):
    """Return a transfer."""
    return Transfer(
        id=TransferId(name),
        kind=kind,
        debit=debit,
        credit=credit,
        amount=amount,
        code="test",
        trace_id="trace",
        pending_id=pending,
        **more,
    )
