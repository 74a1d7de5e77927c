"""Every frame is kept, answered and judged after; a bad one is quarantined whole."""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.ocpp.frames import Version
from api.ocpp.link import FRAME_BYTES_MAX
from settlement.charging.reports import Phase
from tests.unit.api.ocpp.yard import NOW, NOW_S, PASSWORD, TAG, basic, connect, unavailable, yard

VERSIONS = list(Version)
START = {"connectorId": 1, "idTag": TAG, "meterStart": 100, "timestamp": NOW}
EVENT = {
    "eventType": "Started",
    "timestamp": NOW,
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "tx-1"},
    "idToken": {"idToken": TAG, "type": "Central"},
}


@pytest.fixture
def at_the_yard(tmp_path, monkeypatch):
    """Tell a story with an endpoint that runs."""

    def tell(story, **options):
        async def run():
            async with asyncio.timeout(30), yard(tmp_path, monkeypatch, **options) as here:
                return await story(here)

        return asyncio.run(run())

    return tell


class TestWhoIsLetIn:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_station_with_its_password_speaks_its_version(self, at_the_yard, version):
        async def story(here):
            async with here.station(version) as station:
                assert station.socket.subprotocol == f"ocpp{version.value}"
                assert await station.call("Heartbeat", {}) == {"currentTime": NOW}

        at_the_yard(story)

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("CA-1", {}),
            ("CA-1", {"Authorization": basic("CA-1", "wrong")}),
            ("CA-1", {"Authorization": basic("CA-2", PASSWORD)}),
            ("CA-2", {"Authorization": basic("CA-1", PASSWORD)}),
            ("CA-9", {"Authorization": basic("CA-9", PASSWORD)}),
            ("CA-1", {"Authorization": "Basic ???"}),
            ("CA-1", {"Authorization": f"Bearer {PASSWORD}"}),
        ],
    )
    def test_anybody_else_is_refused_by_http_before_there_is_a_websocket(
        self, at_the_yard, path, headers
    ):
        async def story(here):
            url = f"{here.endpoint.url}/{path}"
            with pytest.raises(InvalidStatus) as caught:
                await connect(url, subprotocols=["ocpp1.6"], additional_headers=headers)
            return caught.value.response

        answer = at_the_yard(story)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")

    @pytest.mark.parametrize("offered", [None, ["ws-chat"], ["ocpp1.5"]])
    def test_a_station_that_offers_no_ocpp_is_told_what_to_offer(self, at_the_yard, offered):
        async def story(here):
            headers = {"Authorization": basic("CA-1", PASSWORD)}
            with pytest.raises(InvalidStatus) as caught:
                await connect(
                    f"{here.endpoint.url}/CA-1", subprotocols=offered, additional_headers=headers
                )
            return caught.value.response

        answer = at_the_yard(story)
        assert answer.status_code == 400
        assert b"ocpp2.1, ocpp2.0.1, ocpp1.6" in answer.body

    def test_nobody_is_told_that_a_password_is_wrong_if_it_cannot_be_looked_up(
        self, at_the_yard, monkeypatch
    ):
        def failing(*_):
            raise unavailable()

        async def story(here):
            monkeypatch.setattr("settlement.engine.charging.stations.password_hash", failing)
            with pytest.raises(InvalidStatus) as caught:
                async with here.station(Version.V16):
                    pass
            return caught.value.response

        answer = at_the_yard(story)
        assert (answer.status_code, answer.body) == (503, b"database_gone")

    def test_a_station_is_served_the_version_that_it_offers_first(self, at_the_yard):
        async def story(here):
            headers = {"Authorization": basic("CA-1", PASSWORD)}
            async with connect(
                f"{here.endpoint.url}/CA-1",
                subprotocols=["ocpp1.5", "ocpp1.6", "ocpp2.0.1"],
                additional_headers=headers,
            ) as socket:
                return socket.subprotocol

        assert at_the_yard(story) == "ocpp1.6"

    def test_a_newer_connection_replaces_the_older_one(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as older, here.station(Version.V16) as newer:
                with pytest.raises(ConnectionClosed) as caught:
                    await older.socket.recv()
                assert caught.value.rcvd.code == 1001
                await newer.call("Heartbeat", {})
                assert here.switchboard.connected == {"CA-1"}
            await gone(here)

        at_the_yard(story)


async def gone(here):
    while here.switchboard.connected:  # noqa: ASYNC110 - bounded by the story's time-out
        await asyncio.sleep(0.005)


class TestAFrame:
    def test_is_kept_byte_for_byte_before_it_is_answered(self, at_the_yard):
        async def story(here):
            text = '[2, "a",  "Heartbeat",{}]'
            async with here.station(Version.V16) as station:
                await station.raw(text)
                assert here.frames() == [text]

        at_the_yard(story)

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("no JSON", [4, "-1", "FormationViolation"]),
            ("{}", [4, "-1", "FormationViolation"]),
            ("[]", [4, "-1", "FormationViolation"]),
            ('[2,"a","Heartbeat",NaN]', [4, "-1", "FormationViolation"]),
            ('[2,"a","Heartbeat",{"x":"\\ud800"}]', [4, "-1", "FormationViolation"]),
            ('[2,"a","Heartbeat",{"x":"\\u0000"}]', [4, "-1", "FormationViolation"]),
            ("[2,\0]", [4, "-1", "FormationViolation"]),
            ('[9,"a","Heartbeat",{}]', [4, "a", "PropertyConstraintViolation"]),
            ('[5,"a","x","y",{}]', [4, "a", "PropertyConstraintViolation"]),
            ('[2,12,"Heartbeat",{}]', [4, 12, "ProtocolError"]),
            ('[2,"","Heartbeat",{}]', [4, "", "ProtocolError"]),
            ('[2,"a","Heartbeat"]', [4, "a", "ProtocolError"]),
            ('[2,"a","Heartbeat",{},1]', [4, "a", "ProtocolError"]),
            ('[2,"a",{},{}]', [4, "a", "FormatViolation"]),
            ('[2,"a","Heartbeat",[]]', [4, "a", "TypeConstraintViolation"]),
            ('[2,"a","Heartbeat",{"x":1}]', [4, "a", "FormatViolation"]),
            ('[2,"a","Authorize",{}]', [4, "a", "ProtocolError"]),
            ('[2,"a","Authorize",{"idTag":7}]', [4, "a", "TypeConstraintViolation"]),
            ('[2,"a","Levitate",{}]', [4, "a", "NotImplemented"]),
            ('[2,"a","Reset",{"type":"Hard"}]', [4, "a", "NotSupported"]),
            (
                f'[2,"a","Heartbeat",{"{"}"x":{"[" * 63}{"]" * 63}{"}"}]',
                [4, "a", "FormatViolation"],
            ),
            (
                f'[2,"a","Heartbeat",{"{"}"x":{"[" * 900}{"]" * 900}{"}"}]',
                [4, "a", "FormatViolation"],
            ),
            ("[" * 2_000, [4, "-1", "FormationViolation"]),
            ('[3,"a"]', [4, "-1", "ProtocolError"]),
            ('[4,"a","x"]', [4, "-1", "ProtocolError"]),
        ],
    )
    def test_that_is_bad_is_answered_quarantined_whole_and_stops_nothing(
        self, at_the_yard, text, answer
    ):
        async def story(here):
            async with here.station(Version.V16) as station:
                said = await station.raw(text)
                await here.idle()
                assert said[:3] == answer
                assert here.quarantined() == [("malformed_frame", text.encode())]
                await station.call("Heartbeat", {})

        at_the_yard(story)

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("no JSON", [4, "-1", "RpcFrameworkError"]),
            ('[9,"a","Heartbeat",{}]', [4, "a", "MessageTypeNotSupported"]),
            ('[2,"a","Heartbeat",[]]', [4, "a", "FormatViolation"]),
        ],
    )
    def test_of_2_1_that_is_bad_is_answered_in_the_words_of_2_1(self, at_the_yard, text, answer):
        async def story(here):
            async with here.station(Version.V21) as station:
                return (await station.raw(text))[:3]

        assert at_the_yard(story) == answer

    def test_that_asks_for_no_answer_gets_none(self, at_the_yard):
        async def story(here):
            sent = '[6,"a","NotifyPeriodicEventStream",{}]'
            async with here.station(Version.V21) as station:
                await station.socket.send(sent)
                await station.call("Heartbeat", {})
                assert here.frames()[0] == sent

        at_the_yard(story)

    def test_that_answers_nothing_that_was_asked_is_kept_and_no_more(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                await station.socket.send('[3,"nobody-asked",{}]')
                await station.socket.send('[4,"nobody-asked","GenericError","",{}]')
                await station.call("Heartbeat", {})
                assert len(here.frames()) == 3
                assert here.quarantined() == []

        at_the_yard(story)

    def test_that_is_binary_is_refused(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                answer = await station.raw(b"\x00\xff")
                assert answer[:3] == [4, "-1", "FormatViolation"]
                await here.idle()
                assert here.quarantined() == [("binary_frame", b"\x00\xff")]
                await station.call("Heartbeat", {})

        at_the_yard(story)

    @pytest.mark.parametrize("size", [FRAME_BYTES_MAX + 1, 2**20 + 1])
    def test_that_is_too_large_ends_the_connection_and_is_quarantined(self, at_the_yard, size):
        async def story(here):
            async with here.station(Version.V16) as station:
                await station.socket.send("x" * size)
                with pytest.raises(ConnectionClosed) as caught:
                    await station.socket.recv()
                assert caught.value.rcvd.code == 1009
            await gone(here)
            await here.idle()
            assert here.codes() == ["oversized_frame"]

        at_the_yard(story)

    def test_that_cannot_be_kept_is_answered_with_an_error_and_comes_again(
        self, at_the_yard, monkeypatch
    ):
        async def story(here):
            async with here.station(Version.V16) as station:
                with monkeypatch.context() as patch:
                    patch.setattr("api.ocpp.keeping.keep_frames", failing)
                    assert await station.refused("StartTransaction", START) == "InternalError"
                assert here.engine.reports == []
                await station.call("StartTransaction", START)
                assert len(here.engine.reports) == 1

        def failing(*_):
            raise unavailable()

        at_the_yard(story)


class TestAReport:
    def test_of_a_start_is_judged_before_the_answer(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                answer = await station.call("StartTransaction", START)
                assert answer == {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
                other = {**START, "idTag": "SOMEBODY"}
                answer = await station.call("StartTransaction", other)
                assert answer == {"transactionId": 0, "idTagInfo": {"status": "Invalid"}}

        at_the_yard(story)

    def test_of_an_end_is_answered_whatever_it_is_judged(self, at_the_yard):
        async def story(here):
            here.engine.fault = unavailable()
            async with here.station(Version.V16) as station:
                stop = {"transactionId": 7, "meterStop": 200, "timestamp": NOW}
                assert await station.call("StopTransaction", stop) == {}
            async with here.station(Version.V201) as station:
                assert await station.call("TransactionEvent", {**EVENT, "eventType": "Ended"}) == {}
            await here.idle()
            assert [one.phase for one in here.engine.reports] == [Phase.ENDED] * 2

        at_the_yard(story)

    @pytest.mark.parametrize(
        ("version", "action", "payload"),
        [
            (Version.V16, "StartTransaction", START),
            (Version.V16, "Authorize", {"idTag": TAG}),
            (Version.V21, "TransactionEvent", EVENT),
            (Version.V201, "Authorize", {"idToken": {"idToken": TAG, "type": "Central"}}),
        ],
    )
    def test_of_a_start_comes_again_if_the_service_is_at_fault(
        self, at_the_yard, version, action, payload
    ):
        async def story(here):
            here.engine.fault = unavailable()
            async with here.station(version) as station:
                assert await station.refused(action, payload) == "InternalError"
                here.engine.fault = None
                await station.call(action, payload)

        at_the_yard(story)

    def test_is_judged_in_the_order_that_it_came_in(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V201) as station:
                for number in range(20):
                    kind = {0: "Started", 19: "Ended"}.get(number, "Updated")
                    event = {**EVENT, "eventType": kind, "seqNo": number}
                    if kind != "Started":
                        event.pop("idToken")
                    await station.call("TransactionEvent", event)
            await here.idle()
            assert [one.seq_no for one in here.engine.reports] == list(range(20))

        at_the_yard(story)

    @pytest.mark.parametrize(
        ("version", "said"),
        [
            (Version.V16, {"connectorId": 2, "errorCode": "NoError", "status": "Available"}),
            (
                Version.V201,
                {
                    "timestamp": NOW,
                    "connectorStatus": "Available",
                    "evseId": 2,
                    "connectorId": 1,
                },
            ),
        ],
    )
    def test_of_a_free_connector_comes_after_all_that_came_before(self, at_the_yard, version, said):
        async def story(here):
            async with here.station(version) as station:
                status = "status" if version is Version.V16 else "connectorStatus"
                await station.call("StatusNotification", {**said, status: "Faulted"})
                assert await station.call("StatusNotification", said) == {}
            await here.idle()
            assert here.engine.reports == [("CA-1", 2, NOW_S)]

        at_the_yard(story)

    def test_that_finds_a_mistake_of_ours_leaves_nobody_waiting(self, at_the_yard, monkeypatch):
        def broken(*_, **__):
            raise ZeroDivisionError

        async def story(here):
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            async with here.station(Version.V16) as station:
                with monkeypatch.context() as patch:
                    patch.setattr("settlement.engine.charging.transactions.report", broken)
                    answer = await station.call("StartTransaction", START)
                assert answer["idTagInfo"] == {"status": "Invalid"}
                answer = await station.call("StartTransaction", START)
                assert answer["idTagInfo"] == {"status": "Accepted"}

        at_the_yard(story)


def test_the_desk_is_not_idle_while_a_report_is_on_its_way(at_the_yard):
    async def story(here):
        values = {"timestamp": NOW, "sampledValue": [{"value": "1"}]}
        async with here.station(Version.V16) as station:
            message = {"connectorId": 1, "transactionId": 7, "meterValue": [values]}
            await station.socket.send(json.dumps([2, "a", "MeterValues", message]))
            await station.socket.recv()
            await here.idle()
            assert len(here.engine.reports) == 1

    at_the_yard(story)
