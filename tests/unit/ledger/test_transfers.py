"""A transfer that cannot be right is refused whatever the balances, the first fault named."""

import dataclasses

import pytest

from ledger import accounts
from ledger.accounts import UnknownAccountError
from ledger.transfers import AMOUNT_MAX, BadTransferError, Kind, Transfer, check_shape

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


def refuse(match, **changes):
    with pytest.raises(BadTransferError, match=match) as caught:
        check_shape(dataclasses.replace(MOVE, **changes))
    assert caught.value.code == "bad_transfer"


class TestCheckShape:
    @pytest.mark.parametrize("kind", [Kind.POSTED, Kind.PENDING])
    @pytest.mark.parametrize("amount", [1, AMOUNT_MAX])
    def test_takes_any_amount_that_a_database_can_hold(self, kind, amount):
        check_shape(dataclasses.replace(MOVE, kind=kind, amount=amount))

    @pytest.mark.parametrize("kind", [Kind.POSTED, Kind.PENDING, Kind.POST])
    @pytest.mark.parametrize("amount", [0, -1, AMOUNT_MAX + 1])
    def test_refuses_amounts_of_nothing_below_nothing_or_too_large(self, kind, amount):
        hold = "hold" if kind is Kind.POST else None
        refuse(f"amount {amount} of a {kind}", kind=kind, amount=amount, pending_id=hold)

    def test_the_largest_amount_is_that_of_a_signed_column(self):
        assert AMOUNT_MAX == 9_223_372_036_854_775_807

    def test_a_void_moves_nothing(self):
        check_shape(dataclasses.replace(MOVE, kind=Kind.VOID, amount=0, pending_id="hold"))
        for amount in (1, -1):
            refuse("of a void", kind=Kind.VOID, amount=amount, pending_id="hold")

    @pytest.mark.parametrize(
        ("kind", "amount", "hold"),
        [
            (Kind.POSTED, 1, "hold"),
            (Kind.PENDING, 1, "hold"),
            (Kind.POST, 1, None),
            (Kind.VOID, 0, None),
        ],
    )
    def test_only_a_post_or_void_names_a_hold(self, kind, amount, hold):
        refuse("names its hold", kind=kind, amount=amount, pending_id=hold)

    @pytest.mark.parametrize("name", ["", "x" * 161, "é"])
    def test_refuses_an_id_that_no_table_holds(self, name):
        refuse("empty, long or not ASCII", id=name)

    def test_takes_an_id_of_160_characters(self):
        check_shape(dataclasses.replace(MOVE, id="x" * 160))

    def test_refuses_a_movement_to_itself_and_between_ledgers(self):
        refuse("one account", credit=ANNA)
        refuse("two ledgers", credit=accounts.grid())

    @pytest.mark.parametrize("side", ["debit", "credit"])
    def test_refuses_an_account_that_does_not_exist(self, side):
        with pytest.raises(UnknownAccountError):
            check_shape(dataclasses.replace(MOVE, **{side: "eur/nobody"}))

    def test_names_the_first_of_several_faults(self):
        wrong = {"id": "", "credit": ANNA, "amount": 0, "pending_id": "hold"}
        refuse("the id is", **wrong)
        refuse("one account", **(wrong | {"id": "a"}))
        refuse("two ledgers", **(wrong | {"id": "a", "credit": accounts.grid()}))
        refuse("amount 0", **(wrong | {"id": "a", "credit": BEN}))
        refuse("names its hold", **(wrong | {"id": "a", "credit": BEN, "amount": 1}))
