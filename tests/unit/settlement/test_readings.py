"""A reading's digest is EIP-712's own, and only the meter's valid gateway key can sign it."""

import dataclasses
import re

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.typed_data import (
    BadSignatureError,
    Domain,
    TypedDataError,
    address_of_public_key,
    digest,
    keccak,
    sign,
    signer_of,
)
from ledger.errors import UnverifiedReading
from settlement.metering.readings import (
    MalformedReadingError,
    Quality,
    Reading,
    Register,
    reading_digest,
)
from settlement.metering.signatures import (
    Curve,
    MeterKey,
    MeterKind,
    MeterNotValidError,
    WrongCurveError,
    WrongMeterKindError,
    WrongSignerError,
    check_valid,
    verify_reading,
)

PRIVATE, OTHER = (5).to_bytes(32), (6).to_bytes(32)
DOMAIN = Domain("Voisin", "1", 31_337, "0x" + "c0" * 20)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
METER = "0x" + "4d" * 32
READING = Reading(METER, Register.EXPORT, 1_557_100_800, 7, 123_456, Quality.MEASURED)
FIELDS = (
    ("bytes32", "meterId"),
    ("uint8", "register"),
    ("uint64", "at"),
    ("uint64", "sequence"),
    ("uint64", "energyWh"),
    ("uint8", "quality"),
)


def key(**changes):
    account = Account.from_key(PRIVATE)
    whole = MeterKey(
        curve=Curve.SECP256K1,
        public_key=account._key_obj.public_key.to_bytes(),
        kind=MeterKind.GATEWAY,
        rated_power_w=9_000,
        valid_from_s=1_000,
        valid_until_s=2_000_000_000,
    )
    return dataclasses.replace(whole, **changes)


def signed(reading, private=PRIVATE, domain=DOMAIN):
    return sign(reading_digest(domain, reading), private)


def twisted(seal, form):
    """A signature in another form: of the same key, of another key, or of none."""
    r, s, v = seal[:32], int.from_bytes(seal[32:64]), seal[64]
    return {
        "as signed": seal,
        "other s": r + (ORDER - s).to_bytes(32) + bytes([v]),
        "other s and v": r + (ORDER - s).to_bytes(32) + bytes([55 - v]),
        "other v": seal[:64] + bytes([55 - v]),
        "zeros": bytes(64) + bytes([v]),
        "beyond": ORDER.to_bytes(32) + seal[32:],
    }[form]


def values_of(reading):
    """The fields of a reading by the names that decision 0003 gives them."""
    return {
        "meterId": reading.meter_id,
        "register": int(reading.register),
        "at": reading.at_s,
        "sequence": reading.sequence,
        "energyWh": reading.energy_wh,
        "quality": int(reading.quality),
    }


def foreign_digest(reading):
    """The digest as ``eth_account`` computes it, from the fields that decision 0003 lists."""
    message = encode_typed_data(
        {
            "name": DOMAIN.name,
            "version": DOMAIN.version,
            "chainId": DOMAIN.chain_id,
            "verifyingContract": DOMAIN.verifying_contract,
        },
        {"Reading": [{"type": kind, "name": name} for kind, name in FIELDS]},
        {
            "meterId": bytes.fromhex(reading.meter_id[2:]),
            "register": int(reading.register),
            "at": reading.at_s,
            "sequence": reading.sequence,
            "energyWh": reading.energy_wh,
            "quality": int(reading.quality),
        },
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


readings = st.builds(
    Reading,
    meter_id=st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()),
    register=st.sampled_from(Register),
    at_s=st.integers(1_000, 1_999_999_999),
    sequence=st.integers(0, 2**64 - 1),
    energy_wh=st.integers(0, 2**64 - 1),
    quality=st.sampled_from(Quality),
)


