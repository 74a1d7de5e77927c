"""What stations say in three versions of OCPP is one thing, and nothing they say is a crash."""

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.ocpp.frames import RESULT, Version, read_frame, write_call, write_result
from api.ocpp.schemas import check_call, check_result
from api.ocpp.translation import v2, v16
from api.ocpp.translation.limits import Limits
from api.ocpp.translation.steps import Asked, Freed, Received, Said, Told
from settlement.charging.reports import Admission, Answer, MeterValue, Phase
from tests.unit.api.ocpp.payloads import fitting
from tests.unit.api.ocpp.test_schemas import SCHEMAS
from tests.unit.api.ocpp.yard import NOW, NOW_S, TAG

READERS = {
    Version.V16: v16.READERS,
    Version.V201: v2.readers(Version.V201),
    Version.V21: v2.readers(Version.V21),
}
LATER_S = NOW_S + 900
LATER = "2023-11-14T23:28:20+01:00"
RECORD = 'OCMF|{"PG":"F1"}|{"SD":"00"}'
REGISTER = "Energy.Active.Import.Register"


def step_of(version, action, payload, limits=None):
    """Read a request as a link does: from its frame, checked against its schema."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    frame = f'[2,"a","{action}",{text}]'
    call = read_frame(frame, version)
    check_call(version, action, call.payload)
    received = Received("CA-1", call.payload, frame, NOW_S, limits or Limits())
    return READERS[version][action](received)


def told_16(action, payload):
    return step_of(Version.V16, action, payload)


def signed(record=RECORD, encoding="OCMF"):
    encoded = base64.b64encode(record.encode()).decode()
    return {"signedMeterData": encoded, "signingMethod": "", "encodingMethod": encoding}


def values_16(*sampled, at=NOW):
    return {
        "connectorId": 2,
        "transactionId": 7,
        "meterValue": [{"timestamp": at, "sampledValue": list(sampled)}],
    }


def values_2(*sampled, at=NOW):
    return {
        "eventType": "Updated",
        "timestamp": LATER,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 4,
        "offline": True,
        "transactionInfo": {"transactionId": "tx"},
        "evse": {"id": 2, "connectorId": 1},
        "meterValue": [{"timestamp": at, "sampledValue": list(sampled)}],
    }


class TestOcpp16:
    def test_a_start_is_a_report_without_a_transaction(self):
        step = told_16(
            "StartTransaction",
            {"connectorId": 2, "idTag": TAG, "meterStart": 123_456, "timestamp": LATER},
        )
        assert step.first
        assert step.faults == ()
        report = step.report
        assert (report.phase, report.transaction, report.at_s) == (Phase.STARTED, None, LATER_S)
        assert (report.id_tag, report.evse_id, report.register_wh) == (TAG, 2, 123_456)
        assert report.key == f"start/{TAG}/{LATER}"

    @pytest.mark.parametrize(
        ("number", "expected"), [(7, "7"), (-1, None), (0, None), (10**16, None)]
    )
    def test_a_stop_names_the_transaction_if_the_station_knows_it(self, number, expected):
        step = told_16(
            "StopTransaction",
            {"transactionId": number, "idTag": TAG, "meterStop": -1, "timestamp": LATER},
        )
        assert not step.first
        report = step.report
        assert (report.phase, report.transaction, report.id_tag) == (Phase.ENDED, expected, TAG)
        assert (report.register_wh, report.reason) == (-1, "Local")
        assert report.key == ("stop/7" if expected else f"stop/{TAG}/{LATER}")

    def test_the_same_payload_has_the_same_body_however_it_is_written(self):
        one = '{"idTag":"A","connectorId":1,"meterStart":1,"timestamp":"2023-11-14T22:13:20Z"}'
        other = '{"connectorId":1, "meterStart":1, "timestamp":"2023-11-14T22:13:20Z", "idTag":"A"}'
        bodies = {told_16("StartTransaction", text).report.body for text in (one, other)}
        assert len(bodies) == 1
        assert told_16("StartTransaction", one.replace(":1,", ":2,", 1)).report.body not in bodies

    def test_a_clock_that_cannot_be_read_is_replaced_by_ours_and_said(self):
        step = told_16(
            "StartTransaction",
            {"connectorId": 1, "idTag": TAG, "meterStart": 0, "timestamp": "yesterday"},
        )
        assert step.report.at_s == NOW_S
        assert [one.code for one in step.faults] == ["unreadable_report"]

    def test_values_are_energy_and_power_of_all_phases_at_the_outlet(self):
        step = told_16(
            "MeterValues",
            values_16(
                {"value": "12.3456", "unit": "kWh", "measurand": REGISTER},
                {"value": "7360.9", "measurand": "Power.Active.Import"},
                {"value": "2", "unit": "kW", "measurand": "Power.Active.Import", "phase": "L1"},
                {"value": "99", "measurand": REGISTER, "location": "Inlet"},
                {"value": "230.1", "measurand": "Voltage", "unit": "V"},
                {"value": "41", "measurand": "SoC", "unit": "Percent"},
                at=LATER,
            ),
        )
        assert step.report.values == (MeterValue(LATER_S, 12_345, 7_360, "Sample.Periodic"),)
        assert step.report.transaction == "7"
        assert step.faults == ()

    def test_a_value_without_a_unit_is_a_register_in_wh(self):
        step = told_16("MeterValues", values_16({"value": "5"}))
        assert step.report.values == (MeterValue(NOW_S, 5, None, "Sample.Periodic"),)

    def test_values_of_two_contexts_are_two_values(self):
        step = told_16(
            "MeterValues",
            values_16(
                {"value": "1", "context": "Transaction.Begin"},
                {"value": "2", "context": "Sample.Clock"},
            ),
        )
        assert [(one.register_wh, one.context) for one in step.report.values] == [
            (1, "Transaction.Begin"),
            (2, "Sample.Clock"),
        ]

    @pytest.mark.parametrize(
        "sampled",
        [
            {"value": "NaN"},
            {"value": "Infinity"},
            {"value": "twelve"},
            {"value": ""},
            {"value": "1e999999999"},
            {"value": "1e30"},
            {"value": "9" * 70},
            {"value": "1", "unit": "varh"},
            {"value": "{", "format": "SignedData"},
            {"value": "[]", "format": "SignedData"},
            {"value": json.dumps(signed(encoding="EDL")), "format": "SignedData"},
            {"value": json.dumps({"encodingMethod": "OCMF"}), "format": "SignedData"},
            {
                "value": json.dumps({**signed(), "signedMeterData": "no base64"}),
                "format": "SignedData",
            },
            {"value": json.dumps({**signed(), "signedMeterData": 7}), "format": "SignedData"},
            {
                "value": json.dumps({**signed(), "signedMeterData": "/w=="}),
                "format": "SignedData",
            },
            {"value": json.dumps(signed("OCMF|\0|")), "format": "SignedData"},
        ],
    )
    def test_what_cannot_be_read_is_left_out_and_said_and_the_rest_counts(self, sampled):
        good = {"value": "7", "context": "Sample.Clock"}
        step = told_16("MeterValues", values_16(sampled, good))
        assert [one.code for one in step.faults] == ["unreadable_value"]
        assert step.report.values == (MeterValue(NOW_S, 7, None, "Sample.Clock"),)
        assert step.report.records == ()

    def test_values_at_no_time_are_left_out_but_not_the_signed_ones(self):
        value = {"value": json.dumps(signed()), "format": "SignedData"}
        step = told_16("MeterValues", values_16(value, {"value": "1"}, at="whenever"))
        assert step.report.values == ()
        assert step.report.records == (RECORD,)
        assert [one.code for one in step.faults] == ["unreadable_value"]

    def test_signed_values_are_records_in_order_and_no_numbers(self):
        records = [f'OCMF|{{"PG":"F{page}"}}|{{}}' for page in range(3)]
        sampled = [
            {"value": json.dumps(signed(one)), "format": "SignedData", "measurand": REGISTER}
            for one in records
        ]
        step = told_16("MeterValues", values_16(*sampled))
        assert step.report.records == tuple(records)
        assert step.report.values == ()

    def test_values_of_no_transaction_are_kept_and_no_more_unless_they_are_signed(self):
        plain = values_16({"value": "1"})
        del plain["transactionId"]
        assert told_16("MeterValues", plain) == Said({})
        value = {"value": json.dumps(signed()), "format": "SignedData"}
        carried = {**values_16(value), "transactionId": -1}
        report = told_16("MeterValues", carried).report
        assert (report.transaction, report.records) == (None, (RECORD,))


class TestOcpp2:
    @pytest.mark.parametrize("version", [Version.V201, Version.V21])
    def test_an_event_is_a_report(self, version):
        step = step_of(
            version,
            "TransactionEvent",
            values_2(
                {
                    "value": 12.3456,
                    "measurand": REGISTER,
                    "unitOfMeasure": {"unit": "kWh"},
                    "signedMeterValue": {**signed(), "publicKey": ""},
                },
                {"value": 73.609, "measurand": "Power.Active.Import",
                 "unitOfMeasure": {"unit": "W", "multiplier": 2}},
            ),
        )  # fmt: skip
        report = step.report
        assert not step.first
        assert (report.phase, report.transaction, report.seq_no) == (Phase.UPDATED, "tx", 4)
        assert (report.at_s, report.offline, report.evse_id) == (LATER_S, True, 2)
        assert report.trigger == "MeterValuePeriodic"
        assert report.values == (MeterValue(NOW_S, 12_345, 7_360, "Sample.Periodic"),)
        assert report.records == (RECORD,)
        assert report.key == "event/tx/4"
        assert (report.reason, report.register_wh) == (None, None)

    def test_no_energy_becomes_a_float(self):
        # 0.29 * 1000 is 290.00000000000000 in decimals, and 289.99999999999994 in floats.
        sampled = {"value": 0.29, "unitOfMeasure": {"unit": "kWh"}}
        step = step_of(Version.V201, "TransactionEvent", values_2(sampled))
        assert step.report.values[0].register_wh == 290
        text = json.dumps(values_2({"value": 0})).replace(
            '"value": 0', '"value": 9007199254740.993, "unitOfMeasure": {"unit": "Wh"}'
        )
        step = step_of(Version.V201, "TransactionEvent", text)
        assert step.report.values[0].register_wh == 9_007_199_254_740

    @pytest.mark.parametrize(
        "sampled",
        [
            {"value": 1, "unitOfMeasure": {"unit": "kWh", "multiplier": 10**9}},
            {"value": 1, "unitOfMeasure": {"unit": "BTU"}},
            {"value": 1e300},
            {"value": 1, "signedMeterValue": {**signed(encoding="EDL"), "publicKey": ""},
             "measurand": "Voltage"},
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_left_out_and_said(self, sampled):
        step = step_of(Version.V201, "TransactionEvent", values_2(sampled))
        assert [one.code for one in step.faults] == ["unreadable_value"]
        assert (step.report.values, step.report.records) == ((), ())

    def test_an_end_says_why(self):
        said = {**values_2({"value": 1}), "eventType": "Ended"}
        assert step_of(Version.V201, "TransactionEvent", said).report.reason == "Local"
        said["transactionInfo"] = {"transactionId": "tx", "stoppedReason": "EVDisconnected"}
        step = step_of(Version.V201, "TransactionEvent", said)
        assert step.first
        assert step.report.reason == "EVDisconnected"

    def test_signed_values_outside_an_event_are_a_report_of_whatever_they_name(self):
        value = {"value": 1, "signedMeterValue": {**signed(), "publicKey": ""}}
        said = {"evseId": 3, "meterValue": [{"timestamp": NOW, "sampledValue": [value]}]}
        report = step_of(Version.V201, "MeterValues", said).report
        assert (report.transaction, report.evse_id, report.records) == (None, 3, (RECORD,))
        del value["signedMeterValue"]
        assert step_of(Version.V201, "MeterValues", said) == Said({})


EVENT = {**values_2({"value": 1}), "idToken": {"idToken": TAG, "type": "Central"}}
CHARGING = Answer(accepted=True, transaction="tx", max_cost_micros=12_500_000)


class TestAnswersOfOcpp21:
    def say(self, version, answer, limits=None, **changes):
        event = {**EVENT, **changes}
        step = step_of(version, "TransactionEvent", event, limits)
        said = json.loads(write_result("a", step.say(answer)))[2]
        check_result(version, "TransactionEvent", said)
        return said

    def test_a_limit_goes_with_the_token_that_it_is_of(self):
        said = self.say(Version.V21, CHARGING)
        assert said["transactionLimit"] == {"maxCost": 12.5}
        assert said["idTokenInfo"] == {"status": "Accepted", "cacheExpiryDateTime": NOW}

    def test_only_2_1_knows_limits(self):
        assert "transactionLimit" not in self.say(Version.V201, CHARGING)

    def test_a_limit_that_waits_is_told_once(self):
        limits = Limits()
        limits.put("CA-1", "tx", 20_000_000)
        limits.put("CA-2", "tx", 1)
        plain = {key: value for key, value in EVENT.items() if key != "idToken"}
        step = step_of(Version.V21, "TransactionEvent", plain, limits)
        assert json.loads(write_result("a", step.say(None)))[2] == {
            "transactionLimit": {"maxCost": 20.0}
        }
        assert step.say(None) == {}

    def test_a_limit_that_the_station_repeats_is_known(self):
        limits = Limits()
        info = {"transactionId": "tx", "transactionLimit": {"maxCost": 12.345678}}
        self.say(Version.V21, None, limits, triggerReason="LimitSet", transactionInfo=info)
        assert limits.repeated("CA-1", "tx") == 12_345_678
        self.say(Version.V21, None, limits, eventType="Ended")
        assert limits.repeated("CA-1", "tx") is None

    def test_nobody_who_is_refused_is_told_a_limit(self):
        refused = Answer(accepted=False, transaction="tx", max_cost_micros=5)
        for answer in (refused, None):
            said = self.say(Version.V21, answer)
            assert said["idTokenInfo"]["status"] == "NoCredit"
            assert "transactionLimit" not in said

    @pytest.mark.parametrize(
        ("micros", "text"),
        [(0, b"0.00"), (1, b"0.000001"), (12_300_000, b"12.30"), (-1_500_000, b"-1.50")],
    )
    def test_what_it_costs_is_exact_and_free_is_said(self, micros, text):
        answer = Answer(accepted=True, transaction="tx", total_cost_micros=micros)
        event = {**EVENT, "eventType": "Ended"}
        step = step_of(Version.V21, "TransactionEvent", event)
        assert b'"totalCost":' + text in write_result("a", step.say(answer)).encode()

    def test_what_nobody_can_say_yet_is_left_out(self):
        answer = Answer(accepted=True, transaction="tx")
        assert "totalCost" not in self.say(Version.V21, answer, eventType="Ended")


ACTIONS = [(version, action) for version in Version for action in READERS[version]]


@pytest.mark.parametrize(("version", "action"), ACTIONS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_fits_its_schema_is_answered_with_what_fits_its_own(version, action, data):
    schema = SCHEMAS[version, action, False]
    payload = data.draw(fitting(schema, schema))
    step = step_of(version, action, payload)
    if isinstance(step, Said):
        said = [step.payload]
    elif isinstance(step, Freed):
        said = [{}]
    elif isinstance(step, Asked):
        said = [step.say(Admission(accepted=one, max_cost_micros=None)) for one in (True, False)]
    else:
        assert isinstance(step, Told)
        said = [
            step.say(one)
            for one in (
                None,
                Answer(accepted=False, transaction=""),
                Answer(accepted=True, transaction="7", max_cost_micros=1, total_cost_micros=1),
            )
        ]
    for one in said:
        kind, _, answer = json.loads(write_result("a", one))
        assert kind == RESULT
        check_result(version, action, answer)


def test_a_frame_of_ours_is_read_as_it_was_meant():
    call = read_frame(write_call("a", "Reset", {"type": "Hard"}), Version.V16)
    assert (call.message_id, call.action, call.payload) == ("a", "Reset", {"type": "Hard"})
