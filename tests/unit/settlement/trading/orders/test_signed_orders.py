"""An order makes sense, fits its type, and counts only if its member or a delegate signed it."""

import dataclasses

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.typed_data import Domain, sign
from settlement.trading.orders.delegation import (
    BadDelegationError,
    Delegation,
    delegates_at,
    delegation_hash,
    verify_delegation,
)
from settlement.trading.orders.signed import (
    NOBODY,
    Cancellation,
    IntervalOrder,
    PriceOutOfRangeError,
    cancellation_hash,
    check_order,
    order_hash,
    standing,
    verify_cancellation,
    verify_order,
)
from settlement.trading.orders.signing import (
    BadOrderError,
    DelegationNotSignedError,
    OrderNotSignedError,
)
from settlement.trading.orders.standing import Side, StandingOrder, orders_hash

PRIVATE, OTHER = (5).to_bytes(32), (6).to_bytes(32)
MEMBER, DELEGATE = (Account.from_key(key).address.lower() for key in (PRIVATE, OTHER))
PARTNER = "0x" + "ab" * 20
DOMAIN = Domain("Voisin", "1", 31_337, "0x" + "c0" * 20)
ELSEWHERE = dataclasses.replace(DOMAIN, verifying_contract="0x" + "c1" * 20)
FIELDS = {
    "Order": (
        *("address member", "uint8 side", "uint8 quantity", "uint64 firstInterval"),
        *("uint64 lastInterval", "uint64 energyWh", "int32 limit", "address partner"),
        *("bool solarOnly", "uint64 expiresAt", "uint64 replaces", "uint64 nonce"),
    ),
    "OrderCancel": ("address member", "uint64 cancels", "uint64 nonce"),
    "Delegation": (
        *("address member", "address delegate", "uint64 validFrom", "uint64 validUntil"),
        "uint64 nonce",
    ),
}
PURCHASE = IntervalOrder(MEMBER, 1, 0, 100, 103, 1_500, 180_000, NOBODY, True, 100_000, 0, nonce=7)
CANCELLATION = Cancellation(MEMBER, 7, 1)
DELEGATION = Delegation(MEMBER, DELEGATE, 1_000, 2_000, 1)


