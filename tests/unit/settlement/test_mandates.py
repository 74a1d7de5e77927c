"""A mandate covers the day once, is signed by its member and says its limits at any minute."""

import dataclasses
import itertools
from datetime import datetime

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.typed_data import Domain, digest, sign
from settlement.metering.local_time import LocalTime, time_zone
from settlement.trading.mandates import (
    BadMandateError,
    Band,
    Mandate,
    MandateNotSignedError,
    band_at,
    mandate_hash,
    verify_mandate,
)

PRIVATE = (5).to_bytes(32)
MEMBER = Account.from_key(PRIVATE).address.lower()
DOMAIN = Domain("Voisin", "1", 31_337, "0x" + "c0" * 20)
TYPES = {
    "Mandate": [
        {"type": "address", "name": "member"},
        {"type": "Band[]", "name": "bands"},
        {"type": "uint64", "name": "capMicros"},
        {"type": "uint64", "name": "validFrom"},
        {"type": "uint64", "name": "validUntil"},
        {"type": "uint64", "name": "nonce"},
    ],
    "Band": [
        {"type": "uint16", "name": "fromMinute"},
        {"type": "uint16", "name": "untilMinute"},
        {"type": "int32", "name": "sellNotBelow"},
        {"type": "int32", "name": "buyNotAbove"},
    ],
}


def bands(*borders):
    """Bands from border to border, told apart by their limits."""
    return tuple(Band(one, other, one, other) for one, other in itertools.pairwise(borders))


def mandate(*borders, **changes):
    whole = Mandate(MEMBER, bands(*borders or (0, 1_440)), 5_000_000, 1_000, 2_000, 1)
    return dataclasses.replace(whole, **changes)


def message(given_mandate):
    return encode_typed_data(
        {
            "name": DOMAIN.name,
            "version": DOMAIN.version,
            "chainId": DOMAIN.chain_id,
            "verifyingContract": DOMAIN.verifying_contract,
        },
        TYPES,
        {
            "member": given_mandate.member,
            "bands": [
                dict(
                    zip(
                        ("fromMinute", "untilMinute", "sellNotBelow", "buyNotAbove"),
                        dataclasses.astuple(band),
                        strict=True,
                    )
                )
                for band in given_mandate.bands
            ],
            "capMicros": given_mandate.cap_micros,
            "validFrom": given_mandate.valid_from_s,
            "validUntil": given_mandate.valid_until_s,
            "nonce": given_mandate.nonce,
        },
    )


def signature_of(given_mandate, private=PRIVATE):
    """Signed as a wallet signs: by ``eth_account`` alone."""
    return Account.sign_message(message(given_mandate), private).signature


days = st.lists(st.integers(1, 1_439), max_size=7, unique=True).map(
    lambda inner: (0, *sorted(inner), 1_440)
)


class TestMandateHash:
    @given(days, st.integers(0, 2**64 - 1), st.integers(-(2**31), 2**31 - 1))
    @settings(max_examples=40, deadline=None)
    def test_is_the_struct_hash_of_another_implementation(self, borders, cap, limit):
        made = mandate(*borders, cap_micros=cap)
        first = dataclasses.replace(made.bands[0], sell_not_below=limit)
        made = dataclasses.replace(made, bands=(first, *made.bands[1:]))
        assert mandate_hash(made) == message(made).body

    def test_depends_on_the_order_of_bands(self):
        made = mandate(0, 600, 1_440)
        turned = dataclasses.replace(made, bands=made.bands[::-1])
        assert mandate_hash(made) != mandate_hash(turned)


