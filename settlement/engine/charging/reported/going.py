"""Take what a station says while a transaction goes on, and what comes after its end."""

from dataclasses import replace

from ledger.errors import VoisinError
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging import kept
from settlement.engine.charging.fiscal import records_of_kind, take_slices
from settlement.engine.charging.reported import ending, holding, matching, signed
from settlement.engine.charging.reported.ending import Elapsed
from settlement.engine.service import Service, unwrap


def went_on(service: Service, told: TransactionReport, *, elapsed_ns: Elapsed) -> None:
    """
    Take the signed records of a running session; settle a held one if they prove it at last.

    Idempotent by station and page.

    Raises
    ------
    UnknownTransactionError
        If the station runs no such transaction.
    UnverifiedReading
        If a record does not prove what it says; the others count.
    """
    with service.reading() as connection:
        found = matching.find(connection, told)
        waits = found is not None and bool(kept.of_session(connection, found["session_id"]))
    told = matching.as_known(told, found)
    refused: VoisinError | None = None
    try:
        take_slices(service, told)
    except VoisinError as fault:
        if fault.transient or found is None:
            raise
        refused = fault
    if found is None:
        return
    whole = None
    texts = () if refused is not None and not told.records else records_of_kind(told, "T")
    if texts or found["state"] == "held":
        with service.writing() as connection:
            if texts:
                refused = signed.keep_records(service, connection, found, told) or refused
                whole = signed.whole_of(signed.kept_records(connection, found["session_id"]))
            holding.resume(service, connection, found)
    if waits:
        ending.judge_again(service, found["session_id"], elapsed_ns=elapsed_ns)
    elif whole is not None and found["state"] == "held":
        ending.ended(
            service,
            replace(told, phase=Phase.ENDED, records=(whole,)),
            elapsed_ns=elapsed_ns,
        )
    if refused is not None:
        unwrap(refused)
