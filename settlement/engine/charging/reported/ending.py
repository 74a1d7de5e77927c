"""Settle a session that has ended, or hold its money until a signature proves what it came to."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, RowMapping, func, select

from ledger.errors import Integrity, UnverifiedReading, VoisinError
from ledger.units import UnixSeconds, WattHours
from settlement.charging.records import judge_record
from settlement.charging.reports import Phase, TransactionReport
from settlement.charging.slices import FiscalSlice
from settlement.engine.charging import closing, kept
from settlement.engine.charging.fiscal import (
    UnknownTransactionError,
    open_interval,
    records_of_kind,
    take_slices,
)
from settlement.engine.charging.reported import holding, matching, signed
from settlement.engine.charging.reported.debts import refuse_stray
from settlement.engine.charging.reported.sequence import completeness_of
from settlement.engine.charging.reported.starting import note_clock, start_by_signature
from settlement.engine.charging.running import (
    keep_slice,
    record_context,
    report_message,
    sliced_wh,
)
from settlement.engine.intake import emit, is_taken, refuse
from settlement.engine.roll import UnknownMeterError
from settlement.engine.service import Service
from settlement.metering.ocmf import OcmfRecord, parse_record
from settlement.metering.ocmf_energy import energy_wh
from settlement.metering.signatures import MeterKey
from settlement.tables import slice_

Elapsed = Callable[[], int]
_HOLDABLE = frozenset({"open", "charging", "held"})


class SlicesMissingError(UnverifiedReading):
    """Fiscal records of the session have not come yet; the record of the whole is good."""

    def __init__(self, slices_wh: int, energy_wh: int) -> None:
        super().__init__(
            "slices_missing", f"fiscal records of {slices_wh} Wh are here, of {energy_wh} Wh in all"
        )


def ended(
    service: Service, told: TransactionReport, *, elapsed_ns: Elapsed, timed_out: bool = False
) -> None:
    """
    Settle the session of a report that says that it ended; hold its money if that is not proven.

    Raises
    ------
    UnknownTransactionError
        If there is no such session.
    EnergyWithoutDepositError
        If there is none, but the meter has signed that it gave energy; or its deposit is gone.
    UnverifiedReading
        If nothing proves the end yet; the session is held and the report waits.
    """
    with service.reading() as connection:
        found = matching.find(connection, told)
    if found is None and told.transaction is None:
        with service.writing() as connection:
            found = start_by_signature(service, connection, told)
    told = matching.as_known(told, found)
    if found is None:
        _stray(service, told)
        return
    try:
        take_slices(service, told)
        if found["state"] == "expired" and not _was_taken(service, found, told):
            _stray(service, told, found)
        _settle(service, found, told, elapsed_ns=elapsed_ns, timed_out=timed_out)
    except Integrity:
        raise
    except VoisinError as fault:
        if not fault.transient:
            _hold(service, found, told, fault)
        raise
    with service.writing() as connection:
        kept.session_is_over(connection, found["session_id"], told)


def _was_taken(service: Service, found: RowMapping, told: TransactionReport) -> bool:
    """Say whether the report was judged good before its deposit went back all the same."""
    with service.reading() as connection:
        return is_taken(connection, report_message(told, found["session_id"]))


def judge_again(service: Service, session_id: str, *, elapsed_ns: Elapsed) -> None:
    """Judge the ends again that a session waits with; what still proves nothing waits on."""
    with service.reading() as connection:
        waiting = kept.of_session(connection, session_id)
    for told in waiting:
        try:
            ended(service, told, elapsed_ns=elapsed_ns)
        except Integrity:
            raise
        except VoisinError:
            continue
        return


def _settle(
    service: Service,
    found: RowMapping,
    told: TransactionReport,
    *,
    elapsed_ns: Elapsed,
    timed_out: bool,
) -> None:
    """Find the record that proves the session and close it with that."""
    texts: Sequence[str] = records_of_kind(told, "T")
    whole = signed.whole_of(texts)
    if whole is None:
        whole = _whole_of_kept(service, found, told)
    if whole is not None:
        _fill(service, found, told, whole, timed_out=timed_out)
    told_now = replace(told, records=tuple(texts) if whole is None else (whole,))
    closing.stop(service, told_now, elapsed_ns=elapsed_ns)


def _whole_of_kept(service: Service, found: RowMapping, told: TransactionReport) -> str | None:
    """Return a whole record that came apart from the end, or say that it is in two parts."""
    with service.writing() as connection:
        signed.keep_records(service, connection, found, told)
        texts = signed.kept_records(connection, found["session_id"])
        whole = signed.whole_of(texts)
        fault = None
        if whole is None and found["state"] in _HOLDABLE:
            try:
                signed.check_two_parts(service, connection, found, texts)
            except (UnverifiedReading, UnknownMeterError) as refused:
                fault = refused
                message = report_message(told, found["session_id"])
                refuse(connection, service.book, message, fault, at_s=service.clock.now_s())
    if fault is not None:
        raise fault
    return whole


def _fill(
    service: Service, found: RowMapping, told: TransactionReport, whole: str, *, timed_out: bool
) -> None:
    """
    Account for energy that the whole record proves and no fiscal record has told of.

    Such energy is traded in the interval of the end, as an estimate of when it flowed: how much it
    is, is signed. A station that sends no fiscal records is filled in at once, one whose records
    may still come when they cannot come any more.
    """
    if found["state"] not in _HOLDABLE:
        return
    record, fault = parse_record(whole), None
    with service.reading() as connection:
        try:
            energy, known = energy_wh(record), sliced_wh(connection, found["session_id"])
        except UnverifiedReading:
            # The closing names what is wrong with it.
            return
        if known >= energy or not _is_good(service, connection, found, record, whole):
            return
    with service.writing() as connection:
        if timed_out or _told_all(connection, found, told):
            _keep_rest(service, connection, found, told, whole)
        else:
            fault = SlicesMissingError(known, energy)
            message = report_message(told, found["session_id"])
            refuse(connection, service.book, message, fault, at_s=service.clock.now_s())
    if fault is not None:
        raise fault


def _is_good(
    service: Service, connection: Connection, found: RowMapping, record: OcmfRecord, whole: str
) -> bool:
    """Say whether the record closes the session once its fiscal records sum to its energy."""
    now_s = service.clock.now_s()
    try:
        signed.verified(service, connection, found, whole)
        key: MeterKey = signed.key_of(service, connection, found)
        context = record_context(connection, found, key.rated_power_w, now_s)
        judge_record(record, replace(context, slices_wh=energy_wh(record)))
    except (UnverifiedReading, UnknownMeterError):
        return False
    return True


def _told_all(connection: Connection, found: RowMapping, told: TransactionReport) -> bool:
    """Say whether no fiscal record of the session can still be under way."""
    if told.seq_no is not None:
        return completeness_of(connection, told).is_complete
    slices = connection.execute(
        select(func.count()).select_from(slice_).where(slice_.c.session_id == found["session_id"])
    ).scalar_one()
    return not slices


def _keep_rest(
    service: Service,
    connection: Connection,
    found: RowMapping,
    told: TransactionReport,
    whole: str,
) -> None:
    record = parse_record(whole)
    identity, now_s = found["session_id"], service.clock.now_s()
    rest = WattHours(energy_wh(record) - sliced_wh(connection, identity))
    last = connection.execute(
        select(func.max(slice_.c.end_s)).where(slice_.c.session_id == identity)
    ).scalar()
    begin_s = UnixSeconds(last or found["started_s"])
    end_s = UnixSeconds(max(begin_s, min(told.at_s, now_s)))
    interval = open_interval(
        connection, service.rules.interval_of(UnixSeconds(max(begin_s, end_s - 1)))
    )
    # Fiscal pages are positive, so the negative page of the whole record is nobody else's.
    part = FiscalSlice(-record.pagination_number, interval, begin_s, end_s, rest)
    keep_slice(connection, identity, part, whole)
    emit(
        connection,
        "slice_estimated",
        trace_id=identity,
        at_s=now_s,
        interval=interval,
        energy_wh=rest,
    )


def _hold(service: Service, found: RowMapping, told: TransactionReport, fault: VoisinError) -> None:
    """Hold the session's money and let the report wait for what proves it."""
    now_s = service.clock.now_s()
    with service.writing() as connection:
        kept.keep(connection, told, at_s=now_s)
        if found["state"] not in _HOLDABLE:
            return
        note_clock(service, connection, told, found)
        holding.hold(service, connection, found, fault.code, stopped_s=told.at_s)
        if told.phase is Phase.ENDED:
            soon = isinstance(fault, SlicesMissingError)
            kept.wait(
                connection,
                told,
                session_id=found["session_id"],
                at_s=now_s,
                until_s=UnixSeconds(now_s + service.rules.grace_s) if soon else None,
            )


def _stray(service: Service, told: TransactionReport, found: RowMapping | None = None) -> None:
    """Refuse the end of a transaction behind which there is no deposit."""
    if found is None:
        _refuse_slices(service, told)
    with service.writing() as connection:
        stray = refuse_stray(service, connection, told, found)
    raise stray


def _refuse_slices(service: Service, told: TransactionReport) -> None:
    """Keep the fiscal records of an unknown transaction, each with its reason."""
    try:
        take_slices(service, told)
    except (UnverifiedReading, UnknownTransactionError):
        return
