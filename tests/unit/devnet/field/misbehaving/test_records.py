"""A bad record is signed by its meter, unless forgery is the point, and wrong in one respect."""

import json
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from devnet.field.events import FiscalSlice
from devnet.field.keys import Curve, Role, meter_key
from devnet.field.misbehaving import records
from devnet.field.ocmf import OcmfMeter
from ledger.units import UnixSeconds, WattHours, Watts

BEGIN_S = UnixSeconds(1_494_244_803)
WHOLE = FiscalSlice(
    5, BEGIN_S, UnixSeconds(BEGIN_S + 600), WattHours(1_000_000), WattHours(1_001_000)
)
TAG = "0123456789ABCDEF0123"
CURVES = (Curve.SECP256K1, Curve.SECP256R1)


def key(curve):
    return meter_key(1, Role.STATION_METER, "one", curve, Watts(7_400))


def payload(record):
    return json.loads(record.split("|")[1])


def verified(record, curve):
    _, text, signature = record.split("|")
    kind = {Curve.SECP256K1: ec.SECP256K1, Curve.SECP256R1: ec.SECP256R1}[curve]()
    public = ec.EllipticCurvePublicKey.from_encoded_point(kind, b"\x04" + key(curve).public_key)
    signed = bytes.fromhex(json.loads(signature)["SD"])
    public.verify(signed, text.encode(), ec.ECDSA(hashes.SHA256()))


MADE = {
    "begin of nothing": records.with_placeholder_begin,
    "running down": records.running_down,
    "rolled over": lambda meter, whole, tag: records.rolled_over(
        meter, whole, tag, WattHours(1_000_000)
    ),
    "below nothing": records.with_negative_register,
    "unset clock": records.with_unset_clock,
    "flagged": records.with_flagged_energy,
    "exchanged": records.of_exchanged_meter,
}
WRONG = {
    "begin of nothing": {(0, "RV")},
    "running down": {(0, "RV"), (1, "RV")},
    "rolled over": {(0, "RV"), (1, "RV")},
    "below nothing": {(0, "RV"), (1, "RV")},
    "unset clock": {(0, "TM"), (1, "TM")},
    "flagged": {(1, "EF")},
    "exchanged": {(1, "ST")},
}


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("name", MADE)
def test_what_the_meter_errs_in_is_properly_signed_and_one_thing_only(curve, name):
    meter = OcmfMeter(key(curve), "one")
    bad, good = MADE[name](meter, WHOLE, TAG), meter.whole_record(WHOLE, TAG)
    verified(bad, curve)
    told, right = payload(bad), payload(good)
    differing = {
        (index, field)
        for index in (0, 1)
        for field in right["RD"][index]
        if told["RD"][index][field] != right["RD"][index][field]
    }
    assert differing == WRONG[name]
    assert {**told, "RD": None} == {**right, "RD": None}


def values(record):
    return [reading["RV"] for reading in payload(record)["RD"]]


def test_registers_say_what_their_names_say():
    meter = OcmfMeter(key(Curve.SECP256K1), "one")
    assert values(records.with_placeholder_begin(meter, WHOLE, TAG)) == [0, 1_001]
    assert values(records.running_down(meter, WHOLE, TAG)) == [1_001, 1_000]
    assert values(records.rolled_over(meter, WHOLE, TAG, WattHours(1_000_000))) == [999.5, 0.5]
    assert values(records.with_negative_register(meter, WHOLE, TAG)) == [-1.001, -0.001]


def test_a_clock_that_was_never_set_counts_from_1970_and_says_so():
    meter = OcmfMeter(key(Curve.SECP256K1), "one")
    begin, end = payload(records.with_unset_clock(meter, WHOLE, TAG))["RD"]
    assert begin["TM"] == "1970-01-01T00:00:00,000+0000 U"
    assert end["TM"] == "1970-01-01T00:10:00,000+0000 U"


@pytest.mark.parametrize("curve", CURVES)
def test_a_good_record_is_its_meters(curve):
    verified(OcmfMeter(key(curve), "one").whole_record(WHOLE, TAG), curve)


@pytest.mark.parametrize("curve", CURVES)
def test_a_forged_signature_differs_in_one_digit(curve):
    good = OcmfMeter(key(curve), "one").whole_record(WHOLE, TAG)
    bad = records.with_forged_signature(good)
    assert sum(a != b for a, b in zip(good, bad, strict=True)) == 1
    assert payload(bad) == payload(good)
    with pytest.raises(InvalidSignature):
        verified(bad, curve)


@pytest.mark.parametrize("curve", CURVES)
def test_other_energy_keeps_the_signature_that_does_not_fit(curve):
    good = OcmfMeter(key(curve), "one").whole_record(WHOLE, TAG)
    bad = records.with_other_energy(good, WHOLE.end_wh, WattHours(1_001_001))
    assert values(bad) == [1_000, 1_001.001]
    assert bad.split("|")[2] == good.split("|")[2]
    with pytest.raises(InvalidSignature):
        verified(bad, curve)


def test_a_strangers_record_is_right_but_for_its_signer():
    bad = records.by_stranger(WHOLE, "one", TAG, 1)
    assert values(bad) == [1_000, 1_001]
    with pytest.raises(InvalidSignature):
        verified(bad, Curve.SECP256K1)


def test_a_begin_stands_alone_and_a_cut_end_says_why():
    meter = OcmfMeter(key(Curve.SECP256K1), "one")
    begin = payload(meter.begin_record(4, BEGIN_S, WattHours(1_000_000), TAG))
    assert [(one["TX"], one["RV"]) for one in begin["RD"]] == [("B", 1_000)]
    assert begin["PG"] == "T4"
    cut = payload(meter.whole_record(replace(WHOLE, page=9), TAG, end="P"))
    assert [one["TX"] for one in cut["RD"]] == ["B", "P"]
