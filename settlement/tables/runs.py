"""What comes after a run: late readings, intervals to correct, final ones, statements."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from ledger.tables import Int
from settlement.tables.registry import metadata

late_reading = Table(
    "late_reading",
    metadata,
    Column("at_s", Int, nullable=False),
    Column("meter_id", Text, nullable=False),
    Column("register", Int, nullable=False),
    # The newest run when the reading came: no run up to it knew of the reading.
    Column("after_run", Int, nullable=False),
    UniqueConstraint("at_s", "meter_id", "register", name="uq_late_reading"),
    Index("ix_late_reading_after_run", "after_run"),
)

dirty_interval = Table(
    "dirty_interval",
    metadata,
    Column("interval", Int, primary_key=True, autoincrement=False),
    Column("since_s", Int, nullable=False),
)

final_interval = Table(
    "final_interval",
    metadata,
    Column("interval", Int, primary_key=True, autoincrement=False),
    Column("at_s", Int, nullable=False),
)

statement = Table(
    "statement",
    metadata,
    Column("number", Int, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("amends", Int, ForeignKey("statement.number")),
    Column("runs_after", Int, nullable=False),
    Column("runs_until", Int, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_s", Int, nullable=False),
    UniqueConstraint("account", "month", "runs_after", name="uq_statement"),
)
