"""A community of two, to settle in batches; times are quarter hours from an instant on."""

from array import array
from dataclasses import replace
from datetime import UTC

from contracts.typed_data import Domain
from ledger.units import BasisPoints, Micros, MicrosPerKilowattHour, UnixSeconds
from settlement.engine.batch.model import (
    REGISTERS,
    Batch,
    BatchCommunity,
    BatchMember,
    BatchMeter,
    MeterKind,
    Residual,
    Series,
)
from settlement.trading.auction import Auction
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions
from settlement.trading.mandates import Band, Mandate
from settlement.trading.zones import ZoneTree

QUARTER_S = 900
BEGIN_S = 1_780_308_000
ANA, BO, GRID, STATE, PLATFORM = (f"0x{digit * 40}" for digit in "12345")


def price(cents: int) -> MicrosPerKilowattHour:
    return MicrosPerKilowattHour(cents * 10_000)


def member(name: str, account: str, *, bands=None, cap=None, deposit=None) -> BatchMember:
    bands = bands or (Band(0, 1_440, price(8), price(20)),)
    cap_micros = Micros(5_000_000 if cap is None else cap)
    mandate = Mandate(account, bands, cap_micros, UnixSeconds(0), UnixSeconds(2**62), 0)
    return BatchMember(name, "feeder", mandate, None if deposit is None else Micros(deposit))


def community(*members: BatchMember, **changes) -> BatchCommunity:
    made = BatchCommunity(
        community_id="lane",
        currency="EUR",
        time_zone=UTC,
        interval_s=QUARTER_S,
        tree=ZoneTree.single(local_toll=price(2)),
        fees=Fees(price(1), BasisPoints(2_000)),
        institutions=Institutions(GRID, STATE, "supplier", PLATFORM),
        residual=Residual(price(5), price(25)),
        mechanism=Auction(),
        salt_key=bytes(32),
        domain=Domain("Voisin", "1", 1, "0x" + "00" * 20),
        members=members or (member("ana", ANA), member("bo", BO)),
    )
    return replace(made, **changes)


def series(*readings: tuple[int, int], estimated=()) -> Series:
    """Return a register's readings: (quarter hours from the beginning, Wh since installation)."""
    return Series(
        array("q", (BEGIN_S + quarter * QUARTER_S for quarter, _ in readings)),
        array("q", (register for _, register in readings)),
        array("q", range(len(readings))),
        frozenset(estimated),
    )


def meter(serial: str, owner: str, kind: MeterKind, *registers: Series) -> BatchMeter:
    return BatchMeter(serial, owner, kind, dict(zip(REGISTERS[kind], registers, strict=False)))


def batch(*meters: BatchMeter, **changes) -> Batch:
    return Batch(community(**changes), meters)
