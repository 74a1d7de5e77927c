"""A screen shows what is stored and what the meter says, and never more than is so."""

import asyncio
import json
from dataclasses import replace

import pytest

from api.live.track import Track
from settlement.charging.reports import MeterValue, Phase
from settlement.engine.live.facts import Refund
from tests.unit.api.live.support import CHARGING, told

REFUND = Refund("0x" + "ab" * 32, 17, "mined")


def shown(track):
    return json.loads(track.document())


def test_nothing_is_known_before_the_first_value():
    one = shown(Track(CHARGING))
    assert (one["phase"], one["energy_wh"], one["spent_micros"]) == ("charging", None, None)


def test_a_value_is_shown_as_energy_power_and_both_sides_of_the_deposit():
    track = Track(CHARGING)
    assert track.note(told(600, 1_900, 5_400))
    one = shown(track)
    assert (one["energy_wh"], one["power_w"], one["at_s"]) == (900, 5_400, 600)
    assert (one["spent_micros"], one["back_micros"]) == ("450000", "550000")
    assert one["spent_bp"] == 4_500


@pytest.mark.parametrize(
    ("register_wh", "trigger", "power_w", "phase"),
    [
        (1_900, "", 5_400, "charging"),
        (2_600, "", 5_400, "warned"),
        (2_999, "", 5_400, "stopping"),
        (3_000, "CostLimitReached", 0, "suspended"),
    ],
)
def test_the_phase_says_how_near_the_end_is(register_wh, trigger, power_w, phase):
    track = Track(CHARGING)
    track.note(told(600, register_wh, power_w, trigger))
    assert shown(track)["phase"] == phase


def test_a_suspended_session_goes_on_when_power_flows_again():
    track = Track(replace(CHARGING, deposit_micros=10**7))
    track.note(told(600, 3_000, 0, "CostLimitReached"))
    assert shown(track)["phase"] == "suspended"
    track.note(told(700, 3_010, 7_200))
    assert shown(track)["phase"] == "charging"


def test_the_signed_record_takes_the_place_of_what_was_shown():
    track = Track(CHARGING)
    track.note(told(600, 1_900))
    closing = replace(
        CHARGING, state="closing", energy_wh=905, charge_micros=452_500, refund_micros=547_500
    )
    track.put(closing)
    assert not track.note(told(700, 2_500))
    one = shown(track)
    assert (one["energy_wh"], one["power_w"], one["signed"]) == (905, None, True)
    assert (one["spent_micros"], one["back_micros"]) == ("452500", "547500")
    assert (one["over"], one["refund"]) == (False, None)
    track.put(replace(closing, state="closed", refund=REFUND))
    assert (shown(track)["over"], shown(track)["refund"]["state"]) == (True, "mined")


def test_a_start_that_tells_its_register_is_a_begin():
    track = Track(replace(CHARGING, state="open", begin=None))
    begin = MeterValue(500, 1_000, 0, "Transaction.Begin")
    assert track.note(replace(told(500, 0), phase=Phase.STARTED, values=(begin,)))
    track.put(replace(CHARGING, begin=None))
    track.note(told(600, 1_100))
    assert shown(track)["energy_wh"] == 100


def test_without_a_begin_nothing_is_made_up():
    track = Track(replace(CHARGING, begin=None))
    assert not track.note(told(600, 1_900))
    assert shown(track)["energy_wh"] is None


def test_a_change_wakes_who_watches_and_no_change_wakes_nobody():
    async def watch():
        track, watcher = Track(CHARGING), asyncio.Event()
        track.watchers.add(watcher)
        assert not track.put(CHARGING)
        assert not track.note(told(600, 999))
        assert not watcher.is_set()
        assert track.revision == 0
        track.note(told(600, 1_900))
        assert watcher.is_set()
        return track.revision

    assert asyncio.run(watch()) == 1
