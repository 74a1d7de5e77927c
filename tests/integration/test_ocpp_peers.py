"""Stations of other hands: their own checks of a central system, and whole sessions."""

import asyncio
import contextlib
import json
import os
import pty
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from api.ocpp.frames import Version
from devnet.field.drivers import Driver, Wish
from devnet.field.events import DriverArrives, SessionStops, SliceBoundary
from devnet.field.ocmf import OcmfMeter
from devnet.field.stations.charge_point import ocpp_instant, signed_value
from settlement.charging.reports import Phase, TransactionReport
from settlement.tables import refusal, session
from tests.integration.community import community
from tests.unit.api.ocpp.yard import PASSWORD, SUBPROTOCOLS, TAG, yard

PEERS = Path(__file__).parents[1] / "peers" / "node_modules"
NODE = PEERS / ".bin" / "node"
CLI = PEERS / "ocpp-ws-cli" / "dist" / "index.js"
CLIENT = Path(__file__).parent / "clients" / "station.mjs"


async def node(*arguments, stdin=b""):
    process = await asyncio.create_subprocess_exec(
        NODE,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    assert process.returncode == 0, err.decode()
    return out


class TestOcppWsCli:
    def test_finds_nothing_wrong_with_the_endpoint(self, tmp_path, monkeypatch):
        async def story():
            async with yard(tmp_path, monkeypatch) as here:
                url = here.endpoint.url.replace("ws://", f"ws://CA-1:{PASSWORD}@")
                await node(
                    *(CLI, "test", "-e", url, "-i", "CA-1", "-p", "ocpp1.6", "--suite", "all"),
                    *("--report", "json", "--report-dir", str(tmp_path / "reports")),
                )

        asyncio.run(story())
        [report] = (tmp_path / "reports").glob("*.json")
        found = json.loads(report.read_text())
        assert [one["name"] for one in found["testResults"] if not one["passed"]] == []
        assert found["metrics"]["testsPassed"] == 21

    def test_plays_a_whole_session_of_1_6(self, tmp_path, monkeypatch):
        async def story():
            async with asyncio.timeout(60), yard(tmp_path, monkeypatch) as here:
                url = here.endpoint.url.replace("ws://", f"ws://CA-1:{PASSWORD}@")
                await simulate(here, url, tmp_path)
                await here.idle()
                assert here.quarantined() == []
                return here.engine

        engine = asyncio.run(story())
        assert ("CA-1", TAG) in engine.asked
        told = [one for one in engine.reports if isinstance(one, TransactionReport)]
        assert ("CA-1", 1) in [one[:2] for one in engine.reports if one not in told]
        started, *others, ended = told
        assert (started.phase, started.id_tag) == (Phase.STARTED, TAG)
        assert {one.phase for one in others} == {Phase.UPDATED}
        assert {one.transaction for one in others} == {"7"}
        assert (ended.phase, ended.transaction) == (Phase.ENDED, "7")
        assert any(value.register_wh is not None for one in others for value in one.values)


async def simulate(here, url, directory):
    """Press the simulator's keys, each once the endpoint has heard what the one before asked."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(NODE, CLI, "simulate", "-e", url, "-i", "CA-1", "-t", TAG, "-p", "ocpp1.6"),
        *("--report", "json", "--report-dir", str(directory)),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    reading = asyncio.create_task(asyncio.to_thread(drain, ours))
    await heard(here, "BootNotification")
    for key, action in (
        (b"a", "Authorize"),
        (b"t", "StartTransaction"),
        (b"m", "MeterValues"),
        (b"e", "StopTransaction"),
    ):
        os.write(ours, key)
        await heard(here, action)
    os.write(ours, b"q")
    await wait_gone(here)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    await reading
    os.close(ours)


def drain(descriptor):
    """Read what a terminal shows, or its program would wait."""
    with contextlib.suppress(OSError):
        while os.read(descriptor, 65_536):
            pass


async def heard(here, action):
    while not any(f'"{action}"' in one for one in here.frames()):  # noqa: ASYNC110 - bounded
        await asyncio.sleep(0.02)
    await here.idle()


async def wait_gone(here):
    while here.switchboard.connected:  # noqa: ASYNC110 - bounded by the story's time-out
        await asyncio.sleep(0.02)


class Session:
    """The schedule's first session, told in the words of a version."""

    def __init__(self, here):
        self.here = here
        events = here.world.schedule.events
        self.arrival = next(one for one in events if isinstance(one, DriverArrives))
        mine = [one for one in events if getattr(one, "session", None) == self.arrival.session]
        self.slices = [one for one in mine if isinstance(one, SliceBoundary)]
        self.stop = next(one for one in mine if isinstance(one, SessionStops))
        self.station = self.arrival.station
        self.meter = OcmfMeter(here.world.keys.stations[self.station], self.station)

    async def opens(self, client):
        keys = self.here.world.keys
        driver = Driver(
            keys.drivers[self.arrival.driver], self.here.world.places, self.here.world.parameters
        )
        wish = Wish(
            station=self.station,
            meter_id=keys.stations[self.station].meter_id,
            operator=keys.operator.address_hex,
            requested_wh=self.arrival.requested_wh,
        )
        self.here.clock.set(self.arrival.at_s)
        return await driver.open_session(client, wish, self.here.clock)

    def records(self, tag):
        """Return the record of each interval, and the one of the whole."""
        parts = [self.meter.fiscal_record(one.slice, tag) for one in (*self.slices, self.stop)]
        return parts, self.meter.transaction_record(self.stop, tag)

    def in_1_6(self, tag):
        parts, whole = self.records(tag)
        begins, ends = ocpp_instant(self.arrival.at_s), ocpp_instant(self.stop.at_s)
        start = {"connectorId": 1, "idTag": tag, "meterStart": self.arrival.begin_wh}
        boot = {"chargePointVendor": "Other", "chargePointModel": "Hand"}
        values = [
            [signed_16(one, ocpp_instant(event.at_s), "Sample.Clock")]
            for one, event in zip(parts, self.slices, strict=False)
        ]
        data = [signed_16(parts[-1], ends, "Sample.Clock"), signed_16(whole, ends)]
        stop = {"transactionId": "$transaction", "meterStop": self.stop.end_wh, "timestamp": ends}
        return [
            ("BootNotification", boot),
            ("Authorize", {"idTag": tag}),
            ("StartTransaction", {**start, "timestamp": begins}),
            *(
                (
                    "MeterValues",
                    {"connectorId": 1, "transactionId": "$transaction", "meterValue": one},
                )
                for one in values
            ),
            ("StopTransaction", {**stop, "idTag": tag, "transactionData": data}),
            ("Heartbeat", {}),
        ]

    def in_2(self, tag):
        parts, whole = self.records(tag)
        begins, ends = ocpp_instant(self.arrival.at_s), ocpp_instant(self.stop.at_s)
        token = {"idToken": tag, "type": "Central"}
        boot = {
            "reason": "PowerUp",
            "chargingStation": {"model": "Hand", "vendorName": "Other"},
        }
        updated = [
            event("Updated", ocpp_instant(told.at_s), number, values=[(part, "Sample.Clock")])
            for number, (part, told) in enumerate(zip(parts, self.slices, strict=False), 1)
        ]
        last = [(parts[-1], "Sample.Clock"), (whole, "Transaction.End")]
        return [
            ("BootNotification", boot),
            ("Authorize", {"idToken": token}),
            ("TransactionEvent", {**event("Started", begins, 0), "idToken": token}),
            *(("TransactionEvent", one) for one in updated),
            ("TransactionEvent", event("Ended", ends, len(updated) + 1, values=last)),
            ("Heartbeat", {}),
        ]

    def row(self):
        with self.here.service.reading() as connection:
            return connection.execute(select(session)).mappings().one()


def signed_16(record, at, context="Transaction.End"):
    value = signed_value(record, context).value
    sampled = {
        "value": value,
        "format": "SignedData",
        "context": context,
        "measurand": "Energy.Active.Import.Register",
    }
    return {"timestamp": at, "sampledValue": [sampled]}


def event(kind, at, number, values=()):
    said = {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": {"Started": "Authorized", "Ended": "EVDeparted"}.get(
            kind, "MeterValueClock"
        ),
        "seqNo": number,
        "transactionInfo": {"transactionId": "9c1e-77"},
        "evse": {"id": 1, "connectorId": 1},
    }
    if values:
        said["meterValue"] = [{"timestamp": at, "sampledValue": [signed_2(*one)]} for one in values]
    return said


