"""A reading's digest is EIP-712's own, and only the meter's valid gateway key can sign it."""

import dataclasses

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.typed_data import Domain, keccak, sign
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


class TestVerifyReading:
    @given(readings)
    @settings(max_examples=40, deadline=None)
    def test_returns_the_digest_that_the_gateway_signed(self, reading):
        expected = reading_digest(DOMAIN, reading)
        assert verify_reading(DOMAIN, reading, signed(reading), key()) == expected

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
