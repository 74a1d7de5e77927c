"""Real meters' records, read by the service and by the vault, each with its outcome by name."""

import json
import re
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from contracts.typed_data import keccak
from devnet.field.keys import Curve, Kind, MeterKey
from ledger.errors import UnverifiedReading
from ledger.units import Watts
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_json import MalformedRecordError
from settlement.metering.ocmf_signatures import (
    UnsupportedKeyError,
    public_key_of,
    signature_for_chain,
    verify_record,
    verify_record_der,
)
from tests.contracts.support import (
    START_S,
    judge,
    known_key,
    record_text,
    sign_payload,
)

DATA = Path(__file__).parent / "data"
RECORDS = {one["id"]: one for one in json.loads((DATA / "ocmf_records.json").read_text())}
OUTCOMES = json.loads((DATA / "ocmf_outcomes.json").read_text())
CURVES = {"secp256k1": Curve.SECP256K1, "secp256r1": Curve.SECP256R1}
ELAPSED_S, POWER_W = 36_000, 22_000
TAG = "VOISIN-TAG"
NOBODY_TAG = "NOBODY"

on_chain = [name for name, outcome in OUTCOMES.items() if outcome["contract"] is not None]
off_chain = [name for name, outcome in OUTCOMES.items() if outcome["contract"] is None]


def outcome_in_python(text, public_key, terms):
    """Return ``accepted`` and the energy, or the code of the refusal."""
    try:
        record = parse_record(text)
        if public_key is not None:
            verify_record_der(record, public_key_of(public_key))
        energy = judge(record, terms, elapsed_s=ELAPSED_S, power_w=POWER_W)
    except UnverifiedReading as refusal:
        return refusal.code, None
    return "accepted", energy.energy_wh


def outcome_on_chain(world, meter, terms, payload, signature):
    """Return ``closes`` and the energy, or the name of the custom error."""
    fork = world.fork(START_S)
    if meter not in (world.k1, world.r1):
        fork.enrol(meter)
    assert fork.open(terms).error is None
    fork.move_to(START_S + ELAPSED_S)
    result = fork.close(terms, payload, signature)
    if result.error is None:
        return "closes", result.event("SessionClosed")["energyWh"]
    return result.error, None


def meter_of(given):
    """Return the meter whose key stands beside a record."""
    key = load_der_public_key(public_key_of(given["public_key"]))
    point = key.public_numbers()
    return MeterKey(
        serial=given["id"],
        meter_id=keccak(given["id"].encode()),
        kind=Kind.STATION,
        curve=CURVES[key.curve.name],
        private_key=b"",
        public_key=point.x.to_bytes(32) + point.y.to_bytes(32),
        rated_power_w=Watts(POWER_W),
    )


def test_every_record_has_an_outcome_of_its_own():
    assert len(RECORDS) == 53
    assert list(OUTCOMES) == list(RECORDS)


class TestRecordOfARealMeter:
    @pytest.mark.parametrize("name", OUTCOMES)
    def test_is_judged_by_the_service_as_named(self, world, name):
        given, expected = RECORDS[name], OUTCOMES[name]
        terms = world.terms("real", id_tag=tag_of(given) or NOBODY_TAG)
        found = outcome_in_python(given["record"], given["public_key"], terms)
        assert found == (expected["python"], expected.get("energy_wh"))

    @pytest.mark.parametrize("name", on_chain)
    def test_ends_in_the_vault_as_named(self, world, name):
        given, expected = RECORDS[name], OUTCOMES[name]
        meter, record = meter_of(given), parse_record(given["record"])
        verify_record(record, known_key(meter))
        signature = signature_for_chain(record, known_key(meter))
        terms = world.terms("real", id_tag=record.id_tag or NOBODY_TAG, meter_id=meter.meter_id_hex)
        found = outcome_on_chain(world, meter, terms, record.payload, signature)
        assert found == (expected["contract"], expected.get("energy_wh"))

    @pytest.mark.parametrize("name", off_chain)
    def test_has_no_key_or_no_signature_that_a_contract_could_take(self, name):
        given = RECORDS[name]
        try:
            key = load_der_public_key(public_key_of(given["public_key"]))
        except (UnsupportedKeyError, UnsupportedAlgorithm):
            return
        if key.curve.name in CURVES:
            with pytest.raises(MalformedRecordError, match="the signature is no hex text"):
                parse_record(given["record"])

    @pytest.mark.parametrize("name", on_chain)
    def test_with_one_digit_changed_is_signed_by_nobody(self, world, name):
        given = RECORDS[name]
        meter, record = meter_of(given), parse_record(given["record"])
        changed = re.sub(
            rb'("RV"[ :"]*\d*)(\d)',
            lambda m: m[1] + b"%d" % (9 - int(m[2])),
            record.payload,
            count=1,
        )
        assert changed != record.payload
        signature = signature_for_chain(record, known_key(meter))
        terms = world.terms("real", id_tag=record.id_tag or NOBODY_TAG, meter_id=meter.meter_id_hex)
        found = outcome_on_chain(world, meter, terms, changed, signature)
        assert found == ("ChargeVault_BadSignature", None)


class TestTextOfARealMeter:
    """The same texts with an idTag, signed by our meters: both readers, to the last Wh."""

    @pytest.mark.parametrize("curve", ["k1", "r1"])
    @pytest.mark.parametrize("name", OUTCOMES)
    def test_bound_to_a_session_ends_as_named_on_both_sides(self, world, name, curve):
        meter, expected = getattr(world, curve), OUTCOMES[name]["bound"]
        payload = re.sub(
            r'"ID"\s*:\s*"[^"]*"', f'"ID":"{TAG}"', RECORDS[name]["record"].split("|")[1]
        )
        terms = world.terms("bound", id_tag=TAG, meter_id=meter.meter_id_hex)
        in_python = outcome_in_python(record_text(meter, payload), None, terms)
        assert in_python == (expected["python"], expected.get("energy_wh"))
        signature = sign_payload(meter, payload.encode())
        on_chain = outcome_on_chain(world, meter, terms, payload.encode(), signature)
        assert on_chain == (expected["contract"], expected.get("energy_wh"))


def tag_of(given):
    """Return the idTag of a record, found without either reader."""
    return re.search(r'"ID"\s*:\s*"([^"]*)"', given["record"])[1]
