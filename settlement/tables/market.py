"""Runs of intervals and their lines."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from ledger.tables import Int
from settlement.tables.registry import metadata

run = Table(
    "run",
    metadata,
    Column("run", Int, primary_key=True),
    Column("interval", Int, nullable=False),
    Column("kind", Int, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("traded_wh", Int, nullable=False),
    Column("stations_wh", Int, nullable=False),
    Column("sun_to_cars_wh", Int, nullable=False),
    Column("home_to_home_wh", Int, nullable=False),
    Column("surplus_wh", Int, nullable=False),
    Column("deficit_wh", Int, nullable=False),
    Column("losses_wh", Int),
    Column("price_micros_per_kwh", Int),
    Column("estimated", Int, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("at_s", Int, nullable=False),
    Index("ix_run_interval", "interval"),
)

run_state = Table(
    "run_state",
    metadata,
    Column("run", Int, ForeignKey("run.run"), primary_key=True),
    Column("state", Text, nullable=False),
)

line = Table(
    "line",
    metadata,
    Column("run", Int, ForeignKey("run.run"), nullable=False),
    Column("position", Int, nullable=False),
    Column("payer", Text, nullable=False),
    Column("payee", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rail", Text, nullable=False),
    Column("energy_wh", Int, nullable=False),
    Column("amount_micros", Int, nullable=False),
    Column("price_micros_per_kwh", Int, nullable=False),
    UniqueConstraint("run", "position", name="uq_line"),
)
