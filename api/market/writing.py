"""Write what a folder came to as files: lines, runs, prices, proofs, statements."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

import pyarrow as pa
from pyarrow import parquet

from api.market.money import at
from settlement.engine.batch.members import Members
from settlement.engine.batch.proving import proofs
from settlement.engine.batch.running import BatchRun
from settlement.trading.lines import Kind

LINES: Final = "lines.parquet"
PROOFS: Final = "proofs.parquet"
RUNS: Final = "runs.csv"
PRICES: Final = "prices.csv"
STATEMENTS: Final = "statements.csv"
_ROWS_AT_ONCE: Final = 50_000

_LINE_SCHEMA: Final = pa.schema(
    [
        ("run", pa.int64()),
        ("interval", pa.int64()),
        ("position", pa.int32()),
        ("payer", pa.string()),
        ("payee", pa.string()),
        ("kind", pa.string()),
        ("rail", pa.string()),
        ("energy_wh", pa.int64()),
        ("price_micros_per_kwh", pa.int64()),
        ("amount_micros", pa.int64()),
    ]
)
_PROOF_SCHEMA: Final = pa.schema(
    [
        ("run", pa.int64()),
        ("interval", pa.int64()),
        ("account", pa.string()),
        ("net_micros", pa.int64()),
        ("wh_in", pa.int64()),
        ("wh_out", pa.int64()),
        ("order_hash", pa.binary(32)),
        ("readings_hash", pa.binary(32)),
        ("trades_root", pa.binary(32)),
        ("salt", pa.binary(32)),
        ("leaf", pa.binary(32)),
        ("proof", pa.list_(pa.binary(32))),
    ]
)


class _Growing:
    """A Parquet file that is written as its rows come."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []


class Output:
    """The files of one folder, written while runs come."""

    def __init__(self, folder: Path, names: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._names = names
        self._lines = _Growing(folder / LINES, _LINE_SCHEMA)
        self._proofs = _Growing(folder / PROOFS, _PROOF_SCHEMA)
        self._open: list[TextIO] = []
        self._runs = self._table(
            RUNS,
            *("run", "interval", "start", "traded_wh", "surplus_wh", "deficit_wh"),
            *("price_micros_per_kwh", "estimated", "root"),
        )
        self._prices = self._table(PRICES, "start", "zone", "price_micros_per_kwh")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all files."""
        self._lines.close()
        self._proofs.close()
        for stream in self._open:
            stream.close()

    def add(self, run: BatchRun) -> None:
        """Write one run."""
        inputs, settled = run.inputs, run.settlement
        head = (inputs.run, inputs.interval)
        price = "" if settled.price is None else settled.price
        estimated = sum(one.estimated for one in inputs.members)
        energies = (settled.traded_wh, settled.surplus_wh, settled.deficit_wh)
        root = "0x" + settled.root.hex()
        self._runs.writerow((*head, at(run.begin_s), *energies, price, estimated, root))
        for zone in sorted(settled.outcome.prices):
            self._prices.writerow((at(run.begin_s), zone, settled.outcome.prices[zone]))
        for position, line in enumerate(settled.lines):
            sides = (self._name(line.payer), self._name(line.payee))
            amounts = (line.energy_wh, line.price, line.amount_micros)
            self._lines.add((*head, position, *sides, line.kind.value, line.rail.value, *amounts))
        for one in proofs(run):
            leaf = one.leaf
            self._proofs.add(
                (
                    *(*head, leaf.account, leaf.net_micros, leaf.wh_in, leaf.wh_out),
                    *(leaf.order_hash, leaf.readings_hash, leaf.trades_root, leaf.salt),
                    *(one.hash, one.siblings),
                )
            )

    def statements(self, members: Members) -> None:
        """Write the statement of every member."""
        energies = ("import_wh", "export_wh", "sold_wh", "bought_wh")
        residual = ("residual_out_wh", "residual_in_wh", "undelivered_wh", "unused_wh")
        received = [f"{kind}_received_micros" for kind in Kind]
        paid = [f"{kind}_paid_micros" for kind in Kind]
        ends = ("net_micros", "alone_micros", "gain_micros", "estimated")
        table = self._table(
            STATEMENTS, "member", "account", *energies, *residual, *received, *paid, *ends
        )
        for account in sorted(members.totals, key=self._name):
            one = members.totals[account]
            table.writerow(
                (
                    *(self._name(account), account),
                    *(getattr(one, column) for column in (*energies, *residual)),
                    *(one.received_micros[kind] for kind in Kind),
                    *(one.paid_micros[kind] for kind in Kind),
                    *(getattr(one, column) for column in ends),
                )
            )

    def _name(self, account: str) -> str:
        return self._names.get(account, account)

    def _table(self, file: str, *columns: str) -> Any:  # noqa: ANN401 - csv's writer has no name
        stream = (self._folder / file).open("w", encoding="utf-8", newline="")
        self._open.append(stream)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        return writer
