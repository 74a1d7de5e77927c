"""
Be the process under test: ``python -m scripts.benchmarks.charging.served DIRECTORY COUNT KIND``.

It prints its port, and stops when its standard input ends.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from starlette.applications import Starlette

from api.ocpp.keeping import FrameKeeper
from api.tls import tls_context
from ledger.store.writer import Writer
from scripts.benchmarks.charging.endpoint import admit, bare_service, endpoint, listening, stations
from scripts.benchmarks.charging.stock import stock_route


def main(
    directory: Path,
    count: int,
    kind: Annotated[str, typer.Argument(help="ours or stock")],
    certificate: Annotated[Path | None, typer.Option(help="PEM file; speaks TLS then.")] = None,
) -> None:
    """Serve until the standard input ends."""
    uvloop.run(_serve(directory, count, kind, certificate))


async def _serve(directory: Path, count: int, kind: str, certificate: Path | None) -> None:
    tls = None if certificate is None else tls_context(certificate, None)
    service = bare_service(directory)
    admit(service, stations(count))
    if kind == "ours":
        async with endpoint(service, tls=tls) as opened:
            await _until_told(int(opened.url.rsplit(":", 1)[1].split("/")[0]))
        return
    with Writer(service.database, service.clock, book=service.book) as writer:
        route = stock_route(FrameKeeper(writer), service)
        async with listening(Starlette(routes=[route]), tls) as port:
            await _until_told(port)


async def _until_told(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    typer.run(main)
