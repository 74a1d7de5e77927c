"""Stations speak OCPP 1.6-J with a real central system over a real websocket."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import pytest
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from devnet.field.dataset import load_dataset
from devnet.field.events import DriverArrives, SessionStops, SliceBoundary
from devnet.field.keys import build_keys
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule
from devnet.field.stations import Station
from devnet.field.stations.charge_point import TagRefusedError
from devnet.field.stations.wire import (
    CallRefusedError,
    Patience,
    StationNotAdmittedError,
    StationUnreachableError,
)

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)
EVENTS = build_schedule(WEEK, PARAMETERS, seed=1, days=1).events
FIRST = next(event for event in EVENTS if isinstance(event, DriverArrives))
SLICES = [e for e in EVENTS if isinstance(e, SliceBoundary) and e.session == FIRST.session]
STOP = next(e for e in EVENTS if isinstance(e, SessionStops) and e.session == FIRST.session)
TAG = "0123456789ABCDEF0123"
QUICK = Patience(timeout_s=2.0, attempts=3, pause_s=0.01)


class Central(ChargePoint):
    """A central system's end of one connection; it accepts one idTag."""

    def __init__(self, name, connection, csms):
        super().__init__(name, connection, response_timeout=2)
        self.csms = csms

    async def route_message(self, raw_msg):
        self.csms.frames.append(raw_msg)
        if self.csms.cut_next:
            self.csms.cut_next -= 1
            await self._connection.close()
            return
        if self.csms.deaf:
            return
        if not raw_msg.startswith("["):
            await self._send('[4,"-1","FormationViolation","no OCPP",{}]')
            return
        await super().route_message(raw_msg)

    @on(Action.boot_notification)
    def on_boot(self, **_):
        return call_result.BootNotification("2017-05-08T07:00:00Z", 300, self.csms.boot_status)

    @on(Action.heartbeat)
    def on_heartbeat(self):
        return call_result.Heartbeat("2017-05-08T07:00:00Z")

    @on(Action.status_notification)
    def on_status(self, **_):
        return call_result.StatusNotification()

    @on(Action.authorize)
    def on_authorize(self, id_tag):
        return call_result.Authorize(IdTagInfo("Accepted" if id_tag == TAG else "Invalid"))

    @on(Action.start_transaction)
    def on_start_transaction(self, id_tag, **_):
        if id_tag != TAG:
            return call_result.StartTransaction(0, IdTagInfo("Invalid"))
        return call_result.StartTransaction(7, IdTagInfo("Accepted"))

    @after(Action.start_transaction)
    async def after_start_transaction(self, **_):
        for request in self.csms.asks:
            self.csms.answers.append(await self.call(request))

    @on(Action.meter_values)
    def on_meter_values(self, **_):
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    def on_stop_transaction(self, **_):
        if self.csms.broken:
            raise RuntimeError
        return call_result.StopTransaction()


class Csms:
    """A central system on a free port of this machine."""

    def __init__(self):
        self.frames, self.asks, self.answers, self.headers = [], [], [], []
        self.cut_next, self.deaf, self.broken = 0, False, False
        self.boot_status = "Accepted"
        self.url = ""

    @property
    def calls(self):
        found = [json.loads(frame) for frame in self.frames if frame.startswith("[2")]
        return [(action, payload) for _, _, action, payload in found]

    @property
    def actions(self):
        return [action for action, _ in self.calls]

    async def connected(self, connection):
        self.headers.append(connection.request)
        try:
            await Central(connection.request.path, connection, self).start()
        except ConnectionClosed:
            return


