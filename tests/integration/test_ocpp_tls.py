"""Security profile 2: the service shows a certificate, and who trusts it connects."""

import asyncio
import ssl

import httpx2
import pytest
from websockets.asyncio.client import connect

from api.embedded import Secrets, embedded_chain, open_service, serving, web3_gateway
from api.ocpp.frames import Version
from api.tls import CertificateUnusableError, tls_context
from devnet.field.dataset import load_dataset
from devnet.field.parameters import load_parameters
from ledger.clock import ReplayClock
from scripts import neighbourhood
from scripts.benchmarks.charging.stations import write_certificate
from tests.unit.api.ocpp.yard import NOW_S, yard


@pytest.fixture
def certificate(tmp_path):
    return write_certificate(tmp_path / "tls")


@pytest.fixture
def trusting(certificate):
    return ssl.create_default_context(cafile=certificate)


@pytest.mark.parametrize("version", list(Version))
def test_a_station_that_trusts_the_certificate_connects(
    tmp_path, monkeypatch, certificate, trusting, version
):
    async def story():
        tls = tls_context(certificate, None)
        async with asyncio.timeout(30), yard(tmp_path, monkeypatch, tls=tls) as here:
            assert here.endpoint.url.startswith("wss://")
            async with here.station(version, ssl=trusting) as station:
                shown = station.socket.transport.get_extra_info("ssl_object")
                assert shown.version() in {"TLSv1.2", "TLSv1.3"}
                await station.call("Heartbeat", {})

    asyncio.run(story())


def test_a_station_that_does_not_trust_it_leaves(tmp_path, monkeypatch, certificate):
    async def story():
        tls = tls_context(certificate, None)
        async with asyncio.timeout(30), yard(tmp_path, monkeypatch, tls=tls) as here:
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(f"{here.endpoint.url}/CA-1", ssl=ssl.create_default_context())

    asyncio.run(story())


def test_the_oldest_tls_that_is_spoken_is_1_2(certificate):
    assert tls_context(certificate, None).minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_settings_put_the_whole_service_behind_tls(
    tmp_path, monkeypatch, certificate, trusting
):
    monkeypatch.setenv("VOISIN_TLS_CERTIFICATE", str(certificate))
    rules = neighbourhood.rules(load_parameters(), load_dataset())

    async def story():
        clock = ReplayClock(NOW_S)
        async with embedded_chain(tmp_path, clock, NOW_S) as (_, node):
            opened = await asyncio.to_thread(
                open_service, tmp_path, web3_gateway(node), clock, rules, Secrets.derive("tls")
            )
            async with serving(opened, host="127.0.0.1", port=0, status=dict) as running:
                assert running.url.startswith("https://127.0.0.1:")
                async with httpx2.AsyncClient(base_url=running.url, verify=trusting) as client:
                    assert (await client.get("/openapi.json")).status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize("found", ["no file", "no certificate", "another key"])
def test_a_certificate_that_cannot_be_used_is_said_at_once(tmp_path, certificate, found):
    key = None
    if found == "no file":
        certificate = tmp_path / "nowhere.pem"
    elif found == "no certificate":
        certificate.write_text("nothing")
    else:
        key = write_certificate(tmp_path / "other")
    with pytest.raises(CertificateUnusableError):
        tls_context(certificate, key)
