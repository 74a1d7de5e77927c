"""A bad message is wrong in the one respect that its name says, and right in all others."""

import asyncio
import json

import pytest
from ocpp.exceptions import OCPPError
from ocpp.messages import Call, validate_payload

from devnet.field.keys import Curve, Role, meter_key
from devnet.field.misbehaving import messages
from devnet.field.stations.notes import Message, Note, Phase, SignedValue, Version
from devnet.field.stations.terminal import Terminal
from devnet.field.stations.wire import Address
from ledger.units import UnixSeconds, WattHours, Watts

KEY = meter_key(1, Role.STATION_METER, "one", Curve.SECP256K1, Watts(7_400))
AT_S = UnixSeconds(1_494_244_803)
SIGNED = (SignedValue("OCMF|{}|{}", "Sample.Clock"), SignedValue("OCMF|1|2", "Transaction.End"))
VERSIONS = tuple(Version)
every_version = pytest.mark.parametrize("version", VERSIONS)


def good(version, phase=Phase.ENDED, signed=SIGNED):
    one = Terminal(Address("one", "secret", "ws://127.0.0.1:1"), KEY, version)
    transaction = one.plug_in("TAG", AT_S, WattHours(100))
    transaction.number = 7
    reason = "Local" if phase is Phase.ENDED else None
    said = Note(
        phase, AT_S, WattHours(120), Watts(7_000), "MeterValuePeriodic", "Charging", reason, signed
    )
    return one.message(transaction, one.number(transaction, said))


def fits(version, message):
    try:
        content = json.loads(json.dumps(message.payload))
        asyncio.run(validate_payload(Call("1", message.action, content), str(version)))
    except OCPPError:
        return False
    return True


def differences(one, other, path=""):
    """Return where two payloads differ, as paths."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = {**one, **other}
        found = [differences(one.get(key), other.get(key), f"{path}/{key}") for key in keys]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        found = [differences(a, b, path) for a, b in zip(one, other, strict=True)]
    else:
        return set() if one == other and type(one) is type(other) else {path}
    return set().union(*found) if found else set()


def changed(version, make, phase=Phase.ENDED):
    before = good(version, phase)
    after = make(before)
    assert after.action == before.action
    assert before == good(version, phase)
    return after, differences(before.payload, after.payload)


@every_version
@pytest.mark.parametrize("phase", list(Phase))
def test_a_good_message_fits_its_schema(version, phase):
    assert fits(version, good(version, phase))


def test_a_number_that_never_came_is_minus_one():
    after, where = changed(Version.V16, messages.without_number)
    assert (where, after.payload["transactionId"]) == ({"/transactionId"}, -1)


@every_version
def test_another_tag_is_the_only_difference(version):
    after, where = changed(version, lambda one: messages.with_tag(one, "OTHER"))
    assert where == ({"/idTag"} if version is Version.V16 else {"/idToken/idToken"})
    assert fits(version, after)


def test_another_number_is_the_only_difference():
    _, where = changed(Version.V21, lambda one: messages.with_seq_no(one, 9))
    assert where == {"/seqNo"}


@every_version
@pytest.mark.parametrize("phase", list(Phase))
def test_other_content_is_a_watt_hour_more_about_the_same_thing(version, phase):
    after, where = changed(version, messages.with_other_content, phase)
    assert where
    assert all(path.endswith(("/value", "/meterStart", "/meterStop")) for path in where)
    assert fits(version, after)


@every_version
@pytest.mark.parametrize("value", messages.BAD_VALUES)
def test_a_bad_value_stands_where_a_register_belongs_and_leaves_the_record(version, value):
    after, where = changed(version, lambda one: messages.with_register(one, value))
    assert all(path.endswith(("/value", "/meterStop")) for path in where)
    assert after.payload != good(version).payload
    field = "transactionData" if version is Version.V16 else "meterValue"
    assert after.payload[field][1:] == good(version).payload[field][1:]


@every_version
@pytest.mark.parametrize("told", [0, -1])
def test_a_placeholder_has_the_right_form(version, told):
    after, where = changed(version, lambda one: messages.with_placeholder(one, told))
    assert all(path.endswith(("/value", "/meterStop")) for path in where)
    assert fits(version, after)


@every_version
@pytest.mark.parametrize(
    ("make", "written"),
    [
        (messages.from_1970, "1970-01-01T12:00:03Z"),
        (messages.in_year_14, "0014-05-08T12:00:03Z"),
        (lambda one: messages.with_clock(one, 7_200), "2017-05-08T14:00:03Z"),
        (lambda one: messages.with_clock(one, -7_200), "2017-05-08T10:00:03Z"),
    ],
)
def test_a_wrong_clock_is_wrong_everywhere_but_in_what_is_signed(version, make, written):
    after, where = changed(version, make)
    assert all(path.endswith("/timestamp") for path in where)
    assert after.payload["timestamp"] == written
    field = "transactionData" if version is Version.V16 else "meterValue"
    assert {one["timestamp"] for one in after.payload[field]} == {written}


@every_version
def test_an_unsigned_message_keeps_its_plain_values(version):
    after, _ = changed(version, messages.unsigned)
    field = "transactionData" if version is Version.V16 else "meterValue"
    assert after.payload[field] == good(version).payload[field][:1]
    assert after == good(version, signed=())


@every_version
def test_other_records_take_the_place_of_its_own(version):
    bare = good(version, signed=())
    field = "transactionData" if version is Version.V16 else "meterValue"
    after = messages.signed_by(bare, SIGNED)
    assert len(after.payload[field]) == 3
    assert fits(version, after)


def test_what_carries_no_values_cannot_be_signed():
    start = good(Version.V16, Phase.STARTED)
    assert messages.signed_by(start, SIGNED) == start
    assert messages.unsigned(Message("Heartbeat", {})) == Message("Heartbeat", {})


@every_version
def test_a_number_that_json_does_not_know_is_written_all_the_same(version):
    frame = messages.not_json(good(version))
    assert "NaN" in frame
    with pytest.raises(ValueError, match="NaN"):
        json.loads(frame, parse_constant=_refuse)


def _refuse(constant):
    raise ValueError(constant)