class TestVerifyMandate:
    @given(days)
    @settings(max_examples=30, deadline=None)
    def test_takes_what_a_wallet_signed(self, borders):
        made = mandate(*borders)
        verify_mandate(DOMAIN, made, signature_of(made))

    def test_takes_eight_bands(self):
        made = mandate(*range(0, 1_441, 180))
        assert len(made.bands) == 8
        verify_mandate(DOMAIN, made, signature_of(made))

    @pytest.mark.parametrize(
        ("given_bands", "match"),
        [
            ((), "0 bands"),
            (bands(*range(0, 1_441, 160)), "9 bands"),
            (bands(1, 1_440), "minute 0"),
            (bands(0, 1_439), "ends at minute 1439"),
            (bands(0, 1_441), "ends at minute 1441"),
            (bands(0, 0, 1_440), "minute 0"),
            (bands(0, 600)[:1] + bands(601, 1_440), "minute 600"),
            (bands(0, 600)[:1] + bands(599, 1_440), "minute 600"),
            (bands(0, 1_440) + bands(0, 1_440), "minute 1440"),
            (bands(600, 1_440) + bands(0, 600), "minute 0"),
            ((Band(0, 600, 0, 0), Band(600, 500, 0, 0), Band(500, 1_440, 0, 0)), "minute 600"),
        ],
    )
    def test_refuses_bands_that_do_not_cover_the_day_once(self, given_bands, match):
        made = mandate(bands=given_bands)
        with pytest.raises(BadMandateError, match=match) as caught:
            verify_mandate(DOMAIN, made, b"")
        assert caught.value.code == "bad_mandate"

    @pytest.mark.parametrize("until_s", [1_000, 999, 0])
    def test_refuses_a_validity_that_never_is(self, until_s):
        made = mandate(valid_until_s=until_s)
        with pytest.raises(BadMandateError, match="never valid"):
            verify_mandate(DOMAIN, made, signature_of(made))

    def test_refuses_another_signer(self):
        made = mandate()
        with pytest.raises(MandateNotSignedError) as caught:
            verify_mandate(DOMAIN, made, signature_of(made, (6).to_bytes(32)))
        assert caught.value.code == "mandate_not_signed"

    @pytest.mark.parametrize(
        "change",
        [
            {"cap_micros": 5_000_001},
            {"nonce": 2},
            {"valid_from_s": 999},
            {"valid_until_s": 2_001},
            {"bands": (Band(0, 1_440, 0, 1_441),)},
            {"bands": (Band(0, 1_440, -1, 1_440),)},
            {"member": "0x" + "aa" * 20},
        ],
        ids=str,
    )
    def test_refuses_a_mandate_changed_after_signing(self, change):
        with pytest.raises(MandateNotSignedError):
            verify_mandate(DOMAIN, mandate(**change), signature_of(mandate()))

    def test_refuses_a_mandate_of_another_community(self):
        elsewhere = dataclasses.replace(DOMAIN, verifying_contract="0x" + "c1" * 20)
        with pytest.raises(MandateNotSignedError):
            verify_mandate(elsewhere, mandate(), signature_of(mandate()))

    @pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 65])
    def test_refuses_what_is_no_signature(self, signature):
        with pytest.raises(MandateNotSignedError):
            verify_mandate(DOMAIN, mandate(), signature)

    def test_refuses_a_bare_struct_hash_for_a_digest(self):
        made = mandate()
        with pytest.raises(MandateNotSignedError):
            verify_mandate(DOMAIN, made, sign(mandate_hash(made), PRIVATE))
        values = {"member": MEMBER, "capMicros": 1, "amountMicros": 1, "salt": bytes(32)}
        with pytest.raises(MandateNotSignedError):
            verify_mandate(DOMAIN, made, sign(digest(DOMAIN, "Membership", values), PRIVATE))


class TestBandAt:
    @pytest.mark.parametrize(
        ("at_s", "offset_minutes", "from_minute"),
        [
            (0, 0, 0),
            (359 * 60 + 59, 0, 0),
            (360 * 60, 0, 360),
            (1_319 * 60 + 59, 0, 360),
            (1_320 * 60, 0, 1_320),
            (1_439 * 60 + 59, 0, 1_320),
            (1_440 * 60, 0, 0),
            (1_320 * 60, 119, 1_320),
            (1_320 * 60, 120, 0),
            (1_319 * 60, 121, 0),
            (1_200 * 60, 119, 360),
            (1_200 * 60, 120, 1_320),
            (0, -60, 1_320),
            (60 * 60, -60, 0),
            (0, 345, 0),
            (15 * 60, 345, 360),
        ],
    )
    def test_is_the_one_of_the_local_minute(self, at_s, offset_minutes, from_minute):
        made = mandate(0, 360, 1_320, 1_440)
        assert band_at(made, at_s, offset_minutes).from_minute == from_minute

    @given(days, st.integers(0, 10**11), st.integers(-14 * 60, 14 * 60))
    @settings(deadline=None)
    def test_is_there_at_every_instant_and_offset(self, borders, at_s, offset):
        found = band_at(mandate(*borders), at_s, offset)
        assert found.from_minute <= (at_s + offset * 60) % 86_400 // 60 < found.until_minute

    @pytest.mark.parametrize(
        ("instant", "from_minute"),
        [
            ("2026-03-29T00:59:59+00:00", 60),
            ("2026-03-29T01:00:00+00:00", 180),
            ("2026-10-25T00:00:00+00:00", 120),
            ("2026-10-25T00:59:59+00:00", 120),
            ("2026-10-25T01:00:00+00:00", 120),
            ("2026-10-25T01:59:59+00:00", 120),
            ("2026-10-25T02:00:00+00:00", 180),
        ],
    )
    def test_skips_a_local_hour_in_spring_and_holds_twice_in_autumn(self, instant, from_minute):
        """In Paris no clock shows 02:30 on 29 March 2026; on 25 October all show it twice."""
        at_s = int(datetime.fromisoformat(instant).timestamp())
        made = mandate(0, 60, 120, 180, 1_440)
        offset = LocalTime(0, time_zone("Europe/Paris")).offset_minutes(at_s)
        assert band_at(made, at_s, offset).from_minute == from_minute