@asynccontextmanager
async def central(csms, subprotocols=("ocpp1.6",), check=None):
    async with serve(
        csms.connected, "127.0.0.1", 0, subprotocols=list(subprotocols), process_request=check
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        csms.url = f"ws://127.0.0.1:{port}/ocpp"
        yield csms


def station(csms, patience=QUICK, name="CA-314"):
    return Station(name, KEYS.stations[name], KEYS.passwords[name], csms.url, patience)


async def eventually(condition):
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 - what is waited for is on the other side
            await asyncio.sleep(0.005)


def records(meter_values):
    found = []
    for value in meter_values:
        (sampled,) = value["sampledValue"]
        assert sampled["format"] == "SignedData"
        assert sampled["measurand"] == "Energy.Active.Import.Register"
        signed = json.loads(sampled["value"])
        assert (signed["encodingMethod"], signed["signingMethod"], signed["publicKey"]) == (
            "OCMF", "", "",
        )  # fmt: skip
        found.append((sampled["context"], base64.b64decode(signed["signedMeterData"]).decode()))
    return found


async def play(one):
    """Play the first session of the week; return its transaction id."""
    await one.connect(FIRST.at_s)
    number = await one.start(FIRST, TAG)
    for event in SLICES:
        await one.send_slice(event, TAG, number)
    await one.stop(STOP, TAG, number)
    return number


@pytest.fixture(scope="module")
def csms():
    async def run():
        async with central(Csms()) as csms, station(csms) as one:
            assert await play(one) == 7
            assert one.running == set()
            assert await one.heartbeat(STOP.at_s) == "2017-05-08T07:00:00Z"
            return csms

    return asyncio.run(run())


class TestASession:
    def test_sends_what_ocpp_asks_for_in_its_order(self, csms):
        assert csms.actions == [
            "BootNotification",
            "StatusNotification",
            "Authorize",
            "StatusNotification",
            "StartTransaction",
            "StatusNotification",
            *["MeterValues"] * len(SLICES),
            "StopTransaction",
            "StatusNotification",
            "StatusNotification",
            "Heartbeat",
        ]
        statuses = [p["status"] for action, p in csms.calls if action == "StatusNotification"]
        assert statuses == ["Available", "Preparing", "Charging", "Finishing", "Available"]

    def test_comes_from_its_path_with_its_password(self, csms):
        (request,) = csms.headers
        assert request.path == "/ocpp/CA-314"
        credentials = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
        assert credentials.decode() == f"CA-314:{KEYS.passwords['CA-314']}"

    def test_starts_with_the_register_and_the_domain_time(self, csms):
        (start,) = [p for action, p in csms.calls if action == "StartTransaction"]
        assert start == {
            "connectorId": 1,
            "idTag": TAG,
            "meterStart": FIRST.begin_wh,
            "timestamp": "2017-05-08T13:38:13Z",
        }

    def test_sends_a_signed_fiscal_record_at_every_boundary(self, csms):
        meter = station(csms).meter
        sent = [p for action, p in csms.calls if action == "MeterValues"]
        assert len(sent) == len(SLICES) == 5
        for event, values in zip(SLICES, sent, strict=True):
            assert values["transactionId"] == 7
            assert records(values["meterValue"]) == [
                ("Sample.Clock", meter.fiscal_record(event.slice, TAG))
            ]
        assert sent[0]["meterValue"][0]["timestamp"] == "2017-05-08T14:00:00Z"

    def test_stops_with_the_last_fiscal_record_and_then_the_whole(self, csms):
        meter = station(csms).meter
        (stop,) = [p for action, p in csms.calls if action == "StopTransaction"]
        assert (stop["transactionId"], stop["meterStop"]) == (7, STOP.end_wh)
        assert (stop["reason"], stop["timestamp"]) == ("EVDisconnected", "2017-05-08T18:38:53Z")
        assert records(stop["transactionData"]) == [
            ("Sample.Clock", meter.fiscal_record(STOP.slice, TAG)),
            ("Transaction.End", meter.transaction_record(STOP, TAG)),
        ]

    def test_is_the_same_to_the_byte_when_it_is_played_again(self, csms):
        async def run():
            async with central(Csms()) as again, station(again) as one:
                await play(one)
                await one.heartbeat(STOP.at_s)
                return again.frames

        assert asyncio.run(run()) == csms.frames


class TestRefusals:
    def test_an_id_tag_that_nobody_opened_starts_nothing(self):
        async def run():
            async with central(Csms()) as csms, station(csms) as one:
                await one.connect(FIRST.at_s)
                with pytest.raises(TagRefusedError) as caught:
                    await one.start(FIRST, "NOBODY")
                assert caught.value.status == "Invalid"
                return csms.actions

        assert asyncio.run(run())[-1] == "Authorize"

    def test_a_start_without_authorization_is_refused_and_frees_the_connector(self):
        async def run():
            async with central(Csms()) as csms, station(csms) as one:
                with pytest.raises(TagRefusedError):
                    await one.start_unauthorized(FIRST, "NOBODY")
                assert one.running == set()
                return csms.calls

        *_, start, status = asyncio.run(run())
        assert start[0] == "StartTransaction"
        assert status[1]["status"] == "Available"

    def test_a_station_that_is_rejected_at_boot_is_not_admitted(self):
        async def run():
            csms = Csms()
            csms.boot_status = "Rejected"
            async with central(csms), station(csms) as one:
                await one.connect(FIRST.at_s)

        with pytest.raises(StationNotAdmittedError, match="Rejected"):
            asyncio.run(run())

    def test_a_wrong_password_is_not_tried_again(self):
        tried = []

        def check(connection, _request):
            tried.append(1)
            return connection.respond(401, "no")

        async def run():
            async with central(Csms(), check=check) as csms, station(csms) as one:
                await one.connect(FIRST.at_s)

        with pytest.raises(StationNotAdmittedError, match="401"):
            asyncio.run(run())
        assert tried == [1]

    def test_a_service_that_speaks_another_ocpp_is_left(self):
        async def run():
            async with central(Csms(), subprotocols=("ocpp2.0.1",)) as csms, station(csms) as one:
                await one.connect(FIRST.at_s)

        with pytest.raises((StationNotAdmittedError, StationUnreachableError)):
            asyncio.run(run())

    def test_an_error_in_answer_to_a_call_is_raised(self):
        async def run():
            csms = Csms()
            csms.broken = True
            async with central(csms), station(csms) as one:
                await one.stop(STOP, TAG, 7)

        with pytest.raises(CallRefusedError, match="StopTransaction: InternalError"):
            asyncio.run(run())


class TestALostConnection:
    def test_is_opened_again_and_the_call_sent_again_under_its_id(self):
        async def run():
            patience = Patience(timeout_s=30.0, attempts=2, pause_s=0.01)
            async with central(Csms()) as csms, station(csms, patience) as one, asyncio.timeout(5):
                await one.connect(FIRST.at_s)
                csms.cut_next = 1
                assert await one.start(FIRST, TAG) == 7
                return csms

        csms = asyncio.run(run())
        assert len(csms.headers) == 2
        assert csms.frames.count(csms.frames[2]) == 2
        assert csms.actions.count("Authorize") == 2

    def test_is_noticed_between_calls_too(self):
        async def run():
            once = Patience(timeout_s=2.0, attempts=1)
            async with central(Csms()) as csms, station(csms, once) as one:
                await one.connect(FIRST.at_s)
                await one._wire._connection.close()
                assert await one.start(FIRST, TAG) == 7
                return len(csms.headers)

        assert asyncio.run(run()) == 2

    def test_is_given_up_after_a_bounded_number_of_attempts(self):
        async def run():
            async with central(Csms()) as csms, station(csms) as one:
                csms.cut_next = 99
                with pytest.raises(StationUnreachableError, match="3 attempts") as caught:
                    await one.connect(FIRST.at_s)
                assert caught.value.transient
                return len(csms.headers)

        assert asyncio.run(run()) == 3

    def test_of_a_service_that_is_not_there_is_an_error_too(self):
        async def run():
            async with central(Csms()) as csms:
                one = station(csms)
            await one.connect(FIRST.at_s)

        with pytest.raises(StationUnreachableError):
            asyncio.run(run())

    def test_of_a_service_that_never_answers_ends_with_the_time_out(self):
        async def run():
            csms = Csms()
            csms.deaf = True
            patience = Patience(timeout_s=0.1, attempts=2, pause_s=0.01)
            async with central(csms), station(csms, patience) as one:
                await one.connect(FIRST.at_s)

        with pytest.raises(StationUnreachableError, match="2 attempts"):
            asyncio.run(run())


def asked(*requests):
    """Let the central system send ``requests`` while a session runs; return its view and ours."""

    async def run():
        csms = Csms()
        csms.asks = list(requests)
        async with central(csms), station(csms) as one:
            await one.connect(FIRST.at_s)
            await one.start(FIRST, TAG)
            await eventually(lambda: len(csms.answers) == len(requests))
            await one.close()
            return csms, one

    return asyncio.run(run())


class TestRequestsOfTheService:
    def test_to_stop_a_running_transaction_are_accepted_and_kept_for_the_driver(self):
        csms, one = asked(call.RemoteStopTransaction(7))
        assert csms.answers[0].status == "Accepted"
        assert one.remote_stops == [7]

    def test_to_stop_another_transaction_are_rejected(self):
        csms, one = asked(call.RemoteStopTransaction(8))
        assert csms.answers[0].status == "Rejected"
        assert one.remote_stops == []

    def test_to_start_on_an_occupied_connector_are_rejected(self):
        csms, one = asked(call.RemoteStartTransaction("OTHER"))
        assert csms.answers[0].status == "Rejected"
        assert one.remote_starts == []

    def test_to_start_on_a_free_connector_are_accepted(self):
        async def run():
            csms = Csms()
            csms.asks = [call.RemoteStartTransaction(TAG)]
            async with central(csms), station(csms) as one:
                with pytest.raises(TagRefusedError):
                    await one.start_unauthorized(FIRST, "NOBODY")
                await eventually(lambda: csms.answers)
                return csms.answers[0].status, one.remote_starts

        assert asyncio.run(run()) == ("Accepted", [TAG])

    @pytest.mark.parametrize(
        ("message", "sent"),
        [("Heartbeat", 1), ("StatusNotification", 4), ("BootNotification", 2)],
    )
    def test_to_send_a_message_are_accepted_and_followed(self, message, sent):
        csms, _ = asked(call.TriggerMessage(message))
        assert csms.answers[0].status == "Accepted"
        assert csms.actions.count(message) == sent

    def test_to_send_what_the_station_cannot_are_answered_so(self):
        csms, _ = asked(call.TriggerMessage("FirmwareStatusNotification"))
        assert csms.answers[0].status == "NotImplemented"

    def test_that_the_station_does_not_know_do_not_end_the_connection(self):
        csms, _ = asked(call.ClearCache(), call.RemoteStopTransaction(7))
        assert csms.answers[0] is None
        assert csms.answers[1].status == "Accepted"
        assert len(csms.headers) == 1


class TestSendFrame:
    def test_sends_any_text_and_returns_what_comes_back(self):
        async def run():
            async with central(Csms()) as csms, station(csms) as one:
                await one.connect(FIRST.at_s)
                answer = await one.send_frame("not JSON at all")
                assert await one.start(FIRST, TAG) == 7
                return csms, answer

        csms, answer = asyncio.run(run())
        assert json.loads(answer)[0] == 4
        assert "not JSON at all" in csms.frames
        assert len(csms.headers) == 1

    def test_gives_up_when_nothing_comes_back(self):
        async def run():
            csms = Csms()
            csms.deaf = True
            async with central(csms), station(csms, Patience(timeout_s=0.1)) as one:
                await one.send_frame("[]")

        with pytest.raises(StationUnreachableError):
            asyncio.run(run())


def test_every_station_of_the_week_speaks_at_once():
    async def run():
        async with central(Csms()) as csms:
            stations = [station(csms, name=name) for name in WEEK.stations]
            await asyncio.gather(*(one.connect(WEEK.first_s) for one in stations))
            await asyncio.gather(*(one.close() for one in stations))
            return csms

    csms = asyncio.run(run())
    assert len(csms.headers) == 42
    assert csms.actions.count("BootNotification") == 42