def message(name, given_struct, domain=DOMAIN):
    """The struct as a wallet sees it, by ``eth_account`` alone."""
    fields = [one.split() for one in FIELDS[name]]
    return encode_typed_data(
        {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        {name: [{"type": kind, "name": field} for kind, field in fields]},
        dict(zip([field for _, field in fields], dataclasses.astuple(given_struct), strict=True)),
    )


def signature_of(name, given_struct, private=PRIVATE, domain=DOMAIN):
    return Account.sign_message(message(name, given_struct, domain), private).signature


orders = st.builds(
    IntervalOrder,
    member=st.just(MEMBER),
    side=st.just(1),
    quantity=st.integers(0, 1),
    first_interval=st.integers(0, 2**32),
    last_interval=st.integers(2**32, 2**64 - 1),
    energy_wh=st.integers(1, 2**40),
    limit=st.integers(-(2**31), 2**31 - 1),
    partner=st.sampled_from([NOBODY, PARTNER]),
    solar_only=st.booleans(),
    expires_at_s=st.integers(0, 2**64 - 1),
    replaces=st.integers(0, 2**32),
    nonce=st.integers(2**32 + 1, 2**64 - 1),
)


class TestHashes:
    @given(orders)
    @settings(max_examples=40, deadline=None)
    def test_of_an_order_is_that_of_another_implementation(self, order):
        assert order_hash(order) == message("Order", order).body

    def test_of_cancellation_and_delegation_are_those_of_another_implementation(self):
        assert cancellation_hash(CANCELLATION) == message("OrderCancel", CANCELLATION).body
        assert delegation_hash(DELEGATION) == message("Delegation", DELEGATION).body


class TestCheckOrder:
    @pytest.mark.parametrize(
        "change",
        [
            {"side": 2},
            {"side": -1},
            {"quantity": 2},
            {"energy_wh": 0},
            {"energy_wh": -1},
            {"energy_wh": 2**40 + 1},
            {"last_interval": 99},
            {"nonce": 0},
            {"replaces": 7},
            {"partner": MEMBER},
            {"side": 0},
        ],
        ids=str,
    )
    def test_refuses_what_makes_no_sense(self, change):
        with pytest.raises(BadOrderError) as caught:
            check_order(dataclasses.replace(PURCHASE, **change))
        assert caught.value.code == "bad_order"

    def test_says_what_is_wrong_with_a_nonce_of_nothing(self):
        with pytest.raises(BadOrderError, match="nonce is not above 0"):
            check_order(dataclasses.replace(PURCHASE, nonce=0))

    @pytest.mark.parametrize("limit", [2**31, -(2**31) - 1, 10**30])
    def test_refuses_a_limit_beyond_32_bits(self, limit):
        with pytest.raises(PriceOutOfRangeError) as caught:
            check_order(dataclasses.replace(PURCHASE, limit=limit))
        assert caught.value.code == "price_out_of_range"

    @pytest.mark.parametrize(
        "change",
        [
            {"limit": 2**31 - 1},
            {"limit": -(2**31)},
            {"energy_wh": 1},
            {"energy_wh": 2**40},
            {"last_interval": 100},
            {"partner": PARTNER},
            {"side": 0, "solar_only": False},
        ],
        ids=str,
    )
    def test_takes_what_is_just_in_range(self, change):
        check_order(dataclasses.replace(PURCHASE, **change))


class TestVerifyOrder:
    @given(orders)
    @settings(max_examples=20, deadline=None)
    def test_takes_what_the_wallet_signed(self, order):
        assert verify_order(DOMAIN, order, signature_of("Order", order), ()) == MEMBER

    def test_takes_what_a_delegate_signed(self):
        signature = signature_of("Order", PURCHASE, OTHER)
        assert verify_order(DOMAIN, PURCHASE, signature, {DELEGATE}) == DELEGATE

    @pytest.mark.parametrize("delegates", [(), (PARTNER,)])
    def test_refuses_who_is_no_delegate(self, delegates):
        signature = signature_of("Order", PURCHASE, OTHER)
        with pytest.raises(OrderNotSignedError) as caught:
            verify_order(DOMAIN, PURCHASE, signature, delegates)
        assert caught.value.code == "order_not_signed"

    def test_refuses_an_order_of_another_community(self):
        signature = signature_of("Order", PURCHASE, domain=ELSEWHERE)
        with pytest.raises(OrderNotSignedError):
            verify_order(DOMAIN, PURCHASE, signature, ())

    @pytest.mark.parametrize(
        "change",
        [
            {"quantity": 1},
            {"first_interval": 99},
            {"last_interval": 104},
            {"energy_wh": 1_501},
            {"limit": 180_001},
            {"partner": PARTNER},
            {"solar_only": False},
            {"expires_at_s": 100_001},
            {"replaces": 1},
            {"nonce": 8},
            {"member": PARTNER},
            {"side": 0, "solar_only": False},
        ],
        ids=str,
    )
    def test_refuses_an_order_changed_after_signing(self, change):
        with pytest.raises(OrderNotSignedError):
            verify_order(
                DOMAIN,
                dataclasses.replace(PURCHASE, **change),
                signature_of("Order", PURCHASE),
                (),
            )

    @pytest.mark.parametrize("signature", [b"", b"\0" * 65, b"\x1b" * 65])
    def test_refuses_what_is_no_signature(self, signature):
        with pytest.raises(OrderNotSignedError):
            verify_order(DOMAIN, PURCHASE, signature, ())

    def test_refuses_a_bare_struct_hash_for_a_digest(self):
        with pytest.raises(OrderNotSignedError):
            verify_order(DOMAIN, PURCHASE, sign(order_hash(PURCHASE), PRIVATE), ())

    def test_refuses_what_makes_no_sense_though_it_is_signed(self):
        order = dataclasses.replace(PURCHASE, energy_wh=2**40 + 1)
        with pytest.raises(BadOrderError):
            verify_order(DOMAIN, order, signature_of("Order", order), ())

    def test_refuses_what_no_type_holds(self):
        with pytest.raises(BadOrderError, match="firstInterval"):
            verify_order(DOMAIN, dataclasses.replace(PURCHASE, first_interval=-1), b"", ())


class TestVerifyCancellation:
    def test_takes_what_member_or_delegate_signed(self):
        for key, delegates in ((PRIVATE, ()), (OTHER, (DELEGATE,))):
            signature = signature_of("OrderCancel", CANCELLATION, key)
            found = verify_cancellation(DOMAIN, CANCELLATION, signature, delegates)
            assert found == Account.from_key(key).address.lower()

    def test_refuses_somebody_else_and_another_order(self):
        signature = signature_of("OrderCancel", CANCELLATION)
        for changed in (Cancellation(MEMBER, 8, 1), Cancellation(PARTNER, 7, 1)):
            with pytest.raises(OrderNotSignedError):
                verify_cancellation(DOMAIN, changed, signature, ())
        with pytest.raises(OrderNotSignedError):
            verify_cancellation(
                DOMAIN, CANCELLATION, signature_of("OrderCancel", CANCELLATION, OTHER), ()
            )


class TestDelegation:
    def test_is_taken_from_the_member_alone(self):
        verify_delegation(DOMAIN, DELEGATION, signature_of("Delegation", DELEGATION))
        with pytest.raises(DelegationNotSignedError) as caught:
            verify_delegation(DOMAIN, DELEGATION, signature_of("Delegation", DELEGATION, OTHER))
        assert caught.value.code == "delegation_not_signed"

    @pytest.mark.parametrize("change", [{"valid_until_s": 1_000}, {"delegate": MEMBER}], ids=str)
    def test_makes_sense(self, change):
        made = dataclasses.replace(DELEGATION, **change)
        with pytest.raises(BadDelegationError) as caught:
            verify_delegation(DOMAIN, made, signature_of("Delegation", made))
        assert caught.value.code == "bad_delegation"

    @pytest.mark.parametrize(
        ("at_s", "counts"), [(999, False), (1_000, True), (1_999, True), (2_000, False)]
    )
    def test_counts_within_its_validity(self, at_s, counts):
        assert delegates_at([DELEGATION], at_s) == ({DELEGATE} if counts else set())

    def test_is_ended_by_a_higher_nonce_and_leaves_others(self):
        ended = dataclasses.replace(DELEGATION, valid_from_s=0, valid_until_s=1, nonce=2)
        other = dataclasses.replace(DELEGATION, delegate=PARTNER, nonce=3)
        for order in ([DELEGATION, ended, other], [other, ended, DELEGATION]):
            assert delegates_at(order, 1_500) == {PARTNER}


class TestStanding:
    def test_says_what_was_signed(self):
        assert standing(PURCHASE) == StandingOrder(
            key=order_hash(PURCHASE).hex(),
            side=Side.BUY,
            firm=False,
            energy_wh=1_500,
            limit=180_000,
            partner="",
            solar=True,
        )

    def test_keeps_a_partner_and_what_is_firm(self):
        made = standing(dataclasses.replace(PURCHASE, partner=PARTNER, quantity=1))
        assert (made.partner, made.firm) == (PARTNER, True)


class TestOrdersHash:
    def test_is_the_mandates_without_orders(self):
        assert orders_hash(b"\1" * 32, ()) == b"\1" * 32

    def test_commits_to_mandate_and_every_order_in_any_sequence(self):
        one, other = standing(PURCHASE), standing(dataclasses.replace(PURCHASE, nonce=8))
        both = orders_hash(b"\1" * 32, (one, other))
        assert both == orders_hash(b"\1" * 32, (other, one))
        assert len({both, orders_hash(b"\2" * 32, (one, other)), b"\1" * 32}) == 3
        assert orders_hash(b"\1" * 32, (one,)) not in {both, orders_hash(b"\1" * 32, (other,))}
