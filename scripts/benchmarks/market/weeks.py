"""Measure whole folders: a year of 17 homes, four weeks of a village; the twin beside them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time_ns
from typing import Final

from api.market.reading.folder import read_folder
from contracts.typed_data import Domain, sign
from devnet.field.keys import Curve, Role, meter_key
from devnet.field.keys import MeterKey as FieldKey
from ledger.units import UnixSeconds, Watts
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.market.twin import Found, read_twin, settle_twin
from scripts.benchmarks.measuring import NS_PER_S, each
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from settlement.engine.batch.keeping import kept, open_books
from settlement.engine.batch.model import Batch, BatchMeter, Series
from settlement.engine.batch.proving import proofs
from settlement.engine.batch.running import BatchRun, settle_batch, span_of
from settlement.engine.batch.totals import Totals
from settlement.metering.readings import Register, reading_digest
from settlement.metering.signatures import Curve as KeyCurve
from settlement.metering.signatures import MeterKey, MeterKind
from settlement.trading.lines import Kind

DATA: Final = Path(__file__).parent / "data"
YEAR: Final = DATA / "sierra"
VILLAGE: Final = DATA / "simbench_odbl"
COMMAND: Final = "scripts/bench market"
_SEED: Final = 20_261_122
_RATED_W: Final = Watts(12_000)
_ALWAYS_S: Final = UnixSeconds(2**62)


@dataclass(frozen=True, slots=True)
class Week:
    """What a folder came to, and the CPU time it took."""

    totals: Totals
    """Totals over all runs."""
    proven: int
    """Leaves that were proven."""
    cpu_ns: int
    """CPU time, in ns."""


def rows(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of whole folders."""
    return (year_row(), village_row(trial.directory / "village.sqlite"))


def year_row() -> Row:
    """
    Return the row of the year: 297,874 signed readings to lines and proofs.

    Raises
    ------
    BenchmarkInvalidError
        If the twin finds anything else.
    """
    batch, reading_ns = _read(YEAR)
    ours = settled(sign_all(batch), prove=True)
    began_ns = process_time_ns()
    found = [one for _, one in settle_twin(read_twin(YEAR))]
    twin_ns = process_time_ns() - began_ns
    check_totals(ours.totals, found)
    return _row("year_17_homes_s", reading_ns + ours.cpu_ns, twin_ns, "no signature, leaf or proof")


def village_row(books: Path) -> Row:
    """
    Return the row of the village: 456,960 readings from file to stored runs and lines.

    Raises
    ------
    BenchmarkInvalidError
        If a run or a reading is missing.
    """
    batch, reading_ns = _read(VILLAGE)
    ours = settled(batch, books=books)
    began_ns = process_time_ns()
    intervals = sum(1 for _ in settle_twin(read_twin(VILLAGE)))
    twin_ns = process_time_ns() - began_ns
    if ours.totals.intervals != intervals:
        raise BenchmarkInvalidError(f"{ours.totals.intervals} runs of {intervals} intervals")
    what = "one zone without feeders and caps, nothing hashed or stored"
    return _row("simbench_4_weeks_s", reading_ns + ours.cpu_ns, twin_ns, what)


def _read(folder: Path) -> tuple[Batch, int]:
    """Return what a folder holds, and the CPU time of reading it, in ns."""
    began_ns = process_time_ns()
    batch = read_folder(folder).batch
    return batch, process_time_ns() - began_ns


def settled(batch: Batch, *, books: Path | None = None, prove: bool = False) -> Week:
    """Settle a whole folder; store it if there is a file, prove every leaf if asked."""
    totals, proven = Totals(), 0
    began_ns = process_time_ns()
    for run in _runs(batch, books):
        totals.add(run)
        if prove:
            proven += sum(1 for _ in proofs(run))
    return Week(totals, proven, process_time_ns() - began_ns)


def _runs(batch: Batch, books: Path | None) -> Iterable[BatchRun]:
    runs = settle_batch(batch, span_of(batch))
    if books is None:
        yield from runs
        return
    engine = open_books(books)
    try:
        yield from kept(engine, runs)
    finally:
        engine.dispose()


def check_totals(totals: Totals, found: Iterable[Found]) -> None:
    """
    Check that the twin found the same.

    Raises
    ------
    BenchmarkInvalidError
        If a total differs.
    """
    twin = list(found)
    pairs: dict[str, tuple[int, int]] = {
        "intervals": (totals.intervals, len(twin)),
        "traded Wh": (totals.traded_wh, sum(sum(one.sold.values()) for one in twin)),
        "bought Wh": (totals.traded_wh, sum(sum(one.bought.values()) for one in twin)),
        "tolls": (totals.money_micros[Kind.TOLL], sum(one.toll for one in twin)),
        "levies": (totals.money_micros[Kind.LEVY], sum(one.levy for one in twin)),
        "residual": (totals.money_micros[Kind.RESIDUAL], sum(one.residual for one in twin)),
    }
    for what, (ours, twins) in pairs.items():
        if ours != twins:
            raise BenchmarkInvalidError(f"{what} are {ours}, the twin has {twins}")


def sign_all(batch: Batch) -> Batch:
    """Return the batch with a key for each meter, and every reading signed."""
    domain = batch.community.domain
    return replace(batch, meters=tuple(_signed(domain, one) for one in batch.meters))


def _signed(domain: Domain, meter: BatchMeter) -> BatchMeter:
    own = meter_key(_SEED, Role.GATEWAY, meter.serial, Curve.SECP256K1, _RATED_W)
    key = MeterKey(
        curve=KeyCurve.SECP256K1,
        public_key=own.public_key,
        kind=MeterKind.GATEWAY,
        rated_power_w=_RATED_W,
        valid_from_s=UnixSeconds(0),
        valid_until_s=_ALWAYS_S,
    )
    signing = _signer(domain, meter, own)
    series = {
        register: replace(one, signatures=signing(register, one))
        for register, one in meter.series.items()
    }
    return replace(meter, series=series, key=key)


def _signer(
    domain: Domain, meter: BatchMeter, own: FieldKey
) -> Callable[[Register, Series], tuple[bytes, ...]]:
    meter_id = meter.meter_id

    def signatures(register: Register, series: Series) -> tuple[bytes, ...]:
        readings = (series.reading(meter_id, register, place) for place in range(len(series.at_s)))
        return tuple(sign(reading_digest(domain, one), own.private_key) for one in readings)

    return signatures


def _row(name: str, ours_ns: int, twin_ns: int, without: str) -> Row:
    return Row(
        name,
        each(ours_ns, 1, NS_PER_S),
        "s",
        Baseline(
            each(twin_ns, 1, NS_PER_S),
            f"a plain Python twin that shares no code: {without}; CPU time, both",
            Sense.COST,
        ),
        COMMAND,
    )
