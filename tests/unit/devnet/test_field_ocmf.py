"""OCMF records: their form, their signatures on both curves, and that they never differ."""

import hashlib
import json
import re
from decimal import Decimal

import coincurve
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.field.dataset import load_dataset
from devnet.field.events import FiscalSlice, SessionStops, SliceBoundary
from devnet.field.keys import Curve, build_keys
from devnet.field.ocmf import OcmfMeter, RecordTextError
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)
SCHEDULE = build_schedule(WEEK, PARAMETERS, seed=1, days=7)
TAG = "0123456789ABCDEFabcd"
CURVES = {Curve.SECP256K1: ec.SECP256K1(), Curve.SECP256R1: ec.SECP256R1()}


def sections(record):
    header, payload, signature = record.split("|")
    assert header == "OCMF"
    return payload, json.loads(signature)


def public_key(key):
    x, y = int.from_bytes(key.public_key[:32]), int.from_bytes(key.public_key[32:])
    return ec.EllipticCurvePublicNumbers(x, y, CURVES[key.curve]).public_key()


def verify(record, key):
    """Verify with ``cryptography`` as anybody would who has the meter's public key."""
    payload, signature = sections(record)
    der = bytes.fromhex(signature["SD"])
    public_key(key).verify(der, payload.encode(), ec.ECDSA(hashes.SHA256()))


def meter(station):
    return OcmfMeter(KEYS.stations[station], station)


def stops():
    return [event for event in SCHEDULE.events if isinstance(event, SessionStops)]


@pytest.fixture(scope="module")
def r1():
    return next(stop for stop in stops() if KEYS.stations[stop.station].curve is Curve.SECP256R1)


@pytest.fixture(scope="module")
def k1():
    return next(stop for stop in stops() if KEYS.stations[stop.station].curve is Curve.SECP256K1)


@pytest.fixture(scope="module")
def records():
    meters = {station: meter(station) for station in KEYS.stations}
    made = []
    for event in SCHEDULE.events:
        if isinstance(event, (SliceBoundary, SessionStops)):
            made.append((event.station, meters[event.station].fiscal_record(event.slice, TAG)))
        if isinstance(event, SessionStops):
            made.append((event.station, meters[event.station].transaction_record(event, TAG)))
    return made


class TestTransactionRecord:
    def test_says_the_whole_session(self, r1):
        payload, signature = sections(meter(r1.station).transaction_record(r1, TAG))
        record = json.loads(payload, parse_float=Decimal)
        assert record["PG"] == f"T{r1.page}"
        assert record["MS"] == KEYS.stations[r1.station].serial
        assert (record["IS"], record["IL"], record["IT"], record["ID"]) == (
            True, "VERIFIED", "CENTRAL", TAG,
        )  # fmt: skip
        begin, end = record["RD"]
        assert (begin["TX"], end["TX"]) == ("B", "E")
        assert begin["RV"] * 1000 == r1.begin_wh
        assert end["RV"] * 1000 == r1.end_wh
        for reading in (begin, end):
            assert (reading["RI"], reading["RU"]) == ("1-b:1.8.0", "kWh")
            assert (reading["EF"], reading["ST"]) == ("", "G")
        assert signature["SA"] == "ECDSA-secp256r1-SHA256"

    def test_has_the_shape_that_a_plain_parser_expects(self, k1):
        payload, signature = sections(meter(k1.station).transaction_record(k1, TAG))
        reading = (
            r'\{"TM":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,000\+0000 S","TX":"[BE]","RV":\d+\.\d{3},'
            r'"RI":"1-b:1\.8\.0","RU":"kWh","EF":"","ST":"G"\}'
        )
        assert re.fullmatch(r'\{"FV":"1\.4",.*"RD":\[' + reading + "," + reading + r"\]\}", payload)
        assert payload.isascii()
        assert " " not in payload.replace(" S", "").replace("Voisin field station", "").replace(
            "Field meter", ""
        )
        assert set(signature) == {"SA", "SD"}

    def test_has_a_signature_in_der(self, r1, k1):
        for stop in (r1, k1):
            _, signature = sections(meter(stop.station).transaction_record(stop, TAG))
            der = bytes.fromhex(signature["SD"])
            assert der[0] == 0x30
            assert der[1] == len(der) - 2
            assert utils.encode_dss_signature(*utils.decode_dss_signature(der)) == der

    def test_of_the_first_session_is_this_to_the_byte(self):
        first = next(stop for stop in stops() if stop.session.startswith("2_39_88_24_2019-05-06"))
        assert first.station == "CA-314"
        payload, _ = sections(meter("CA-314").transaction_record(first, TAG))
        assert '"TM":"2017-05-08T13:38:13,000+0000 S","TX":"B"' in payload
        assert '"TM":"2017-05-08T18:38:53,000+0000 S","TX":"E"' in payload

    def test_refuses_an_id_tag_that_would_end_the_section(self, r1):
        with pytest.raises(RecordTextError):
            meter(r1.station).transaction_record(r1, "a|b")

    def test_escapes_an_id_tag_that_would_end_the_string(self, r1):
        record = meter(r1.station).transaction_record(r1, 'a","PG":"T9')
        assert json.loads(sections(record)[0])["ID"] == 'a","PG":"T9'
        assert json.loads(sections(record)[0])["PG"] == f"T{r1.page}"


