"""Bad messages are bad in one respect only."""

import json

import pytest
from ocpp.exceptions import OCPPError
from ocpp.messages import Call, unpack
from ocpp.v16.enums import Action

from contracts.typed_data import Domain, digest, keccak, signer_of
from devnet.field.dataset import HOMES_FILE, ColumnMissingError, load_dataset
from devnet.field.drivers import is_one_time_tag
from devnet.field.events import FeederReading, HomeReadings
from devnet.field.gateways import sign_feeder, sign_home
from devnet.field.keys import build_keys
from devnet.field.misbehaving import readings as misbehave
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)
EVENTS = build_schedule(WEEK, PARAMETERS, seed=1, days=1).events
DOMAIN = Domain("Voisin", "1", 1_337, "0x" + "11" * 20)
HOME = next(event for event in EVENTS if isinstance(event, HomeReadings))
FEEDER = next(event for event in EVENTS if isinstance(event, FeederReading))
KEY = KEYS.gateways[HOME.home]
GOOD = sign_home(HOME, KEY, DOMAIN)[0]


def signer(signed):
    reading = signed.reading
    values = {
        "meterId": reading.meter_id,
        "register": int(reading.register),
        "at": reading.at_s,
        "sequence": reading.sequence,
        "energyWh": reading.energy_wh,
        "quality": int(reading.quality),
    }
    return signer_of(digest(DOMAIN, "Reading", values), signed.signature)


def address(key):
    return keccak(key.public_key)[12:]


def test_a_wrong_signature_is_by_another_key_over_the_same_reading():
    bad = misbehave.wrongly_signed(GOOD, 1, DOMAIN)
    assert bad.reading == GOOD.reading
    assert signer(bad) == address(misbehave.stranger(1)) != address(KEY)


def test_other_content_has_the_same_key_and_a_good_signature():
    bad = misbehave.with_other_content(GOOD, KEY, DOMAIN)
    assert bad.reading.energy_wh == GOOD.reading.energy_wh + 1
    assert (bad.reading.at_s, bad.reading.register) == (GOOD.reading.at_s, GOOD.reading.register)
    assert signer(bad) == address(KEY)


def test_a_register_that_runs_backwards_is_later_and_well_signed():
    bad = misbehave.running_backwards(GOOD, KEY, DOMAIN, by_wh=1)
    assert bad.reading.at_s == GOOD.reading.at_s + 3_600
    assert bad.reading.sequence == GOOD.reading.sequence + 1
    assert bad.reading.energy_wh == GOOD.reading.energy_wh - 1
    assert signer(bad) == address(KEY)


def test_an_unknown_meter_signs_for_itself():
    bad = misbehave.of_unknown_meter(GOOD, 1, DOMAIN)
    assert bad.reading.meter_id not in {meter.meter_id for meter in KEYS.meters}
    assert signer(bad) == address(misbehave.stranger(1))


def test_a_disagreeing_feeder_head_is_well_signed():
    bad = misbehave.disagreeing_feeder(FEEDER, KEYS.feeder_head, DOMAIN, by_wh=5_000)
    good = sign_feeder(FEEDER, KEYS.feeder_head, DOMAIN)
    assert bad[0].reading.energy_wh == good[0].reading.energy_wh + 5_000
    assert bad[1] == good[1]
    assert {signer(one) for one in bad} == {address(KEYS.feeder_head)}


def test_a_tag_nobody_opened_has_the_right_form():
    tag = misbehave.tag_nobody_opened(1)
    assert len(tag) == 20
    assert is_one_time_tag(tag)


@pytest.mark.parametrize("frame", misbehave.MALFORMED_FRAMES)
def test_a_malformed_frame_is_no_request_that_ocpp_1_6_knows(frame):
    try:
        message = unpack(frame)
    except (OCPPError, ValueError, TypeError, AttributeError, KeyError):
        return
    assert isinstance(message, Call)
    known = [str(action.value) for action in Action]
    assert message.action not in known or frame_is_unfit(frame)


def frame_is_unfit(frame):
    *_, payload = json.loads(frame)
    return not {"connectorId", "idTag", "meterStart", "timestamp"} <= set(payload)


def test_data_without_a_column_is_otherwise_whole(tmp_path):
    folder = misbehave.data_without_column(tmp_path / "data", HOMES_FILE, "pv_wh")
    with pytest.raises(ColumnMissingError) as caught:
        load_dataset(folder)
    assert (caught.value.file, caught.value.column) == (HOMES_FILE, "pv_wh")
    assert len((folder / HOMES_FILE).read_text().splitlines()) == 2_857
