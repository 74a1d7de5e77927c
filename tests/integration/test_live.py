"""A driver sees a session live, is warned, stopped in time, and has the rest back."""

import re

import pytest

from ledger.units import cost_floor
from scripts.street.place import street_rules
from tests.integration.live_street import LIMITED, QUICK, SLOW, STEADY, Driver, street

PRICE = street_rules().tariff.price_micros_per_kwh


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with street(tmp_path_factory.mktemp("street")) as address:
        yield address


@pytest.fixture
def driver(url, request):
    one = Driver(url, request.node.name)
    with one.client:
        one.drink()
        yield one


def until_over(driver, session):
    """Return every document of the session's stream to its end."""
    return [document for _, document in driver.watch(session)]


def events(driver, session):
    steps = driver.client.get(f"/api/trace/{session}").json()["steps"]
    return [step["title"] for step in steps if step["step"] == "log"]


def test_what_is_shown_is_what_would_be_billed_and_then_is(driver):
    before = driver.held()
    session = driver.open(STEADY, 1_000)
    stopped, shown = False, []
    for _, now in driver.watch(session):
        shown.append(now)
        if not stopped and (now["energy_wh"] or 0) > 10:
            stopped = driver.stop(session).status_code == 202
    states = [now["state"] for now in shown]
    assert states[0] in {"open", "charging"}
    assert states[-1] == "closed"
    drawn = [now for now in shown if now["energy_wh"] is not None]
    assert len(drawn) > 2
    assert [now["energy_wh"] for now in drawn] == sorted(now["energy_wh"] for now in drawn)
    for now in drawn:
        spent, back = int(now["spent_micros"]), int(now["back_micros"])
        assert spent == cost_floor(now["energy_wh"], PRICE)
        assert spent + back == int(now["deposit_micros"])
    last = shown[-1]
    assert (last["over"], last["signed"], last["refund"]["state"]) == (True, True, "final")
    view = driver.client.get(f"/api/sessions/{session}").json()
    assert (view["energy_wh"], view["charge_micros"]) == (last["energy_wh"], last["spent_micros"])
    assert driver.held() == before - int(last["spent_micros"])


@pytest.mark.parametrize("station", [STEADY, QUICK])
def test_a_station_without_a_limit_is_stopped_before_the_deposit_is_overrun(driver, station):
    session = driver.open(station, 60 if station == STEADY else 200)
    shown = until_over(driver, session)
    phases = [now["phase"] for now in shown]
    assert phases[-1] == "closed"
    assert {"charging", "warned"} <= set(phases)
    last = shown[-1]
    assert 0 < int(last["back_micros"]) < int(last["deposit_micros"]) // 2
    assert cost_floor(last["energy_wh"], PRICE) < int(last["deposit_micros"])
    names = events(driver, session)
    assert names.count("session_warned") == 1
    assert names.count("session_stop_asked") == 1


def test_a_station_that_knows_the_limit_holds_at_it_until_the_driver_stops(driver):
    session = driver.open(LIMITED, 300)
    phases = []
    for _, now in driver.watch(session):
        phases.append(now["phase"])
        if now["phase"] == "suspended" and "closing" not in phases:
            assert driver.stop(session).status_code in {202, 409}
    assert phases[-1] == "closed"
    assert "suspended" in phases
    assert "session_stop_asked" not in events(driver, session)
    last = driver.client.get(f"/api/sessions/{session}/now").json()
    assert cost_floor(last["energy_wh"], PRICE) <= int(last["deposit_micros"])


def test_a_raised_deposit_lets_energy_flow_again(driver):
    session = driver.open(LIMITED, 300)
    phases, deposits = [], []
    for _, now in driver.watch(session):
        phases.append(now["phase"])
        deposits.append(int(now["deposit_micros"]))
        if now["phase"] == "suspended" and len(set(deposits)) == 1 and "raised" not in phases:
            phases.append("raised")
            assert driver.raise_deposit(session, 1_000_000).status_code in {200, 201}
        if "raised" in phases and now["phase"] == "charging":
            assert deposits[-1] == deposits[0] + 1_000_000
            assert driver.stop(session).status_code in {202, 409}
    assert phases[-1] == "closed"
    assert "charging" in phases[phases.index("raised") :]


def test_only_the_driver_stops_and_only_what_charges(driver):
    session = driver.open(SLOW, 1_000)
    stranger = driver.stop(session, key=bytes(31) + b"\x09")
    assert (stranger.status_code, stranger.json()["code"]) == (403, "not_the_driver")
    for _, now in driver.watch(session):
        if now["energy_wh"]:
            assert driver.stop(session).status_code == 202
            break
    until_over(driver, session)
    late = driver.stop(session)
    assert (late.status_code, late.json()["code"]) == (409, "nothing_to_stop")
    nobody = driver.stop("0x" + "00" * 32)
    assert (nobody.status_code, nobody.json()["code"]) == (404, "unknown_session")


def test_a_stream_goes_on_where_it_was_and_ends_for_good(driver):
    session = driver.open(SLOW, 1_000)
    seen = ""
    for identity, now in driver.watch(session):
        seen = identity
        if now["energy_wh"]:
            break
    again, now = next(iter(driver.watch(session, seen)))
    assert again != seen
    assert now["energy_wh"] > 0
    assert driver.stop(session).status_code == 202
    for identity, now in driver.watch(session):
        seen, last = identity, now
    assert last["over"]
    path = f"/api/sessions/{session}/live"
    assert driver.client.get(path, headers={"last-event-id": seen}).status_code == 204
    assert '"over":true' in driver.client.get(path).text


def test_the_page_says_the_same_without_a_script(driver):
    session = driver.open(SLOW, 1_000)
    for _, now in driver.watch(session):
        if now["energy_wh"]:
            break
    page = driver.client.get(f"/sessions/{session}?lang=en").text
    energy = re.search(r'"kwh_exact energy_wh"[^>]*>(\d+)\.(\d{3})', page)
    assert int(energy[1] + energy[2]) >= now["energy_wh"]
    assert "Unplug or stop whenever you like." in page
    assert driver.stop(session).status_code == 202
    until_over(driver, session)
    page = driver.client.get(f"/sessions/{session}?lang=en").text
    assert "The rest of your deposit is back in your wallet." in page


def test_demonstration_money_is_given_once_a_day(driver):
    before = driver.held()
    driver.drink()
    assert driver.held() == before == 100_000_000
