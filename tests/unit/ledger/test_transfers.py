"""A transfer that cannot be right is refused whatever the balances, the first fault named."""

import dataclasses

import pytest

from ledger import accounts
from ledger.accounts import UnknownAccountError
from ledger.errors import InvalidRequest
from ledger.transfers import AMOUNT_MAX, Kind, Transfer, check_shape, is_plain

ANNA, BEN = accounts.trade_balance("0x" + "aa" * 20), accounts.trade_balance("0x" + "bb" * 20)
MOVE = Transfer(
    id="move",
    kind=Kind.POSTED,
    debit=ANNA,
    credit=BEN,
    amount=1,
    code="energy",
    trace_id="voisin/1/1",
)


def refused(**changes):
    with pytest.raises(InvalidRequest) as caught:
        check_shape(dataclasses.replace(MOVE, **changes))
    return caught.value.code


class TestCheckShape:
    @pytest.mark.parametrize("kind", [Kind.POSTED, Kind.PENDING])
    @pytest.mark.parametrize("amount", [1, AMOUNT_MAX])
    def test_takes_any_amount_that_a_database_can_hold(self, kind, amount):
        check_shape(dataclasses.replace(MOVE, kind=kind, amount=amount))

    @pytest.mark.parametrize("kind", [Kind.POSTED, Kind.PENDING, Kind.POST])
    @pytest.mark.parametrize("amount", [0, -1, AMOUNT_MAX + 1])
    def test_refuses_amounts_of_nothing_below_nothing_or_too_large(self, kind, amount):
        hold = "hold" if kind is Kind.POST else None
        code = "amount_too_large" if amount > 0 else "amount_not_positive"
        assert refused(kind=kind, amount=amount, pending_id=hold) == code

    def test_the_largest_amount_is_that_of_a_signed_column(self):
        assert AMOUNT_MAX == 9_223_372_036_854_775_807

    @pytest.mark.parametrize("kind", [Kind.VOID, Kind.EXPIRE])
    def test_what_releases_moves_nothing(self, kind):
        check_shape(dataclasses.replace(MOVE, kind=kind, amount=0, pending_id="hold"))
        for amount in (1, -1):
            assert refused(kind=kind, amount=amount, pending_id="hold") == "amount_not_zero"

    @pytest.mark.parametrize(
        ("kind", "amount", "hold"),
        [
            (Kind.POSTED, 1, "hold"),
            (Kind.PENDING, 1, "hold"),
            (Kind.POST, 1, None),
            (Kind.VOID, 0, None),
            (Kind.EXPIRE, 0, None),
        ],
    )
    def test_what_ends_a_hold_and_nothing_else_names_one(self, kind, amount, hold):
        assert refused(kind=kind, amount=amount, pending_id=hold) == "hold_named_wrongly"

    def test_a_pending_transfer_alone_expires(self):
        check_shape(dataclasses.replace(MOVE, kind=Kind.PENDING, expires_s=1))
        assert refused(expires_s=1) == "hold_named_wrongly"

    @pytest.mark.parametrize("field", ["id", "code", "trace_id"])
    @pytest.mark.parametrize("text", ["", "x" * 161, "é", "two\nlines", "\x7f", "\0"])
    def test_refuses_text_that_is_no_line_of_the_journal(self, field, text):
        assert not is_plain(text)
        assert refused(**{field: text}) == "bad_transfer_text"

    def test_takes_an_id_of_160_characters(self):
        check_shape(dataclasses.replace(MOVE, id="x" * 160))

    @pytest.mark.parametrize("side", ["debit", "credit"])
    def test_refuses_an_account_that_does_not_exist(self, side):
        with pytest.raises(UnknownAccountError):
            check_shape(dataclasses.replace(MOVE, **{side: "eur/nobody"}))

    def test_names_the_first_of_several_faults(self):
        """The same transfer, mended fault by fault, is refused for the next reason each time."""
        wrong = {"id": "", "debit": "eur/nobody", "credit": ANNA, "amount": 0, "pending_id": "h"}
        for code, change in (
            ("bad_transfer_text", {"id": "a"}),
            ("unknown_account", {"debit": ANNA}),
            ("same_account", {"credit": accounts.grid()}),
            ("ledgers_differ", {"credit": BEN}),
            ("amount_not_positive", {"amount": 1}),
            ("hold_named_wrongly", {"pending_id": None}),
        ):
            assert refused(**wrong) == code
            wrong |= change
        check_shape(dataclasses.replace(MOVE, **wrong))
