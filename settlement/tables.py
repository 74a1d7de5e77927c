"""
The settlement service's tables, beside the ledger's in one database.

Evidence (``inbox``, ``refusal``, ``event``, ``reading``, ``mandate``, ``slice``, ``run``, ``line``,
``attempt``) is written once; triggers refuse to change or delete it. ``session``, ``intent``,
``lane`` and ``run_state`` say where something stands now and may move on; every step they take is
an event. ``register_head`` repeats the newest ``reading`` of each register, and moves with it.
``latency`` holds wall times for display and never enters the journal.
A row of ``break_`` is opened when a break is found and closed when it is gone, and both are in the
journal.
"""

from typing import Final

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ledger.tables import NAMING, Int

metadata: Final = MetaData(naming_convention=NAMING)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

party = Table(
    "party",
    metadata,
    Column("id", Text, primary_key=True),
    Column("role", Text, nullable=False),
)

wallet = Table(
    "wallet",
    metadata,
    Column("address", Text, primary_key=True),
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("valid_from_s", Int, nullable=False),
    Column("valid_until_s", Int, nullable=False),
)

lane = Table(
    "lane",
    metadata,
    Column("address", Text, primary_key=True),
    Column("id", Int, nullable=False, unique=True),
    Column("cap_micros", Int, nullable=False),
    Column("lowering_micros", Int),
    Column("lowering_asked_s", Int),
    Column("exit_micros", Int),
    Column("exit_asked_s", Int),
)

meter = Table(
    "meter",
    metadata,
    Column("meter_id", Text, nullable=False),
    Column("valid_from_s", Int, nullable=False),
    Column("valid_until_s", Int, nullable=False),
    Column("serial", Text, nullable=False),
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("curve", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("rated_power_w", Int, nullable=False),
    UniqueConstraint("meter_id", "valid_from_s", name="uq_meter_id_from"),
)

station = Table(
    "station",
    metadata,
    Column("station_id", Text, primary_key=True),
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("meter_id", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
)

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

session = Table(
    "session",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("driver", Text, nullable=False),
    Column("station_id", Text, ForeignKey("station.station_id"), nullable=False),
    Column("id_tag", Text, nullable=False, unique=True),
    Column("terms", Text, nullable=False),
    Column("requested_wh", Int, nullable=False),
    Column("deposit_micros", Int, nullable=False),
    Column("deadline_s", Int, nullable=False),
    Column("opened_s", Int, nullable=False),
    Column("page_at_open", Int),
    Column("transaction_id", Int, unique=True),
    Column("started_s", Int),
    Column("stopped_s", Int),
    Column("begin_wh", Int),
    Column("energy_wh", Int),
    Column("charge_micros", Int),
    Column("refund_micros", Int),
    Column("overrun_micros", Int),
    Column("vat_micros", Int),
    Column("record", Text),
    Index("ix_session_state", "state"),
)

slice_ = Table(
    "slice",
    metadata,
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False),
    Column("page", Int, nullable=False),
    Column("interval", Int, nullable=False),
    Column("begin_s", Int, nullable=False),
    Column("end_s", Int, nullable=False),
    Column("energy_wh", Int, nullable=False),
    Column("record", Text, nullable=False),
    UniqueConstraint("session_id", "page", name="uq_slice"),
    Index("ix_slice_interval", "interval"),
)

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

intent = Table(
    "intent",
    metadata,
    Column("id", Int, primary_key=True, autoincrement=True),
    Column("business_key", Text, nullable=False, unique=True),
    Column("trace_id", Text, nullable=False),
    Column("signer", Text, nullable=False),
    Column("nonce", Int, nullable=False),
    Column("state", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("waits_since", Int),
    Column("block_number", Int),
    Column("block_hash", Text),
    Column("gas_used", Int),
    Column("error", Text),
    UniqueConstraint("signer", "nonce", name="uq_intent_nonce"),
    Index("ix_intent_state", "state"),
    Index("ix_intent_trace", "trace_id"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("intent_id", Int, ForeignKey("intent.id"), nullable=False),
    Column("number", Int, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("call", Text, nullable=False),
    Column("max_fee_wei", Int, nullable=False),
    Column("tip_wei", Int, nullable=False),
    Column("cancels", Int, nullable=False),
    UniqueConstraint("intent_id", "number", name="uq_attempt_number"),
)

observed = Table(
    "observed",
    metadata,
    Column("block_hash", Text, nullable=False),
    Column("transaction_hash", Text, nullable=False),
    Column("log_index", Int, nullable=False),
    Column("block_number", Int, nullable=False),
    Column("contract", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("final", Int, nullable=False),
    UniqueConstraint("block_hash", "log_index", name="uq_observed"),
    Index("ix_observed_final", "final"),
    Index("ix_observed_transaction", "transaction_hash"),
)

block = Table(
    "block",
    metadata,
    Column("number", Int, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("timestamp_s", Int, nullable=False),
)

latency = Table(
    "latency",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("refund_us", Int, nullable=False),
)

break_ = Table(
    "break_",
    metadata,
    Column("id", Int, primary_key=True, autoincrement=True),
    Column("equation", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("ledger_value", Text, nullable=False),
    Column("other_value", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("found_block", Int, nullable=False),
    Column("found_at_s", Int, nullable=False),
    Column("cleared_block", Int),
    Column("cleared_at_s", Int),
    Index(
        "uq_break_open",
        "equation",
        "subject",
        unique=True,
        sqlite_where=text("cleared_at_s IS NULL"),
        postgresql_where=text("cleared_at_s IS NULL"),
    ),
)

IMMUTABLE: Final = (
    "inbox",
    "refusal",
    "frame",
    "event",
    "reading",
    "mandate",
    "slice",
    "run",
    "line",
    "attempt",
)
"""Tables whose rows may neither change nor go; triggers see to it."""
