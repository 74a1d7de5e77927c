"""Check the laws of a settled replay, L11 included: what is on disk is what was acknowledged."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Connection, select

from api.embedded import CHAIN
from devnet.node.chain import Devnet
from devnet.verify import VerifyReport
from devnet.verify import verify as verify_chain
from ledger.store import LedgerStore, open_readers
from ledger.store.faults import DatabaseDamagedError
from ledger.store.replay import check_file
from settlement.audit.laws import check_laws
from settlement.engine.service import Service
from settlement.tables import run


def verify(service: Service, directory: Path) -> Mapping[str, str | None]:
    """
    Return, for each law, None or its first violation.

    The chain is imported again in a process of its own meanwhile, on another core if there is one.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as judge:
        report = judge.submit(verify_chain, directory / CHAIN)

        def durable(live: Service, connection: Connection) -> str | None:
            return _on_disk(live, connection) or _chain_on_disk(live, report.result())

        return check_laws(service, durable)


def _on_disk(service: Service, connection: Connection) -> str | None:
    """L11: read the database anew from disk and compare with what was answered."""
    second = open_readers(service.database.url.render_as_string(hide_password=False))
    try:
        with second.connect() as fresh:
            check_file(fresh)
            root = LedgerStore().root(fresh)
    except DatabaseDamagedError as fault:
        return str(fault)
    finally:
        second.dispose()
    if root != service.book.root(connection):
        return f"the log on disk ends at {root}"
    # What the chain refused for ever waits for nothing; it stands among the refusals.
    waiting = len(service.outbox.outstanding(connection))
    return f"{waiting} intents are not final" if waiting else None


def _chain_on_disk(service: Service, report: VerifyReport) -> str | None:
    """L11: compare the chain that was imported again from disk with the one that answers."""
    height = service.gateway.head_number()
    head = service.gateway.headers(height, height)[0].hash
    if report.head_hash != head:
        return f"the chain on disk ends at {report.head_hash}, answered {head}"
    return None


def roots_of(service: Service, devnet: Devnet) -> dict[str, str]:
    """Return what two runs with one seed must have in common."""
    with service.reading() as connection:
        size, root = service.book.root(connection)
        newest = connection.execute(select(run.c.root).order_by(run.c.run.desc()).limit(1)).scalar()
    return {
        "ledger log": f"{size} 0x{root.hex()}",
        "last run": "0x" + (newest or b"").hex(),
        "chain head": devnet.head_hash,
    }
