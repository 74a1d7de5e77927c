"""
Name the energy that a meter has signed and no deposit stands behind: a debt, and no claim on money.

A station that was offline may have let somebody charge whom the service would have refused; a
record may come when the deposit has gone back. Neither touches anybody's deposit.
"""

from sqlalchemy import Connection, RowMapping, select

from ledger.errors import NotPermitted, UnverifiedReading, VoisinError
from settlement.charging.reports import TransactionReport
from settlement.engine.charging import kept
from settlement.engine.charging.fiscal import UnknownTransactionError, records_of_kind
from settlement.engine.charging.reported.signed import whole_of
from settlement.engine.charging.running import report_message
from settlement.engine.intake import emit, is_refused, refuse
from settlement.engine.roll import UnknownMeterError, meter_key
from settlement.engine.service import Service
from settlement.metering.ocmf import OcmfRecord, parse_record
from settlement.metering.ocmf_energy import energy_wh
from settlement.metering.ocmf_signatures import verify_record
from settlement.tables import station


class EnergyWithoutDepositError(NotPermitted):
    """Energy was given, and signed for, without a deposit: somebody owes it to the operator."""

    def __init__(self, station_id: str, id_tag: str, energy_wh: int) -> None:
        super().__init__(
            "energy_without_deposit",
            f"{station_id} gave {energy_wh} Wh to idTag {id_tag!r}, behind which is no deposit",
        )


def refuse_stray(
    service: Service,
    connection: Connection,
    told: TransactionReport,
    found: RowMapping | None = None,
) -> VoisinError:
    """
    Keep the end of a transaction behind which there is no deposit, and say what it is.

    Energy that the station's meter has signed is told once as an event, ``energy_owed``. Without
    such a record nobody knows whether anything was given.
    """
    now_s = service.clock.now_s()
    record = _proven(service, connection, told)
    trace_id = "" if found is None else found["session_id"]
    if record is None:
        fault: VoisinError = UnknownTransactionError(told.station_id, told.transaction)
    else:
        fault = EnergyWithoutDepositError(told.station_id, record.id_tag, energy_wh(record))
    message = report_message(told, trace_id)
    if record is not None and not is_refused(connection, message):
        emit(
            connection,
            "energy_owed",
            trace_id=trace_id,
            at_s=now_s,
            station_id=told.station_id,
            id_tag=record.id_tag,
            energy_wh=energy_wh(record),
            page=record.pagination_number,
        )
    kept.keep(connection, told, at_s=now_s)
    refuse(connection, service.book, message, fault, at_s=now_s)
    return fault


def _proven(service: Service, connection: Connection, told: TransactionReport) -> OcmfRecord | None:
    """Return the whole record that the station's meter signed, if there is one."""
    meter_id = connection.execute(
        select(station.c.meter_id).where(station.c.station_id == told.station_id)
    ).scalar()
    try:
        text = whole_of(records_of_kind(told, "T"))
        if text is None or meter_id is None:
            return None
        record = parse_record(text)
        verify_record(record, meter_key(connection, meter_id, service.clock.now_s()))
        energy_wh(record)
    except (UnverifiedReading, UnknownMeterError):
        return None
    return record