class TestFiscalRecord:
    def test_says_one_slice(self, r1):
        part = r1.slice
        payload, _ = sections(meter(r1.station).fiscal_record(part, TAG))
        record = json.loads(payload, parse_float=Decimal)
        assert record["PG"] == f"F{part.page}"
        assert [reading["TX"] for reading in record["RD"]] == ["C", "C"]
        begin, end = (reading["RV"] * 1000 for reading in record["RD"])
        assert (begin, end) == (part.begin_wh, part.end_wh)

    @settings(max_examples=50)
    @given(st.integers(min_value=0, max_value=10**12), st.integers(min_value=0, max_value=10**9))
    def test_keeps_every_watt_hour_whatever_the_register(self, begin_wh, energy_wh):
        part = FiscalSlice(
            page=1, begin_s=0, end_s=3600, begin_wh=begin_wh, end_wh=begin_wh + energy_wh
        )
        payload, _ = sections(meter("CA-314").fiscal_record(part, TAG))
        begin, end = json.loads(payload, parse_float=Decimal)["RD"]
        assert (end["RV"] - begin["RV"]) * 1000 == energy_wh


class TestEveryRecordOfTheWeek:
    def test_verifies_with_cryptography(self, records):
        assert len(records) == 1_354 + 2 * 233
        for station, record in records:
            verify(record, KEYS.stations[station])

    def test_on_secp256k1_verifies_with_coincurve_too(self, records):
        checked = 0
        for station, record in records:
            key = KEYS.stations[station]
            if key.curve is Curve.SECP256K1:
                payload, signature = sections(record)
                point = coincurve.PublicKey(b"\x04" + key.public_key)
                assert point.verify(bytes.fromhex(signature["SD"]), payload.encode())
                checked += 1
        assert checked > 500

    def test_fits_into_ocpp_and_ocmf_and_a_cheap_transaction(self, records):
        assert max(len(record) for _, record in records) * 4 // 3 < 2_500
        assert max(len(sections(record)[0]) for _, record in records) <= 480

    def test_is_not_good_for_another_meter_or_another_byte(self, records):
        station, record = records[0]
        other = next(
            key for name, key in KEYS.stations.items()
            if name != station and key.curve is KEYS.stations[station].curve
        )  # fmt: skip
        with pytest.raises(InvalidSignature):
            verify(record, other)
        with pytest.raises(InvalidSignature):
            verify(record.replace('"IS":true', '"IS": true'), KEYS.stations[station])


def test_signatures_are_the_same_every_time_and_on_every_machine():
    digests = []
    for _ in range(2):
        text = "".join(meter(stop.station).transaction_record(stop, TAG) for stop in stops()[:20])
        digests.append(hashlib.sha256(text.encode()).hexdigest())
    assert digests[0] == digests[1]
    assert digests[0] == "01c1f2ebb961bd2b2ed8c6757cb32b80649462cba18616323107fa0bd6a4539f"


def test_some_p256_signatures_are_high_s_as_real_ones_are():
    half = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2
    high = 0
    for stop in stops():
        if KEYS.stations[stop.station].curve is Curve.SECP256R1:
            _, signature = sections(meter(stop.station).transaction_record(stop, TAG))
            high += utils.decode_dss_signature(bytes.fromhex(signature["SD"]))[1] > half
    assert high > 10
