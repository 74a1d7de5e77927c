"""What came from outside, kept as it came: messages, refusals, frames, readings, mandates."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from ledger.tables import Int
from settlement.tables.registry import metadata

inbox = Table(
    "inbox",
    metadata,
    Column("key", Text, primary_key=True),
    Column("content_hash", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at_s", Int, nullable=False),
)

refusal = Table(
    "refusal",
    metadata,
    Column("seq", Int, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("content_hash", LargeBinary, nullable=False, unique=True),
    Column("trace_id", Text, nullable=False),
    Column("at_s", Int, nullable=False),
)

rejudged = Table(
    "rejudged",
    metadata,
    Column("refusal_seq", Int, ForeignKey("refusal.seq"), primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("at_s", Int, nullable=False),
)

frame = Table(
    "frame",
    metadata,
    Column("seq", Int, primary_key=True, autoincrement=True),
    Column("station_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_s", Int, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("seq", Int, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("version", Int, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_s", Int, nullable=False),
    Index("ix_event_trace", "trace_id"),
)

reading = Table(
    "reading",
    metadata,
    Column("meter_id", Text, nullable=False),
    Column("register", Int, nullable=False),
    Column("at_s", Int, nullable=False),
    Column("sequence", Int, nullable=False),
    Column("energy_wh", Int, nullable=False),
    Column("quality", Int, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # What is to be known beside the value (settlement.metering.homes.flags).
    Column("flags", Int, nullable=False, server_default="0"),
    # The instant comes first: readings of one instant come together, and end up side by side.
    UniqueConstraint("at_s", "meter_id", "register", name="uq_reading"),
)

register_head = Table(
    "register_head",
    metadata,
    Column("meter_id", Text, primary_key=True),
    Column("register", Int, primary_key=True),
    Column("at_s", Int, nullable=False),
    Column("sequence", Int, nullable=False),
    Column("energy_wh", Int, nullable=False),
    Column("quality", Int, nullable=False),
    sqlite_with_rowid=False,
)

mandate = Table(
    "mandate",
    metadata,
    Column("member", Text, nullable=False),
    Column("nonce", Int, nullable=False),
    Column("valid_from_s", Int, nullable=False),
    Column("valid_until_s", Int, nullable=False),
    Column("body", Text, nullable=False),
    Column("struct_hash", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    UniqueConstraint("member", "nonce", name="uq_mandate"),
)
