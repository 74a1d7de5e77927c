"""
Connect 2,000 stations to one process, and let each send a meter value every ten seconds.

What a station costs is what the process's memory grows by; the baseline is the library's own
charge point behind the same web server.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from time import perf_counter_ns
from typing import Final

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.benchmarks.charging.endpoint import stations
from scripts.benchmarks.charging.messages import meter_values
from scripts.benchmarks.charging.process import Process, serving
from scripts.benchmarks.charging.wires import Wire, connect_all, text_frame
from scripts.benchmarks.measuring import NS_PER_MS, NS_PER_S, each
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

STATIONS: Final = 2_000
EVERY_S: Final = 10
VALUES: Final = 2

_PERCENTILE: Final = 99
_WARM_UP: Final = 20


@dataclass(frozen=True, slots=True)
class Crowd:
    """How it went with many stations."""

    connected: int
    """Stations of which every value was answered within the ten seconds."""
    each_kb: Decimal
    """What the process's memory grew by for each, in kB."""
    p99_ns: int
    """What 99 of 100 values were answered within, in ns."""


def station_rows(directory: Path, command: str) -> tuple[Row, ...]:
    """Return the rows of many stations."""
    stock = crowd(directory / "stock", "stock")
    ours = crowd(directory / "ours", "ours")
    by_tls = crowd(directory / "tls", "ours", write_certificate(directory))
    stock_tls = crowd(directory / "stock_tls", "stock", write_certificate(directory))
    what = "the ocpp library's ChargePoint behind the same web server"
    return (
        Row(
            "stations_connected",
            Decimal(ours.connected),
            "stations",
            Baseline(Decimal(stock.connected), what, Sense.COST),
            command,
        ),
        Row(
            "stations_value_p99_ms",
            each(ours.p99_ns, 1, NS_PER_MS),
            "ms",
            Baseline(each(stock.p99_ns, 1, NS_PER_MS), what, Sense.FASTER),
            command,
        ),
        Row(
            "station_memory_kb",
            ours.each_kb,
            "kB",
            Baseline(stock.each_kb, what, Sense.COST),
            command,
        ),
        Row(
            "station_memory_tls_kb",
            by_tls.each_kb,
            "kB",
            Baseline(stock_tls.each_kb, what, Sense.COST),
            command,
        ),
    )


def crowd(directory: Path, kind: str, certificate: Path | None = None) -> Crowd:
    """Connect all stations to a process of its own, and let each send its values."""
    with serving(directory, STATIONS + 1, kind, certificate) as process:
        return uvloop.run(_crowd(process, certificate))


async def _crowd(process: Process, certificate: Path | None) -> Crowd:
    tls = None if certificate is None else ssl.create_default_context(cafile=certificate)
    # What the process loads and allocates for its first station is not what a station costs.
    *crowd_of, first = stations(STATIONS + 1)
    wires = await connect_all(process.port, [first], tls)
    for _ in range(_WARM_UP):
        await wires[0].ask(text_frame(meter_values()))
    before_kb = process.resident_kb()
    wires += await connect_all(process.port, crowd_of, tls)
    try:
        took_ns = await _send(wires[1:])
        after_kb = process.resident_kb()
    finally:
        for wire in wires:
            wire.close()
    in_time = sum(1 for one in took_ns if max(one) < EVERY_S * NS_PER_S)
    ordered = sorted(ns for one in took_ns for ns in one)
    return Crowd(
        connected=in_time,
        each_kb=Decimal(after_kb - before_kb) / STATIONS,
        p99_ns=ordered[len(ordered) * _PERCENTILE // 100],
    )


async def _send(wires: Sequence[Wire]) -> list[list[int]]:
    """Let each station send a value every ten seconds, all of them evenly; return how long each."""
    frame, began_ns = text_frame(meter_values()), perf_counter_ns()

    async def one(number: int, wire: Wire) -> list[int]:
        took = []
        for turn in range(VALUES):
            due_ns = (turn * len(wires) + number) * EVERY_S * NS_PER_S // len(wires)
            await asyncio.sleep((began_ns + due_ns - perf_counter_ns()) / NS_PER_S)
            answer, ns = await wire.ask(frame)
            if not answer.startswith(b"[3,"):
                raise BenchmarkInvalidError(f"answered {answer!r}")
            took.append(ns)
        return took

    return await asyncio.gather(*(one(number, wire) for number, wire in enumerate(wires)))


def write_certificate(directory: Path) -> Path:
    """Write a certificate of 127.0.0.1 and its key into one PEM file; return it."""
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=36_500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
