"""A station that lives by itself charges, samples, signs, waits out the service and obeys it."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from devnet.field.dataset import load_dataset
from devnet.field.keys import build_keys
from devnet.field.parameters import load_parameters
from devnet.field.stations.charging import Curve, MeterState, Plate
from devnet.field.stations.live import Equipment, LiveStation
from devnet.field.stations.notes import Version
from devnet.field.stations.wire import Address, StationNotAdmittedError
from ledger.clock import ReplayClock
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours, Watts
from settlement.charging.slices import slice_of
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_energy import energy_between, register_pair
from tests.integration.central import TAG, central, eventually

KEYS = build_keys(load_dataset(), load_parameters(), seed=1)
NAME = "CA-314"
NOON = 1_494_244_800
VERSIONS = ("1.6", "2.0.1", "2.1")
EVENTS = ("2.0.1", "2.1")
EQUIPMENT = Equipment(
    key=KEYS.stations[NAME],
    meter=MeterState(WattHours(1_000_000), fiscal_page=40, transaction_page=9),
    curve=Curve(Watts(7_200), WattHours(20_000)),
    plate=Plate(MicrosPerKilowattHour(400_000), Micros(0)),
)


@asynccontextmanager
async def living(version, **changed):
    """A live station and its central system, at noon of a day in May."""
    equipment = replace(EQUIPMENT, version=Version(version), **changed)
    async with central(version) as csms:
        clock = ReplayClock(UnixSeconds(NOON))
        address = Address(NAME, KEYS.passwords[NAME], csms.url)
        async with LiveStation(address, equipment, clock) as one:
            yield csms, one, clock
        assert csms.faults == []


async def live(one, clock, seconds, step_s=1):
    for _ in range(0, seconds, step_s):
        clock.set(UnixSeconds(clock.now_s() + step_s))
        await one.step()


async def charge(one, clock, seconds=1_000, step_s=1):
    """Plug in, draw for a while, unplug."""
    await one.step()
    one.plug_in(TAG)
    await one.step()
    await live(one, clock, seconds, step_s)
    one.unplug()
    await one.step()


def run(work):
    return asyncio.run(work)


def values(csms):
    """Return every meter value that a transaction's messages carried, in order."""
    found = []
    for action, payload in csms.calls:
        if action in {"MeterValues", "TransactionEvent"}:
            found += payload["meterValue"]
        if action == "StopTransaction":
            found += payload["transactionData"]
    return found


def records(csms):
    """Return every signed record, in order."""
    found = []
    for one in values(csms):
        for sampled in one["sampledValue"]:
            signed = sampled.get("signedMeterValue")
            if sampled.get("format") == "SignedData":
                signed = json.loads(sampled["value"])
            if signed is not None:
                found.append(base64.b64decode(signed["signedMeterData"]).decode())
    return found


