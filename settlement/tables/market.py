"""Runs of intervals and their lines; orders of members and who may sign them."""

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from ledger.tables import Int
from settlement.tables.registry import metadata

run = Table(
    "run",
    metadata,
    Column("run", Int, primary_key=True),
    Column("interval", Int, nullable=False),
    Column("kind", Int, nullable=False),
    # The run that a correction amends; its own figures are what it adds to those before it.
    Column("amends", Int),
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

# What the contract knows as a run: the runs of a settlement period, under one root.
chain_run = Table(
    "chain_run",
    metadata,
    Column("number", Int, primary_key=True, autoincrement=False),
    Column("period", Int, nullable=False),
    # The chain run that a correction amends.
    Column("amends", Int),
    Column("first_run", Int, ForeignKey("run.run"), nullable=False),
    Column("last_run", Int, ForeignKey("run.run"), nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
    UniqueConstraint("last_run", name="uq_chain_run"),
    Index("ix_chain_run_period", "period"),
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
    # Of a correction: who takes the energy, which is below zero where some is taken back.
    Column("taker", Text),
    UniqueConstraint("run", "position", name="uq_line"),
)

market_order = Table(
    "market_order",
    metadata,
    Column("member", Text, nullable=False),
    Column("nonce", Int, nullable=False),
    Column("side", Int, nullable=False),
    Column("quantity", Int, nullable=False),
    Column("first_interval", Int, nullable=False),
    Column("last_interval", Int, nullable=False),
    Column("energy_wh", Int, nullable=False),
    Column("limit_micros_per_kwh", Int, nullable=False),
    Column("partner", Text, nullable=False),
    Column("solar_only", Int, nullable=False),
    Column("expires_at_s", Int, nullable=False),
    Column("replaces", Int, nullable=False),
    Column("struct_hash", LargeBinary, nullable=False),
    Column("signer", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
    UniqueConstraint("member", "nonce", name="uq_market_order"),
    # Orders that are over are never looked at when an interval is settled.
    Index("ix_market_order_last", "last_interval"),
)

market_order_end = Table(
    "market_order_end",
    metadata,
    Column("member", Text, nullable=False),
    Column("nonce", Int, nullable=False),
    Column("cause", Text, nullable=False),
    Column("by_nonce", Int, nullable=False),
    Column("struct_hash", LargeBinary, nullable=False),
    Column("signer", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
    ForeignKeyConstraint(
        ["member", "nonce"],
        ["market_order.member", "market_order.nonce"],
        name="fk_market_order_end",
    ),
    UniqueConstraint("member", "nonce", name="uq_market_order_end"),
)

delegation = Table(
    "delegation",
    metadata,
    Column("member", Text, nullable=False),
    Column("nonce", Int, nullable=False),
    Column("delegate", Text, nullable=False),
    Column("valid_from_s", Int, nullable=False),
    Column("valid_until_s", Int, nullable=False),
    Column("struct_hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
    UniqueConstraint("member", "nonce", name="uq_delegation"),
)
