"""Judge the record that ends a session: whether it proves this session's energy alone."""

from dataclasses import dataclass
from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.charging.plausibility import (
    RegisterOverlapsError,
    check_goes_on,
    check_metered_time,
    check_serial,
    check_wrap,
)
from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_energy import (
    RecordBackwardsError,
    energy_between,
    register_pair,
    register_wh,
)
from settlement.metering.validation import check_power

_PAGE_MAX: Final = 2**32 - 1
"""Highest page that ``ChargeVault`` can note."""


class UnbindableRecordError(UnverifiedReading):
    """The record names nobody, so it could close any session."""

    def __init__(self) -> None:
        super().__init__("unbindable_record", "the record carries no idTag")


class ForeignRecordError(UnverifiedReading):
    """The record is of another session."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__("foreign_record", f"the record is of idTag {found!r}, not {wanted!r}")


class NotATransactionRecordError(UnverifiedReading):
    """The record is not one of a whole transaction."""

    def __init__(self, page: str) -> None:
        super().__init__("not_a_transaction_record", f"{page} is no transaction record")


class OldPageError(UnverifiedReading):
    """The record was written before the session was opened."""

    def __init__(self, page: int, at_open: int) -> None:
        super().__init__("old_page", f"page {page} is not above {at_open}, the last one at open")


class PageTooHighError(UnverifiedReading):
    """The page is higher than any meter counts, and than the contract can note."""

    def __init__(self, page: int) -> None:
        super().__init__("page_too_high", f"page {page} is above {_PAGE_MAX}")


class SlicesDisagreeError(UnverifiedReading):
    """The fiscal records of the session do not sum to its energy (law L3)."""

    def __init__(self, slices_wh: int, energy_wh: int) -> None:
        super().__init__(
            "slices_disagree", f"fiscal records say {slices_wh} Wh, the record {energy_wh} Wh"
        )


@dataclass(frozen=True, slots=True)
class MeteredSpan:
    """Where another session of the same meter began and ended, by its signed record."""

    page: int
    """Transaction page of that record."""
    begin_wh: WattHours
    """Register at its begin, in Wh."""
    end_wh: WattHours
    """Register at its end, in Wh."""


@dataclass(frozen=True, slots=True)
class RecordContext:
    """What the service knows of the session that a record is to close."""

    id_tag: str
    """One-time idTag of the terms."""
    page_at_open: int
    """Last transaction page that the vault had seen of the meter at open."""
    previous_end_wh: WattHours | None
    """Register where the meter's last session ended, if there was one, in Wh."""
    rated_power_w: Watts
    """Most power the meter can carry, in W."""
    opened_s: UnixSeconds
    """When the session was opened, in Unix seconds."""
    now_s: UnixSeconds
    """Now, in Unix seconds."""
    slices_wh: WattHours
    """Energy of all fiscal records of the session, in Wh."""
    meter_serial: str = ""
    """Serial number of the enrolled meter; empty if it does not matter."""
    register_modulus_wh: WattHours | None = None
    """Where the meter's register begins again at 0, in Wh, if the maker says so."""
    spans: tuple[MeteredSpan, ...] = ()
    """What other sessions of the meter were billed by."""


@dataclass(frozen=True, slots=True)
class SessionEnergy:
    """What a good record proves."""

    energy_wh: WattHours
    """Energy of the session, in Wh."""
    begin: OcmfReading
    """Where the register began, as the meter wrote it."""
    end: OcmfReading
    """Where it ended."""
    page: int
    """Transaction page of the record."""


def judge_record(record: OcmfRecord, context: RecordContext) -> SessionEnergy:
    """
    Return the energy that ``record`` proves for the session; its signature is checked elsewhere.

    More is asked than ``energy_proven`` asks: a meter whose own clock says that the energy did not
    fit through it is not billed by.

    Raises
    ------
    NotATransactionRecordError
        If it is a fiscal record.
    UnbindableRecordError
        If it carries no idTag.
    ForeignRecordError
        If it is of another idTag.
    OldPageError
        If its page is not above the one at open.
    IncompleteRecordError
        If it has no begin or no end.
    UnusableEnergyError
        If the meter flags one of them.
    MalformedRecordError
        If one of them shows no plain decimal number.
    SerialChangedError
        If it is of another meter than the enrolled one.
    RecordBackwardsError
        If the end lies below the begin.
    RegisterWrappedError
        If the register began again at 0 in between, as its maker says it does.
    BrokenRegisterError
        If it begins below where the meter stood.
    RegisterOverlapsError
        If it ends above where a later session began.
    ImplausiblePowerError
        If more energy came than the meter can carry, by the service's clock or by its own.
    SlicesDisagreeError
        If the fiscal records sum to something else.
    """
    proven = energy_proven(record, context)
    check_metered_time(proven.begin, proven.end, proven.energy_wh, context.rated_power_w)
    return proven


def energy_proven(record: OcmfRecord, context: RecordContext) -> SessionEnergy:
    """
    Return the energy that ``record`` proves by what the contract knows too.

    Raises
    ------
    UnverifiedReading
        If it proves none; ``judge_record`` lists why.
    """
    _check_binding(record, context)
    check_serial(record.meter_serial, context.meter_serial)
    begin, end = register_pair(record)
    energy = _energy(begin, end, context)
    _check_neighbors(record.pagination_number, register_wh(begin), register_wh(end), context)
    check_power(energy, context.now_s - context.opened_s, context.rated_power_w)
    if context.slices_wh != energy:
        raise SlicesDisagreeError(context.slices_wh, energy)
    return SessionEnergy(energy, begin, end, record.pagination_number)


def _check_neighbors(
    page: int, begin_wh: WattHours, end_wh: WattHours, context: RecordContext
) -> None:
    """Check that the register goes on from the session before, and the one after from here."""
    before = [span.end_wh for span in context.spans if span.page < page]
    if context.previous_end_wh is not None:
        before.append(context.previous_end_wh)
    check_goes_on(
        begin_wh,
        max(before, default=None),
        context.register_modulus_wh,
        elapsed_s=context.now_s - context.opened_s,
        rated_power_w=context.rated_power_w,
    )
    after = [span.begin_wh for span in context.spans if span.page > page]
    if after and end_wh > min(after):
        raise RegisterOverlapsError(end_wh, min(after))


def _energy(begin: OcmfReading, end: OcmfReading, context: RecordContext) -> WattHours:
    """Return the energy between two readings; a turn of the register is named as one."""
    try:
        return energy_between(begin, end)
    except RecordBackwardsError:
        check_wrap(
            register_wh(begin),
            register_wh(end),
            context.register_modulus_wh,
            elapsed_s=context.now_s - context.opened_s,
            rated_power_w=context.rated_power_w,
        )
        raise


def _check_binding(record: OcmfRecord, context: RecordContext) -> None:
    if record.pagination_kind != "T":
        raise NotATransactionRecordError(f"{record.pagination_kind}{record.pagination_number}")
    if not record.id_tag:
        raise UnbindableRecordError
    if record.id_tag != context.id_tag:
        raise ForeignRecordError(record.id_tag, context.id_tag)
    if record.pagination_number <= context.page_at_open:
        raise OldPageError(record.pagination_number, context.page_at_open)
    if record.pagination_number > _PAGE_MAX:
        raise PageTooHighError(record.pagination_number)
