"""Sessions, what stations said of them, what they cost, and who is told."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from ledger.tables import Int
from settlement.tables.registry import metadata

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
    Column("station_transaction", Text),
    Column("started_s", Int),
    Column("stopped_s", Int),
    Column("begin_wh", Int),
    Column("energy_wh", Int),
    Column("charge_micros", Int),
    Column("refund_micros", Int),
    Column("overrun_micros", Int),
    Column("vat_micros", Int),
    Column("record", Text),
    Column("total_micros", Int),
    Column("evse_id", Int),
    Column("held_code", Text),
    UniqueConstraint("station_id", "station_transaction", name="uq_session_transaction"),
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

tariff = Table(
    "tariff",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("tariff_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_s", Int, nullable=False),
)

station_event = Table(
    "station_event",
    metadata,
    Column("station_id", Text, nullable=False),
    Column("station_transaction", Text, nullable=False),
    Column("seq_no", Int, nullable=False),
    Column("phase", Text, nullable=False),
    Column("at_s", Int, nullable=False),
    Column("offline", Int, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    UniqueConstraint("station_id", "station_transaction", "seq_no", name="uq_station_event"),
)

signed_record = Table(
    "signed_record",
    metadata,
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False),
    Column("page", Int, nullable=False),
    Column("record", Text, nullable=False),
    Column("at_s", Int, nullable=False),
    UniqueConstraint("session_id", "page", name="uq_signed_record"),
)

kept_report = Table(
    "kept_report",
    metadata,
    Column("content_hash", LargeBinary, primary_key=True),
    Column("station_id", Text, nullable=False),
    Column("report", Text, nullable=False),
    Column("at_s", Int, nullable=False),
)

waiting_report = Table(
    "waiting_report",
    metadata,
    Column("content_hash", LargeBinary, ForeignKey("kept_report.content_hash"), primary_key=True),
    Column("station_id", Text, nullable=False),
    Column("station_transaction", Text),
    Column("session_id", Text),
    Column("phase", Text, nullable=False),
    Column("until_s", Int),
    Index("ix_waiting_report_session", "session_id"),
    Index("ix_waiting_report_transaction", "station_id", "station_transaction"),
)

charge_line = Table(
    "charge_line",
    metadata,
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False),
    Column("position", Int, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("volume", Text, nullable=False),
    Column("unit_price", Text, nullable=False),
    Column("net_micros", Int, nullable=False),
    Column("vat_bp", Int),
    Column("vat_micros", Int, nullable=False),
    Column("rail", Text, nullable=False),
    UniqueConstraint("session_id", "position", name="uq_charge_line"),
)

cdr = Table(
    "cdr",
    metadata,
    Column("seq", Int, primary_key=True, autoincrement=True),
    Column("cdr_id", Text, nullable=False, unique=True),
    Column("session_id", Text, ForeignKey("session.session_id"), nullable=False),
    Column("credit", Int, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_s", Int, nullable=False),
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("cursor_seq", Int, nullable=False),
    Column("failures", Int, nullable=False),
    Column("next_try_s", Int, nullable=False),
    Column("last_error", Text, nullable=False),
)

latency = Table(
    "latency",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("refund_us", Int, nullable=False),
)