def registers(csms):
    return [
        int(sampled["value"])
        for one in values(csms)
        for sampled in one["sampledValue"]
        if sampled["measurand"] == "Energy.Active.Import.Register"
        and sampled.get("format") != "SignedData"
        and "signedMeterValue" not in sampled
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_sampled_and_signed_in_every_version(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await charge(one, clock)
            return csms, one.meter

    csms, meter = run(session())
    *parts, whole = [parse_record(text) for text in records(csms)]
    assert [part.pagination_number for part in parts] == [41, 42]
    assert {part.pagination_kind for part in parts} == {"F"}
    assert (whole.pagination_kind, whole.pagination_number) == ("T", 10)
    assert {one.id_tag for one in (*parts, whole)} == {TAG}
    drawn = [slice_of(part, interval_s=900, id_tag=TAG).energy_wh for part in parts]
    assert drawn == [1_800, 200]
    assert energy_between(*register_pair(whole)) == 2_000 == meter.register_wh - 1_000_000
    assert (meter.fiscal_page, meter.transaction_page) == (42, 10)
    seen = registers(csms)
    assert seen == sorted(seen)
    assert len(seen) >= 1_000 // 5


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_again_is_the_same_to_the_byte(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await charge(one, clock, 60)
            return csms.ids, csms.calls

    assert run(session()) == run(session())


@pytest.mark.parametrize("step_s", [1, 4, 250])
def test_how_often_it_looks_at_the_clock_does_not_change_what_is_signed(step_s):
    async def session(step_s):
        async with living("2.1") as (csms, one, clock):
            await charge(one, clock, step_s=step_s)
            return records(csms)

    assert run(session(step_s)) == run(session(10))


def test_a_session_in_1_6_is_a_start_values_and_a_stop():
    async def session():
        async with living("1.6") as (csms, one, clock):
            await charge(one, clock, 12)
            return csms

    csms = run(session())
    assert csms.actions == [
        "BootNotification",
        "StatusNotification",
        "Authorize",
        "StatusNotification",
        "StartTransaction",
        "StatusNotification",
        "MeterValues",
        "MeterValues",
        "StopTransaction",
        "StatusNotification",
        "StatusNotification",
    ]
    statuses = [payload["status"] for payload in csms.said("StatusNotification")]
    assert statuses == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    (stop,) = csms.said("StopTransaction")
    assert (stop["transactionId"], stop["reason"], stop["meterStop"]) == (
        7,
        "EVDisconnected",
        1_000_024,
    )


@pytest.mark.parametrize("version", EVENTS)
def test_events_of_2_x_are_numbered_without_a_gap(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await charge(one, clock, 30)
            return csms.said("TransactionEvent")

    events = run(session())
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert [event["eventType"] for event in events][:: len(events) - 1] == ["Started", "Ended"]
    assert len({event["transactionInfo"]["transactionId"] for event in events}) == 1
    assert not any(event["offline"] for event in events)
    assert events[-1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_id_tag_that_is_not_accepted_gets_no_energy(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            one.plug_in("NOBODY")
            await live(one, clock, 60)
            return csms.actions, one.meter

    actions, meter = run(session())
    assert actions[-1] == "Authorize"
    assert meter == EQUIPMENT.meter


@pytest.mark.parametrize("version", VERSIONS)
def test_a_remote_start_begins_and_a_remote_stop_ends(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            if version == "1.6":
                begun = await csms.ask("RemoteStartTransaction", {"idTag": TAG})
                await live(one, clock, 10)
                again = await csms.ask("RemoteStartTransaction", {"idTag": TAG})
                ended = await csms.ask("RemoteStopTransaction", {"transactionId": 7})
            else:
                wish = {"idToken": {"idToken": TAG, "type": "Central"}, "remoteStartId": 5}
                begun = await csms.ask("RequestStartTransaction", wish)
                await live(one, clock, 10)
                again = await csms.ask("RequestStartTransaction", wish)
                name = {"transactionId": one.transaction.name}
                ended = await csms.ask("RequestStopTransaction", name)
            await live(one, clock, 1)
            assert one.transaction is None
            return csms, [answer["status"] for answer in (begun, again, ended)]

    csms, answers = run(session())
    assert answers == ["Accepted", "Rejected", "Accepted"]
    if version == "1.6":
        assert csms.said("StopTransaction")[0]["reason"] == "Remote"
    else:
        first, *_, last = csms.said("TransactionEvent")
        assert (first["triggerReason"], last["triggerReason"]) == ("RemoteStart", "RemoteStop")
        assert first["transactionInfo"]["remoteStartId"] == 5
        assert last["transactionInfo"]["stoppedReason"] == "Remote"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_begin_is_signed_by_itself_where_the_meter_does_so(version):
    async def session():
        async with living(version, signs_begin=True) as (csms, one, clock):
            await charge(one, clock, 60)
            return records(csms), one.meter

    (begin, _, whole), meter = run(session())
    begin, whole = parse_record(begin), parse_record(whole)
    assert [(one.reason, one.digits, one.decimals) for one in begin.readings] == [
        ("B", 1_000_000, 3)
    ]
    assert (begin.pagination_number, whole.pagination_number) == (10, 11)
    assert energy_between(*register_pair(whole)) == 120
    assert meter.transaction_page == 11


@pytest.mark.parametrize("version", VERSIONS)
def test_short_of_memory_it_drops_samples_and_nothing_that_is_signed(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            one.plug_in(TAG)
            await one.step()
            connect, one.terminal.connect = one.terminal.connect, _away
            await one.terminal.go_offline()
            await live(one, clock, 1_000)
            dropped = one.terminal.thin_out()
            one.unplug()
            await one.step()
            one.terminal.connect = connect
            await one.step()
            return csms, dropped

    csms, dropped = run(session())
    assert dropped == 99
    assert len(records(csms)) == 3
    seen = registers(csms)
    assert seen == sorted(seen)
    numbers = [event["seqNo"] for event in csms.said("TransactionEvent")]
    assert numbers == sorted(set(numbers))
    if version != "1.6":
        assert numbers[-1] - len(numbers) + 1 == dropped


def test_a_limit_of_cost_is_echoed_and_stops_the_energy_to_the_watt_hour():
    async def session():
        async with living("2.1") as (csms, one, clock):
            csms.limit_euros = 0.1
            await one.step()
            one.plug_in(TAG)
            await live(one, clock, 200)
            assert one.state == "SuspendedEVSE"
            csms.limit_euros = 0.14
            await live(one, clock, 30)
            resumed = one.state
            await live(one, clock, 100)
            return csms, resumed, one.meter.register_wh

    csms, resumed, register_wh = run(session())
    echoes = [e for e in csms.said("TransactionEvent") if e["triggerReason"] == "LimitSet"]
    assert [e["transactionInfo"]["transactionLimit"]["maxCost"] for e in echoes] == [0.1, 0.14]
    reached = [e for e in csms.said("TransactionEvent") if e["triggerReason"] == "CostLimitReached"]
    assert [e["transactionInfo"]["chargingState"] for e in reached] == ["SuspendedEVSE"] * 2
    assert resumed == "Charging"
    assert [int(e["meterValue"][0]["sampledValue"][0]["value"]) for e in reached] == [
        1_000_250,
        1_000_350,
    ]
    assert register_wh == 1_000_350


def test_without_a_price_of_its_own_it_cannot_stop_at_a_cost():
    async def session():
        async with living("2.1", plate=None) as (csms, one, clock):
            csms.limit_euros = 0.1
            await one.step()
            one.plug_in(TAG)
            await live(one, clock, 200)
            return csms.triggers, one.meter.register_wh

    triggers, register_wh = run(session())
    assert "CostLimitReached" not in triggers
    assert register_wh > 1_000_250


def test_a_full_car_stays_plugged_and_says_so():
    async def session():
        async with living("2.1", curve=Curve(Watts(7_200), WattHours(100))) as (csms, one, clock):
            await charge(one, clock, 600)
            return csms

    csms = run(session())
    states = [e["transactionInfo"]["chargingState"] for e in csms.said("TransactionEvent")]
    assert "SuspendedEV" in states
    assert csms.said("TransactionEvent")[-1]["meterValue"][0]["sampledValue"][0]["value"] == (
        1_000_100
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_said_while_the_service_is_away_waits_in_order(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            one.plug_in(TAG)
            await one.step()
            await live(one, clock, 20)
            before = len(csms.calls)
            connect, one.terminal.connect = one.terminal.connect, _away
            await one.terminal.go_offline()
            await live(one, clock, 20)
            assert len(csms.calls) == before
            assert one.terminal.has_queued(None)
            one.terminal.connect = connect
            await live(one, clock, 10)
            assert not one.terminal.has_queued(None)
            one.unplug()
            await one.step()
            return csms, before

    csms, before = run(session())
    later = csms.calls[before:]
    assert [action for action, _ in later[:2]] == ["BootNotification", "StatusNotification"]
    seen = registers(csms)
    assert seen == sorted(seen)
    if version != "1.6":
        events = csms.said("TransactionEvent")
        assert [event["seqNo"] for event in events] == list(range(len(events)))
        offline = [event["offline"] for event in events]
        assert offline == sorted(offline[:-3]) + offline[-3:]
        assert offline.count(True) == 4


@pytest.mark.parametrize("version", EVENTS)
def test_it_says_whether_a_transaction_runs_and_what_waits(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            one.plug_in(TAG)
            await live(one, clock, 10)
            name = one.transaction.name
            found = [
                await csms.ask("GetTransactionStatus", {"transactionId": name}),
                await csms.ask("GetTransactionStatus", {"transactionId": "other"}),
                await csms.ask("GetTransactionStatus", {}),
            ]
            cost = {"totalCost": 1.25, "transactionId": name}
            assert await csms.ask("CostUpdated", cost) == {}
            return found, one.transaction.cost_micros

    found, cost = run(session())
    assert found == [
        {"messagesInQueue": False, "ongoingIndicator": True},
        {"messagesInQueue": False, "ongoingIndicator": False},
        {"messagesInQueue": False},
    ]
    assert cost == 1_250_000


@pytest.mark.parametrize("version", VERSIONS)
def test_it_sends_what_it_is_asked_for(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            values = "MeterValues" if version == "1.6" else "TransactionEvent"
            early = await csms.ask("TriggerMessage", {"requestedMessage": values})
            one.plug_in(TAG)
            await one.step()
            count = csms.actions.count(values)
            later = await csms.ask("TriggerMessage", {"requestedMessage": values})
            await eventually(lambda: one.terminal.sample_wanted)
            await live(one, clock, 1)
            beat = await csms.ask("TriggerMessage", {"requestedMessage": "Heartbeat"})
            await eventually(lambda: "Heartbeat" in csms.actions)
            answers = [answer["status"] for answer in (early, later, beat)]
            return answers, csms.actions.count(values) - count

    assert run(session()) == (["NotImplemented", "Accepted", "Accepted"], 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_data_of_a_vendor_goes_both_ways(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            asked = await csms.ask("DataTransfer", {"vendorId": "org.voisin", "data": "hello"})
            sent = await one.terminal.transfer("org.voisin", "back", clock.now_s())
            return asked, sent, one.terminal.heap.data

    accepted = {"status": "Accepted"}
    assert run(session()) == (accepted, accepted, [("org.voisin", "hello")])


def test_a_settlement_is_kept_and_what_2_1_does_not_know_is_answered():
    async def session():
        async with living("2.1") as (csms, one, _clock):
            await one.step()
            settled = {
                "pspRef": "ref",
                "status": "Settled",
                "settlementAmount": 1.5,
                "settlementTime": "2017-05-08T12:00:00Z",
            }
            answer = await csms.ask("NotifySettlement", settled)
            unknown = await csms.ask("ClearCache", {})
            return answer, one.terminal.heap.settlements, unknown

    answer, kept, unknown = run(session())
    assert answer == {}
    assert [one["settlement_amount"] for one in kept] == [1.5]
    assert unknown[0] == "NotSupported"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_that_the_service_cannot_take_does_not_stop_the_station(version):
    async def session():
        async with living(version) as (csms, one, clock):
            event = "MeterValues" if version == "1.6" else "TransactionEvent"
            await one.step()
            one.plug_in(TAG)
            await one.step()
            csms.errors[event] = "InternalError"
            await live(one, clock, 20)
            csms.errors.clear()
            one.unplug()
            await one.step()
            return csms

    csms = run(session())
    assert len(records(csms)) == 2
    assert len(set(csms.ids)) == len(csms.ids)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_remote_stop_of_another_transaction_is_rejected(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            one.plug_in(TAG)
            await one.step()
            action = "RemoteStopTransaction" if version == "1.6" else "RequestStopTransaction"
            other = 8 if version == "1.6" else "another"
            answer = await csms.ask(action, {"transactionId": other})
            await live(one, clock, 2)
            return answer["status"], one.state

    assert run(session()) == ("Rejected", "Charging")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_that_ended_while_the_service_was_away_is_told_when_it_is_back(version):
    async def session():
        async with living(version) as (csms, one, clock):
            await one.step()
            one.plug_in(TAG)
            await one.step()
            connect, one.terminal.connect = one.terminal.connect, _away
            await one.terminal.go_offline()
            await live(one, clock, 20)
            one.unplug()
            await one.step()
            assert records(csms) == []
            one.terminal.connect = connect
            await one.step()
            return csms, one.terminal.has_queued(None)

    csms, waits = run(session())
    assert len(records(csms)) == 2
    assert not waits


async def _away(_at_s):
    """Be a connection that is tried and not had."""
    await asyncio.sleep(0)


def test_run_lives_until_it_is_told_to_leave():
    async def session():
        async with living("2.1") as (csms, one, _clock):
            alive = asyncio.create_task(one.run(pause_s=0.01))
            await eventually(lambda: csms.actions[:1] == ["BootNotification"])
            one.plug_in(TAG)
            await eventually(lambda: csms.said("TransactionEvent"))
            one.leave()
            await asyncio.wait_for(alive, 5)
            return one.transaction

    assert run(session()) is not None


def test_a_station_that_is_not_let_in_says_so():
    async def session():
        async with central("2.0.1") as csms:
            address = Address(NAME, "wrong", csms.url)
            equipment = replace(EQUIPMENT, version=Version("2.1"))
            async with LiveStation(address, equipment, ReplayClock(UnixSeconds(NOON))) as one:
                await one.run()

    with pytest.raises(StationNotAdmittedError):
        run(session())
