"""Defects of other markets' orders, each from the signature to the lines of ours."""

import dataclasses

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.typed_data import Domain, digest, sign
from settlement.trading.lines import Kind, Rail
from settlement.trading.orders.admission import OrderBeyondCapError, Purse, check_cap
from settlement.trading.orders.delegation import Delegation, verify_delegation
from settlement.trading.orders.signed import NOBODY, IntervalOrder, standing, verify_order
from settlement.trading.orders.signing import (
    BadOrderError,
    DelegationNotSignedError,
    OrderNotSignedError,
)
from settlement.trading.settle import settle
from tests.unit.settlement.test_settle import FEES, TOLL, inputs, member

DOMAIN = Domain("Voisin", "1", 31_337, "0x" + "c0" * 20)
SELLER_KEY, BUYER_KEY = (1).to_bytes(32), (2).to_bytes(32)
SELLER, BUYER = (Account.from_key(key).address.lower() for key in (SELLER_KEY, BUYER_KEY))
BESIDE = FEES.levy + TOLL
"""What a buyer pays beside the energy, per kWh, before VAT."""


def order(account, side, energy_wh, limit, *, firm=True):
    return IntervalOrder(
        account, side, int(firm), 415_063, 415_063, energy_wh, limit, NOBODY, False, 2**40, 0, 1
    )


def signature_of(given_order, key):
    fields = {
        "member": given_order.member,
        "side": given_order.side,
        "quantity": given_order.quantity,
        "firstInterval": given_order.first_interval,
        "lastInterval": given_order.last_interval,
        "energyWh": given_order.energy_wh,
        "limit": given_order.limit,
        "partner": given_order.partner,
        "solarOnly": given_order.solar_only,
        "expiresAt": given_order.expires_at_s,
        "replaces": given_order.replaces,
        "nonce": given_order.nonce,
    }
    return sign(digest(DOMAIN, "Order", fields), key)


def taken(given_order, key):
    """Return an order as it is settled, after its signature was checked."""
    verify_order(DOMAIN, given_order, signature_of(given_order, key), ())
    return standing(given_order)


def one(account, *orders, spendable=10**9, **metered):
    """A member that its mandate alone lets neither sell nor buy."""
    made = member(1, sell=10**6, buy=-(10**6), spendable=spendable, **metered)
    return dataclasses.replace(made, account=account, orders=orders)


def met(sale_limit, purchase_limit, energy_wh=1_000, spendable=10**9):
    """Settle a firm sale and a firm purchase, each signed by whose it is."""
    sale = taken(order(SELLER, 0, energy_wh, sale_limit), SELLER_KEY)
    purchase = taken(order(BUYER, 1, energy_wh, purchase_limit), BUYER_KEY)
    seller = one(SELLER, sale, exported=energy_wh, spendable=spendable)
    buyer = one(BUYER, purchase, imported=energy_wh, spendable=spendable)
    return settle(inputs(seller, buyer))


class TestDefect8ABuyerWithoutMoneyTraded:
    # D3A's buyer without tokens traded; its balance was -480, and nothing bounded it.
    def test_here_a_firm_order_beyond_the_cap_is_not_taken(self):
        with pytest.raises(OrderBeyondCapError):
            check_cap(order(BUYER, 1, 1_000, 480), Purse(0, FEES.vat_bp, 0, 0))

    def test_here_who_has_nothing_buys_nothing(self):
        outcome = met(10_000, 200_000, spendable=0)
        assert outcome.trades == ()
        assert outcome.deltas == ()

    @given(
        st.lists(
            st.tuples(st.integers(1, 9_000), st.integers(BESIDE, BESIDE + 90_000)),
            min_size=1,
            max_size=4,
        ),
        st.integers(0, 2 * 10**6),
    )
    @settings(max_examples=60, deadline=None)
    def test_here_nobody_spends_beyond_its_funds_whatever_it_ordered(self, wanted, spendable):
        purchases = [
            standing(
                dataclasses.replace(order(BUYER, 1, energy_wh, limit, firm=not at), nonce=at + 1)
            )
            for at, (energy_wh, limit) in enumerate(wanted)
        ]
        # A seller that asks for all that the buyer's least limit leaves.
        least = min(limit for _, limit in wanted) - BESIDE
        sale = taken(order(SELLER, 0, 50_000, least), SELLER_KEY)
        buyer = one(BUYER, *purchases, imported=20_000, spendable=spendable)
        outcome = settle(inputs(one(SELLER, sale), buyer))
        assert -dict(outcome.deltas).get(BUYER, 0) <= spendable


class TestDefect9TheSellerSetWhatTheBuyerPaid:
    # IBM's sample let the selling party debit the buyer's coins, at any rate, negative ones too.
    def test_here_the_seller_cannot_sign_for_the_buyer(self):
        wanted = order(BUYER, 1, 1_000, 400_000)
        with pytest.raises(OrderNotSignedError):
            verify_order(DOMAIN, wanted, signature_of(wanted, SELLER_KEY), ())

    def test_here_the_seller_cannot_make_itself_the_buyers_delegate(self):
        leave = Delegation(BUYER, SELLER, 0, 2**40, 1)
        values = {
            "member": BUYER,
            "delegate": SELLER,
            "validFrom": 0,
            "validUntil": 2**40,
            "nonce": 1,
        }
        signature = sign(digest(DOMAIN, "Delegation", values), SELLER_KEY)
        with pytest.raises(DelegationNotSignedError):
            verify_delegation(DOMAIN, leave, signature)

    def test_here_an_order_is_for_something(self):
        for energy_wh in (0, -1_000):
            with pytest.raises(BadOrderError):
                verify_order(DOMAIN, order(SELLER, 0, energy_wh, 1), b"", ())

    def test_here_who_ordered_nothing_pays_no_neighbor(self):
        sale = taken(order(SELLER, 0, 1_000, 1), SELLER_KEY)
        outcome = settle(inputs(one(SELLER, sale, exported=1_000), one(BUYER, imported=1_000)))
        assert {line.rail for line in outcome.lines} == {Rail.INVOICE}


class TestDefect10TheMatchPriceWasNotCheckedAgainstTheLimits:
    # GSY DEX checked energy and slot of a match, not that its price lay between the two limits.
    @given(st.integers(-60_000, 300_000), st.integers(-60_000, 400_000), st.integers(1_000, 9_000))
    @settings(max_examples=80, deadline=None)
    def test_here_it_lies_between_what_both_signed(self, sale_limit, purchase_limit, energy_wh):
        outcome = met(sale_limit, purchase_limit, energy_wh)
        could = sale_limit <= purchase_limit - BESIDE
        assert bool(outcome.trades) == could
        for trade in outcome.trades:
            assert sale_limit <= trade.price <= purchase_limit - BESIDE
            paid = sum(
                line.amount_micros
                for line in outcome.lines
                if line.payer == BUYER and line.rail is Rail.CHAIN and line.kind is not Kind.VAT
            )
            # Where the seller pays for its energy, that is rounded on its own.
            assert trade.price < 0 or paid * 1_000 <= purchase_limit * energy_wh