class TestReadingDigest:
    @given(readings)
    @settings(max_examples=60, deadline=None)
    def test_is_the_one_that_another_implementation_computes(self, reading):
        assert reading_digest(DOMAIN, reading) == foreign_digest(reading)

    @pytest.mark.parametrize(
        "change",
        [
            {"meter_id": "0x" + "4e" * 32},
            {"register": Register.IMPORT},
            {"at_s": READING.at_s + 1},
            {"sequence": 8},
            {"energy_wh": 123_457},
            {"quality": Quality.ESTIMATED},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_changes_with_every_field(self, change):
        altered = dataclasses.replace(READING, **change)
        assert reading_digest(DOMAIN, altered) != reading_digest(DOMAIN, READING)

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "Voisine"},
            {"version": "2"},
            {"chain_id": 1},
            {"verifying_contract": "0x" + "c1" * 20},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_is_bound_to_one_application_on_one_chain(self, change):
        elsewhere = dataclasses.replace(DOMAIN, **change)
        assert reading_digest(elsewhere, READING) != reading_digest(DOMAIN, READING)

    @pytest.mark.parametrize(
        "change",
        [
            {"energy_wh": -1},
            {"energy_wh": 2**64},
            {"at_s": -1},
            {"at_s": 2**64},
            {"sequence": -1},
            {"sequence": 2**64},
            {"meter_id": "0x" + "4d" * 31},
            {"meter_id": "0x" + "4d" * 33},
            {"meter_id": "0x" + "zz" * 32},
            {"meter_id": ""},
        ],
        ids=str,
    )
    def test_refuses_a_field_that_does_not_fit_its_type(self, change):
        with pytest.raises(MalformedReadingError) as caught:
            reading_digest(DOMAIN, dataclasses.replace(READING, **change))
        assert caught.value.code == "malformed_reading"
        assert isinstance(caught.value, UnverifiedReading)

    @given(
        st.sampled_from(
            [
                METER,
                METER.upper(),
                METER[2:],
                "0x" + "4D" * 32,
                "0x" + " 4d" * 32,
                "0x" + "4d" * 31 + " 4",
                "0x" + "4d" * 31,
                "0x" + "\u0664d" * 32,
                "",
            ]
        ),
        *[st.sampled_from([0, 1, 255, 256, 2**64 - 1, 2**64, -1, True, False, 1.0, "1", None])] * 3,
    )
    @settings(max_examples=200, deadline=None)
    def test_agrees_with_the_general_encoding_on_what_is_odd(self, meter_id, at_s, number, energy):
        odd = dataclasses.replace(
            READING, meter_id=meter_id, at_s=at_s, sequence=number, energy_wh=energy
        )
        try:
            expected = digest(DOMAIN, "Reading", values_of(odd))
        except TypedDataError as fault:
            with pytest.raises(MalformedReadingError, match=re.escape(str(fault))):
                reading_digest(DOMAIN, odd)
        else:
            assert reading_digest(DOMAIN, odd) == expected


def recovered_otherwise(reading, signature):
    """Say who signed by the address of the recovered key, as the contracts do."""
    try:
        return signer_of(reading_digest(DOMAIN, reading), signature)
    except BadSignatureError:
        return None


class TestVerifyReading:
    @given(readings)
    @settings(max_examples=40, deadline=None)
    def test_returns_the_digest_that_the_gateway_signed(self, reading):
        expected = reading_digest(DOMAIN, reading)
        assert verify_reading(DOMAIN, reading, signed(reading), key()) == expected

    @given(
        readings,
        st.sampled_from(["as signed", "other s", "other s and v", "other v", "zeros", "beyond"]),
        st.sampled_from([PRIVATE, PRIVATE, OTHER]),
        st.sampled_from([None, 0, 1, 2, 26, 27, 28, 29, 255]),
    )
    @settings(max_examples=120, deadline=None)
    def test_is_as_strict_as_comparing_the_recovered_address(self, reading, form, private, v):
        seal = twisted(signed(reading, private), form)
        seal = seal if v is None else seal[:64] + bytes([v])
        right = recovered_otherwise(reading, seal) == address_of_public_key(key().public_key)
        try:
            verify_reading(DOMAIN, reading, seal, key())
        except WrongSignerError:
            assert not right
        else:
            assert right

    def test_takes_either_value_of_s_but_only_with_its_own_v(self):
        seal = signed(READING)
        verify_reading(DOMAIN, READING, twisted(seal, "other s and v"), key())
        for form in ("other s", "other v"):
            with pytest.raises(WrongSignerError):
                verify_reading(DOMAIN, READING, twisted(seal, form), key())

    def test_refuses_the_mirror_image_of_the_key_that_shares_its_x(self):
        mirrored = (ORDER - int.from_bytes(PRIVATE)).to_bytes(32)
        with pytest.raises(WrongSignerError):
            verify_reading(DOMAIN, READING, signed(READING, mirrored), key())

    def test_takes_the_feeder_head_like_a_home(self):
        verify_reading(DOMAIN, READING, signed(READING), key(kind=MeterKind.FEEDER_HEAD))

    def test_refuses_another_signer(self):
        with pytest.raises(WrongSignerError) as caught:
            verify_reading(DOMAIN, READING, signed(READING, OTHER), key())
        assert caught.value.code == "wrong_signer"

    @given(st.integers(0, 63), st.integers(1, 255))
    @settings(max_examples=40, deadline=None)
    def test_refuses_a_signature_with_one_byte_changed(self, at, flip):
        altered = bytearray(signed(READING))
        altered[at] ^= flip
        with pytest.raises(WrongSignerError):
            verify_reading(DOMAIN, READING, bytes(altered), key())

    @pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 65, b"\1" * 66])
    def test_refuses_what_is_no_signature(self, signature):
        with pytest.raises(WrongSignerError):
            verify_reading(DOMAIN, READING, signature, key())

    def test_refuses_a_reading_changed_after_signing(self):
        richer = dataclasses.replace(READING, energy_wh=READING.energy_wh + 1)
        with pytest.raises(WrongSignerError):
            verify_reading(DOMAIN, richer, signed(READING), key())

    def test_refuses_a_signature_made_for_another_community(self):
        elsewhere = dataclasses.replace(DOMAIN, verifying_contract="0x" + "c1" * 20)
        with pytest.raises(WrongSignerError):
            verify_reading(DOMAIN, READING, signed(READING, domain=elsewhere), key())

    def test_refuses_the_key_of_a_station(self):
        with pytest.raises(WrongMeterKindError) as caught:
            verify_reading(DOMAIN, READING, signed(READING), key(kind=MeterKind.STATION))
        assert caught.value.code == "wrong_meter_kind"
        assert caught.value.kind is MeterKind.STATION

    def test_refuses_a_key_on_the_other_curve(self):
        with pytest.raises(WrongCurveError) as caught:
            verify_reading(DOMAIN, READING, signed(READING), key(curve=Curve.SECP256R1))
        assert caught.value.curve is Curve.SECP256R1

    def test_refuses_a_revoked_key_although_the_signature_is_right(self):
        with pytest.raises(MeterNotValidError):
            verify_reading(DOMAIN, READING, signed(READING), key(revoked=True))

    def test_says_that_a_reading_is_malformed_before_it_looks_at_the_signature(self):
        with pytest.raises(MalformedReadingError):
            verify_reading(DOMAIN, dataclasses.replace(READING, energy_wh=-1), b"", key())


class TestCheckValid:
    @pytest.mark.parametrize("at_s", [100, 199])
    def test_takes_the_first_and_the_last_instant(self, at_s):
        check_valid(key(valid_from_s=100, valid_until_s=200), METER, at_s)

    @pytest.mark.parametrize("at_s", [99, 200, 201])
    def test_refuses_the_instants_around_them(self, at_s):
        with pytest.raises(MeterNotValidError) as caught:
            check_valid(key(valid_from_s=100, valid_until_s=200), METER, at_s)
        assert caught.value.at_s == at_s
        assert caught.value.code == "meter_not_valid"

    def test_refuses_every_instant_of_an_empty_validity(self):
        with pytest.raises(MeterNotValidError):
            check_valid(key(valid_from_s=100, valid_until_s=100), METER, 100)
