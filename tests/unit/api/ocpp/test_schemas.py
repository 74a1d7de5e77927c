"""The compiled validators judge as the library's own, over every action of every version."""

import json
from importlib import resources

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocpp import messages
from ocpp.exceptions import OCPPError

from api.ocpp.frames import MalformedFrameError, Version
from api.ocpp.schemas import check_call, check_result, known_actions
from tests.unit.api.ocpp.payloads import fitting, spoiled

# The library reads these with decimals or with floats, depending on what it read before; they are
# requests to a station that we never send, and the answer to one.
UNSTEADY = {
    ("1.6", "SetChargingProfile", False),
    ("1.6", "RemoteStartTransaction", False),
    ("1.6", "GetCompositeSchedule", True),
}


def schema_of(version, action, is_result):
    request = "" if version is Version.V16 else "Request"
    name = f"{action}{'Response' if is_result else request}.json"
    folder = resources.files("ocpp") / f"v{version.value.replace('.', '')}" / "schemas"
    return json.loads((folder / name).read_text("utf-8-sig"))


SUBJECTS = [
    (version, action, is_result)
    for version in Version
    for action in sorted(known_actions(version))
    for is_result in (False, True)
    if (version.value, action, is_result) not in UNSTEADY
]
SCHEMAS = {subject: schema_of(*subject) for subject in SUBJECTS}


def ours(subject, text):
    version, action, is_result = subject
    check = check_result if is_result else check_call
    try:
        check(version, action, orjson.loads(text))
    except MalformedFrameError as fault:
        return json.loads(fault.reply)[2]
    return None


def the_library(subject, text):
    version, action, is_result = subject
    payload = json.loads(text)
    message = (
        messages.CallResult("1", payload, action)
        if is_result
        else messages.Call("1", action, payload)
    )
    try:
        messages._validate_payload(message, version.value)
    except OCPPError as fault:
        return fault.code
    return None


def test_every_action_of_every_version_is_compared():
    assert len(SUBJECTS) == 2 * (39 + 64 + 90) - len(UNSTEADY)


@pytest.mark.parametrize("version", list(Version))
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_fits_is_accepted_by_both(version, data):
    subject = data.draw(st.sampled_from([one for one in SUBJECTS if one[0] is version]))
    payload = data.draw(fitting(SCHEMAS[subject], SCHEMAS[subject]))
    text = json.dumps(payload)
    assert ours(subject, text) is None
    assert the_library(subject, text) is None


@pytest.mark.parametrize("version", list(Version))
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_does_not_fit_gets_the_code_of_the_library(version, data):
    subject = data.draw(st.sampled_from([one for one in SUBJECTS if one[0] is version]))
    payload = data.draw(spoiled(fitting(SCHEMAS[subject], SCHEMAS[subject])))
    text = json.dumps(payload)
    assert ours(subject, text) == the_library(subject, text)
