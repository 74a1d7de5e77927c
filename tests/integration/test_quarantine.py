"""What is refused is seen by the operator, and can be judged again after a fix, once."""

from functools import partial
from types import SimpleNamespace

import pytest

from devnet.field.gateways import Quality, Reading, Register, post_readings, sign_reading
from ledger.units import WattHours
from settlement.engine.charging.transactions import authorize
from settlement.tables import meter
from tests.integration.forecourt import HOUR_S, forecourt

ENERGY_WH = 4_000


@pytest.fixture(scope="module")
def court(tmp_path_factory):
    with forecourt(tmp_path_factory.mktemp("quarantine")) as opened:
        yield opened
        assert opened.law_breaks() == {}


@pytest.fixture
def visit(court):
    court.pass_time(HOUR_S)
    found = court.visit()
    found.start()
    court.pass_time(HOUR_S)
    return found


def listed(court, **query):
    answer = court.runner.run(court.client.get("/api/quarantine", params=query))
    assert answer.status_code == 200
    return answer.json()


def replayed(court, seq):
    answer = court.runner.run(court.client.post(f"/api/quarantine/{seq}/replay"))
    return answer.status_code, answer.json()


def revoke(court, visit, *, until_s):
    with court.service.writing() as connection:
        connection.execute(
            meter.update()
            .where(meter.c.meter_id == visit.key.meter_id_hex)
            .values(valid_until_s=until_s)
        )


def test_lists_the_newest_first_page_by_page(court, visit):
    told = [visit.stopping(visit.whole(ENERGY_WH, tag=f"TAG{n}")) for n in range(3)]
    assert [visit.say(one) for one in told] == ["foreign_record"] * 3
    first = listed(court, station=visit.name, limit=2)
    second = listed(court, station=visit.name, limit=2, before=first["next_before"])
    seqs = [one["seq"] for one in first["refusals"] + second["refusals"]]
    assert len(seqs) == 3
    assert seqs == sorted(seqs, reverse=True)
    assert second["next_before"] is None
    assert [one["body"] for one in first["refusals"]] == [
        told[2].body.decode(),
        told[1].body.decode(),
    ]


def test_lists_by_station_and_code(court, visit):
    visit.say(visit.stopping())
    visit.say(visit.stopping(visit.whole(ENERGY_WH, tag="OTHER")))
    assert [one["code"] for one in listed(court, station=visit.name)["refusals"]] == [
        "foreign_record",
        "no_signed_record",
    ]
    only = listed(court, station=visit.name, code="foreign_record")["refusals"]
    assert [one["code"] for one in only] == ["foreign_record"]
    assert listed(court, station="nobody")["refusals"] == []


def test_a_record_of_a_revoked_meter_settles_when_the_meter_is_back(court, visit):
    whole_life_s = court.now_s + 10**6
    revoke(court, visit, until_s=court.now_s)
    assert visit.say(visit.stopping(visit.whole(ENERGY_WH))) == "unknown_meter"
    assert (visit.state, visit.row["held_code"]) == ("held", "unknown_meter")
    (one,) = listed(court, station=visit.name)["refusals"]
    assert (one["replayable"], one["replayed"]) == (True, None)
    assert replayed(court, one["seq"])[1]["code"] == "unknown_meter"
    revoke(court, visit, until_s=whole_life_s)
    status, outcome = replayed(court, one["seq"])
    assert (status, outcome["status"]) == (200, "accepted")
    row = visit.row
    assert (row["state"], row["energy_wh"]) == ("closed", ENERGY_WH)
    assert row["charge_micros"] + row["refund_micros"] == row["deposit_micros"]


def test_judging_again_what_was_accepted_changes_nothing(court, visit):
    revoke(court, visit, until_s=court.now_s)
    visit.say(visit.stopping(visit.whole(ENERGY_WH)))
    revoke(court, visit, until_s=court.now_s + 10**6)
    (one,) = listed(court, station=visit.name)["refusals"]
    first = replayed(court, one["seq"])
    before = visit.events
    assert replayed(court, one["seq"]) == first
    assert visit.events == before
    assert listed(court, station=visit.name)["refusals"][0]["replayed"] == first[1]


def test_a_fiscal_record_judged_again_counts(court, visit):
    revoke(court, visit, until_s=court.now_s)
    assert visit.say(visit.metered(visit.fiscal(1, 0, ENERGY_WH))) == "unknown_meter"
    revoke(court, visit, until_s=court.now_s + 10**6)
    (one,) = listed(court, station=visit.name)["refusals"]
    assert replayed(court, one["seq"])[0] == 200
    assert [tuple(row) for row in visit.slices] == [(1, ENERGY_WH)]
    visit.say(visit.stopping(visit.whole(ENERGY_WH)))
    assert visit.state == "closed"


def test_a_reading_judged_again_counts(court):
    world = court.here.world
    key = next(iter(world.keys.gateways.values()))
    home = SimpleNamespace(key=key)
    one = Reading(
        meter_id=key.meter_id,
        register=Register.IMPORT,
        at_s=court.now_s,
        sequence=1,
        energy_wh=WattHours(1_000),
        quality=Quality.MEASURED,
    )
    signed = sign_reading(one, key, world.places.community_domain)
    revoke(court, home, until_s=court.now_s)
    (answer,) = court.runner.run(post_readings(court.client, (signed,)))
    assert answer.code == "unknown_meter"
    (kept,) = listed(court, station=key.meter_id_hex)["refusals"]
    status, body = replayed(court, kept["seq"])
    assert (status, body["code"], "unknown_meter" in body["detail"]) == (422, "still_refused", True)
    revoke(court, home, until_s=court.now_s + 10**7)
    assert replayed(court, kept["seq"]) == (200, {"status": "accepted"})
    (answer,) = court.runner.run(post_readings(court.client, (signed,)))
    assert answer.status == "replayed"


def test_what_is_still_wrong_says_so_and_stays(court, visit):
    visit.say(visit.stopping(visit.whole(ENERGY_WH, tag="OTHER")))
    (one,) = listed(court, station=visit.name)["refusals"]
    for _ in range(2):
        status, body = replayed(court, one["seq"])
        assert (status, body["code"]) == (422, "foreign_record")
    assert len(listed(court, station=visit.name)["refusals"]) == 1


def test_a_number_that_nothing_has_is_not_found(court):
    assert replayed(court, 10**6)[0] == 404


def test_what_nobody_can_judge_again_says_to_send_it_again(court, visit):
    asked = partial(authorize, court.service, station_id=visit.name, id_tag="NOBODY")
    assert not court.run(asked).accepted
    (one,) = listed(court, station=visit.name, code="no_deposit")["refusals"]
    status, body = replayed(court, one["seq"])
    assert (status, body["code"], one["replayable"]) == (409, "not_replayable", False)
