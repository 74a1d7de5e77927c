"""The service asks a station, in the words of its version, and hears what it says."""

import asyncio
import json

import pytest

from api.ocpp.frames import Version
from api.ocpp.schemas import check_call
from api.ocpp.switchboard import (
    StationNotConnectedError,
    StationRefusedError,
    StationSilentError,
    TransactionStatus,
)
from tests.unit.api.ocpp.yard import NOW, NOW_S, TAG, yard

ACCEPTED = {"status": "Accepted"}
EVENT = {
    "eventType": "Updated",
    "timestamp": NOW,
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 1,
    "transactionInfo": {"transactionId": "7"},
}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Let a connected station be asked, and answer; return what it heard and what came of it."""

    def tell(version, ask, answer):
        async def run():
            async with (
                asyncio.timeout(30),
                yard(tmp_path, monkeypatch) as here,
                here.station(version) as station,
            ):
                await station.call("Heartbeat", {})
                asking = asyncio.create_task(ask(here.switchboard))
                message_id, action, payload = await station.heard()
                check_call(version, action, payload)
                await station.answers(message_id, answer)
                return (action, payload), await asking

        return asyncio.run(run())

    return tell


@pytest.fixture
def at_the_yard(tmp_path, monkeypatch):
    def tell(story, **options):
        async def run():
            async with asyncio.timeout(30), yard(tmp_path, monkeypatch, **options) as here:
                return await story(here)

        return asyncio.run(run())

    return tell


class TestAStationIsAsked:
    def test_to_start_in_1_6(self, asked):
        heard, _ = asked(
            Version.V16, lambda board: board.remote_start("CA-1", id_tag=TAG, evse_id=2), ACCEPTED
        )
        assert heard == ("RemoteStartTransaction", {"idTag": TAG, "connectorId": 2})

    @pytest.mark.parametrize("version", [Version.V201, Version.V21])
    def test_to_start_in_2(self, asked, version):
        (action, payload), _ = asked(
            version, lambda board: board.remote_start("CA-1", id_tag=TAG, evse_id=2), ACCEPTED
        )
        assert action == "RequestStartTransaction"
        assert payload.pop("remoteStartId") >= 0
        assert payload == {"idToken": {"idToken": TAG, "type": "Central"}, "evseId": 2}

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            (Version.V16, ("RemoteStopTransaction", {"transactionId": 7})),
            (Version.V201, ("RequestStopTransaction", {"transactionId": "7"})),
            (Version.V21, ("RequestStopTransaction", {"transactionId": "7"})),
        ],
    )
    def test_to_stop(self, asked, version, expected):
        heard, _ = asked(version, lambda board: board.remote_stop("CA-1", "7"), ACCEPTED)
        assert heard == expected

    @pytest.mark.parametrize("version", list(Version))
    def test_for_its_meter_values(self, asked, version):
        heard, _ = asked(version, lambda board: board.trigger("CA-1", "MeterValues"), ACCEPTED)
        assert heard == ("TriggerMessage", {"requestedMessage": "MeterValues"})

    @pytest.mark.parametrize("version", list(Version))
    def test_what_its_vendor_alone_knows(self, asked, version):
        heard, answer = asked(
            version,
            lambda board: board.transfer("CA-1", vendor_id="x", message_id="y", text="z"),
            {**ACCEPTED, "data": "w"},
        )
        assert heard == ("DataTransfer", {"vendorId": "x", "messageId": "y", "data": "z"})
        assert answer == "w"

    def test_whether_a_transaction_goes_on(self, asked):
        heard, answer = asked(
            Version.V201,
            lambda board: board.transaction_status("CA-1", "7"),
            {"ongoingIndicator": True, "messagesInQueue": False},
        )
        assert heard == ("GetTransactionStatus", {"transactionId": "7"})
        assert answer == TransactionStatus(ongoing=True, queued=False)

    def test_for_meter_values_instead_where_1_6_cannot_say(self, asked):
        heard, answer = asked(
            Version.V16, lambda board: board.transaction_status("CA-1", "7"), ACCEPTED
        )
        assert heard[0] == "TriggerMessage"
        assert answer == TransactionStatus(ongoing=None, queued=None)

    @pytest.mark.parametrize("version", [Version.V201, Version.V21])
    def test_to_show_what_it_costs(self, asked, version):
        heard, _ = asked(version, lambda board: board.cost_updated("CA-1", "7", 1_234_567), {})
        assert heard == ("CostUpdated", {"totalCost": 1.234567, "transactionId": "7"})

    def test_to_take_note_of_the_settlement_in_the_words_of_the_schema(self, asked):
        heard, answer = asked(
            Version.V21,
            lambda board: board.notify_settlement(
                "CA-1", "7", 4_560_000, at_s=NOW_S, receipt_url="https://here/receipt"
            ),
            {},
        )
        assert answer is True
        assert heard == (
            "NotifySettlement",
            {
                "pspRef": "7",
                "transactionId": "7",
                "status": "Settled",
                "settlementAmount": 4.56,
                "settlementTime": NOW,
                "receiptUrl": "https://here/receipt",
            },
        )

    def test_nothing_that_its_version_does_not_know(self, at_the_yard):
        async def story(here):
            board = here.switchboard
            async with here.station(Version.V16) as station:
                await station.call("Heartbeat", {})
                await board.cost_updated("CA-1", "7", 1)
                assert not await board.notify_settlement("CA-1", "7", 1, at_s=NOW_S)
                assert not board.set_limit("CA-1", "7", 1)
            assert not board.set_limit("CA-2", "7", 1)

        at_the_yard(story)


class TestALimit:
    def test_is_told_with_the_next_answer_and_known_once_it_is_repeated(self, at_the_yard):
        async def story(here):
            board = here.switchboard
            async with here.station(Version.V21) as station:
                await station.call("Heartbeat", {})
                assert board.set_limit("CA-1", "7", 9_990_000)
                said = await station.call("TransactionEvent", EVENT)
                assert said == {"transactionLimit": {"maxCost": 9.99}}
                assert board.limit_repeated("CA-1", "7") is None
                info = {"transactionId": "7", "transactionLimit": {"maxCost": 9.99}}
                repeated = {**EVENT, "seqNo": 2, "transactionInfo": info}
                assert await station.call("TransactionEvent", repeated) == {}
                assert board.limit_repeated("CA-1", "7") == 9_990_000

        at_the_yard(story)


class TestAStationThat:
    def test_is_not_there_is_not_connected(self, at_the_yard):
        async def story(here):
            with pytest.raises(StationNotConnectedError) as caught:
                await here.switchboard.remote_stop("CA-1", "7")
            assert caught.value.transient

        at_the_yard(story)

    def test_declines_refuses(self, asked):
        with pytest.raises(StationRefusedError, match="Rejected"):
            asked(
                Version.V16,
                lambda board: board.remote_stop("CA-1", "7"),
                {"status": "Rejected"},
            )

    def test_answers_something_else_refuses(self, asked):
        with pytest.raises(StationRefusedError, match="ProtocolError"):
            asked(Version.V16, lambda board: board.remote_stop("CA-1", "7"), {})

    def test_answers_with_an_error_refuses(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                await station.call("Heartbeat", {})
                asking = asyncio.create_task(here.switchboard.trigger("CA-1", "Heartbeat"))
                message_id, _, _ = await station.heard()
                await station.socket.send(json.dumps([4, message_id, "NotImplemented", "", {}]))
                with pytest.raises(StationRefusedError, match="NotImplemented"):
                    await asking

        at_the_yard(story)

    def test_never_answers_is_silent_and_can_be_asked_again(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                await station.call("Heartbeat", {})
                with pytest.raises(StationSilentError):
                    await here.switchboard.trigger("CA-1", "Heartbeat")
                late, _, _ = await station.heard()
                asking = asyncio.create_task(here.switchboard.trigger("CA-1", "Heartbeat"))
                message_id, _, _ = await station.heard()
                await station.answers(late, {"status": "Rejected"})
                await station.answers(message_id, ACCEPTED)
                await asking

        at_the_yard(story, answer_timeout_s=0.5)

    def test_leaves_before_it_answers_is_not_connected(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                await station.call("Heartbeat", {})
                asking = asyncio.create_task(here.switchboard.trigger("CA-1", "Heartbeat"))
                await station.heard()
            with pytest.raises(StationNotConnectedError):
                await asking

        at_the_yard(story)

    def test_is_asked_twice_hears_the_second_after_it_has_answered_the_first(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                await station.call("Heartbeat", {})
                board = here.switchboard
                asking = [
                    asyncio.create_task(board.trigger("CA-1", one))
                    for one in ("Heartbeat", "MeterValues")
                ]
                for expected in ("Heartbeat", "MeterValues"):
                    message_id, _, payload = await station.heard()
                    assert payload == {"requestedMessage": expected}
                    assert len(here.frames()) == (1 if expected == "Heartbeat" else 2)
                    await station.answers(message_id, ACCEPTED)
                await asyncio.gather(*asking)

        at_the_yard(story)

    def test_tells_something_meanwhile_is_answered(self, at_the_yard):
        async def story(here):
            async with here.station(Version.V16) as station:
                await station.call("Heartbeat", {})
                asking = asyncio.create_task(here.switchboard.trigger("CA-1", "Heartbeat"))
                message_id, _, _ = await station.heard()
                await station.call("Heartbeat", {})
                await station.answers(message_id, ACCEPTED)
                await asking

        at_the_yard(story)
