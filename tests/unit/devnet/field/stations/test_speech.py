"""What a station knows is said in the words of each version, as its schema wants them."""

import asyncio
import base64
import json
from decimal import Decimal

import pytest
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.messages import Call, validate_payload

from devnet.field.stations.notes import (
    Note,
    Phase,
    Reply,
    SignedValue,
    Transaction,
    Version,
    cost_micros,
    instant,
)
from devnet.field.stations.speech2 import Speech2
from devnet.field.stations.speech16 import Speech16
from ledger.units import UnixSeconds, WattHours, Watts

AT_S = UnixSeconds(1_494_244_803)
SIGNED = SignedValue('OCMF|{"PG":"T1"}|{"SD":"00"}', "Transaction.End")
REASONS = ("EVDisconnected", "Remote", "Local", "PowerLoss", "DeAuthorized")
VERSIONS = tuple(Version)


def speech(version):
    return Speech16(None) if version is Version.V16 else Speech2(version, None)


def transaction(**known):
    return Transaction("a-name", "TAG", AT_S, WattHours(100), **known)


def note(phase=Phase.UPDATED, **known):
    told = {"at_s": AT_S, "register_wh": WattHours(120), "power_w": Watts(7_000)} | known
    return Note(phase=phase, trigger=told.pop("trigger", "MeterValuePeriodic"), **told)


def written(version, payload):
    """Return a payload as it stands in a frame, held to the version's schema."""
    content = snake_to_camel_case(remove_nones(serialize_as_dict(payload)))
    action = type(payload).__name__
    asyncio.run(validate_payload(Call("1", action, content), str(version)))
    return action, json.loads(json.dumps(content))


@pytest.mark.parametrize("version", VERSIONS)
class TestEveryVersion:
    def test_fits_its_schema_in_all_it_says(self, version):
        said = speech(version)
        for payload in (
            said.boot("CA-314"),
            said.heartbeat(),
            said.authorize("TAG"),
            said.data("org.voisin", "hello"),
        ):
            written(version, payload)

    @pytest.mark.parametrize(
        "status",
        ["Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"],
    )
    def test_says_every_status_in_its_words(self, version, status):
        _, payload = written(version, speech(version).status(status, AT_S))
        told = payload.get("status") or payload["connectorStatus"]
        busy = status if version is Version.V16 else "Occupied"
        assert told == ("Available" if status == "Available" else busy)

    @pytest.mark.parametrize("phase", list(Phase))
    @pytest.mark.parametrize("signed", [(), (SIGNED,), (SIGNED, SIGNED)])
    def test_fits_its_schema_in_every_phase(self, version, phase, signed):
        reason = "EVDisconnected" if phase is Phase.ENDED else None
        said = note(phase, signed=signed, reason=reason)
        written(version, speech(version).note(transaction(number=7), said))

    @pytest.mark.parametrize("reason", REASONS)
    def test_says_why_it_ended(self, version, reason):
        said = note(Phase.ENDED, reason=reason)
        _, payload = written(version, speech(version).note(transaction(number=7), said))
        info = payload.get("transactionInfo", {})
        assert payload.get("reason", info.get("stoppedReason")) == reason

    def test_carries_the_signed_record_untouched(self, version):
        said = note(Phase.ENDED, signed=(SIGNED,), reason="Local")
        _, payload = written(version, speech(version).note(transaction(number=7), said))
        last = (payload.get("transactionData") or payload["meterValue"])[-1]["sampledValue"][0]
        told = last.get("signedMeterValue") or json.loads(last["value"])
        assert base64.b64decode(told["signedMeterData"]).decode() == SIGNED.record
        assert told["encodingMethod"] == "OCMF"
        assert last["context"] == "Transaction.End"


class TestSpeech16:
    def test_says_minus_one_for_a_number_that_never_came(self):
        said = Speech16(None)
        for phase in (Phase.UPDATED, Phase.ENDED):
            _, payload = written("1.6", said.note(transaction(), note(phase, reason="Local")))
            assert payload["transactionId"] == -1

    def test_says_whose_values_they_are(self):
        _, payload = written("1.6", Speech16(None).note(transaction(number=7), note()))
        (plain,) = payload["meterValue"]
        assert payload["transactionId"] == 7
        assert [(one["value"], one["unit"]) for one in plain["sampledValue"]] == [
            ("120", "Wh"),
            ("7000", "W"),
        ]

    def test_has_a_word_for_reasons_that_it_does_not_know(self):
        said = note(Phase.ENDED, reason="StoppedByEV")
        _, payload = written("1.6", Speech16(None).note(transaction(number=7), said))
        assert payload["reason"] == "Other"

    def test_reads_number_and_standing(self):
        answer = {"transactionId": 9, "idTagInfo": {"status": "Accepted"}}
        assert Speech16(None).reply(answer) == Reply(status="Accepted", number=9)
        assert Speech16(None).reply({}) == Reply()
        assert not Speech16(None).reply({"idTagInfo": {"status": "Invalid"}}).accepted


class TestSpeech2:
    @pytest.mark.parametrize("version", [Version.V201, Version.V21])
    def test_names_and_numbers_the_transaction_itself(self, version):
        said = note(seq_no=4, offline=True)
        action, payload = written(version, speech(version).note(transaction(), said))
        assert action == "TransactionEvent"
        assert (payload["seqNo"], payload["offline"]) == (4, True)
        assert payload["transactionInfo"]["transactionId"] == "a-name"
        assert payload["timestamp"] == "2017-05-08T12:00:03Z"

    def test_writes_registers_as_whole_numbers(self):
        _, payload = written("2.1", speech(Version.V21).note(transaction(), note()))
        register, power = payload["meterValue"][0]["sampledValue"]
        assert (register["value"], register["unitOfMeasure"]["unit"]) == (120, "Wh")
        assert (power["value"], power["unitOfMeasure"]["unit"]) == (7_000, "W")

    def test_names_the_driver_at_begin_and_end_alone(self):
        named = [
            "idToken" in written("2.1", speech(Version.V21).note(transaction(), note(phase)))[1]
            for phase in Phase
        ]
        assert named == [True, False, True]

    def test_says_the_limit_that_it_has_set(self):
        said = note(limit_micros=3_920_000, trigger="LimitSet")
        _, payload = written("2.1", speech(Version.V21).note(transaction(), said))
        assert payload["transactionInfo"]["transactionLimit"] == {"maxCost": 3.92}

    def test_reads_limit_and_cost(self):
        answer = {"transactionLimit": {"maxCost": 3.92}, "totalCost": 0}
        assert speech(Version.V21).reply(answer) == Reply(
            max_cost_micros=3_920_000, total_cost_micros=0
        )
        assert speech(Version.V21).reply({}) == Reply()


class TestCostMicros:
    @pytest.mark.parametrize(
        ("value", "micros"),
        [(0, 0), (1.25, 1_250_000), (0.1, 100_000), (0.000001, 1), (3.9199999, 3_919_999)],
    )
    def test_reads_a_number_of_euros_to_the_micro_euro(self, value, micros):
        assert cost_micros(value) == micros

    def test_a_sum_of_tenths_that_no_float_holds_is_exact(self):
        assert cost_micros(Decimal("0.3")) == 300_000
        assert cost_micros(1e-6) == 1

    @pytest.mark.parametrize("value", [None, "", "free", float("nan"), float("inf")])
    def test_what_is_no_cost_is_not_a_cost_of_nothing(self, value):
        assert cost_micros(value) is None


def test_an_instant_is_written_in_utc_without_fractions():
    assert instant(AT_S) == "2017-05-08T12:00:03Z"