def signed_2(record, context):
    signed = json.loads(signed_value(record, context).value)
    return {
        "value": 0,
        "context": context,
        "signedMeterValue": {**signed, "publicKey": ""},
    }


class TestOcppRpc:
    @pytest.mark.parametrize("version", list(Version))
    def test_charges_and_the_rest_of_the_deposit_comes_back(self, tmp_path, version):
        async def story():
            async with (
                community(tmp_path) as here,
                httpx2.AsyncClient(base_url=here.running.url, timeout=60) as client,
            ):
                told = Session(here)
                opened = await told.opens(client)
                tag = opened.id_tag
                calls = told.in_1_6(tag) if version is Version.V16 else told.in_2(tag)
                here.clock.set(told.stop.at_s)
                url = here.running.url.replace("http://", "ws://") + "/ocpp"
                password = here.world.keys.passwords[told.station]
                output = await node(
                    *(CLIENT, url, told.station, password, SUBPROTOCOLS[version]),
                    stdin=json.dumps(calls).encode(),
                )
                await here.running.desk.idle()
                with here.service.reading() as connection:
                    refused = connection.execute(select(refusal.c.code, refusal.c.detail)).all()
                assert refused == []
                assert await here.broken_laws() == {}
                return json.loads(output), told.row()

        answers, row = asyncio.run(story())
        assert answers[0]["status"] == "Accepted"
        info = answers[2].get("idTagInfo") or answers[2]["idTokenInfo"]
        assert info["status"] == "Accepted"
        assert row["state"] == "closed"
        assert row["charge_micros"] + row["refund_micros"] == row["deposit_micros"]
        assert row["energy_wh"] > 0
