"""Make the settlement service's tables."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0001"
down_revision: Final = None
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = (
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


def upgrade() -> None:
    """Make the tables and guard those whose rows may not change."""
    for make in (
        _block,
        _break_,
        _event,
        _frame,
        _inbox,
        _intent,
        _lane,
        _latency,
        _mandate,
        _meta,
        _observed,
        _party,
        _reading,
        _refusal,
        _register_head,
        _run,
        _attempt,
        _line,
        _meter,
        _run_state,
        _station,
        _wallet,
        _session,
        _slice,
    ):
        make()
    guard(op.get_bind(), _IMMUTABLE)


def _block() -> None:
    op.create_table(
        "block",
        sa.Column("number", _INT, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("timestamp_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_block")),
    )


def _break_() -> None:
    op.create_table(
        "break_",
        sa.Column("id", _INT, autoincrement=True, nullable=False),
        sa.Column("equation", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("ledger_value", sa.Text(), nullable=False),
        sa.Column("other_value", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("found_block", _INT, nullable=False),
        sa.Column("found_at_s", _INT, nullable=False),
        sa.Column("cleared_block", _INT, nullable=True),
        sa.Column("cleared_at_s", _INT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_")),
    )
    op.create_index(
        "uq_break_open",
        "break_",
        ["equation", "subject"],
        unique=True,
        sqlite_where=sa.text("cleared_at_s IS NULL"),
        postgresql_where=sa.text("cleared_at_s IS NULL"),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", _INT, nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
    )
    op.create_index("ix_event_trace", "event", ["trace_id"], unique=False)


def _frame() -> None:
    op.create_table(
        "frame",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_frame")),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_inbox")),
    )


def _intent() -> None:
    op.create_table(
        "intent",
        sa.Column("id", _INT, autoincrement=True, nullable=False),
        sa.Column("business_key", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("waits_since", _INT, nullable=True),
        sa.Column("block_number", _INT, nullable=True),
        sa.Column("block_hash", sa.Text(), nullable=True),
        sa.Column("gas_used", _INT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        sa.UniqueConstraint("business_key", name=op.f("uq_intent_business_key")),
        sa.UniqueConstraint("signer", "nonce", name="uq_intent_nonce"),
    )
    op.create_index("ix_intent_state", "intent", ["state"], unique=False)
    op.create_index("ix_intent_trace", "intent", ["trace_id"], unique=False)


def _lane() -> None:
    op.create_table(
        "lane",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("id", _INT, nullable=False),
        sa.Column("cap_micros", _INT, nullable=False),
        sa.Column("lowering_micros", _INT, nullable=True),
        sa.Column("lowering_asked_s", _INT, nullable=True),
        sa.Column("exit_micros", _INT, nullable=True),
        sa.Column("exit_asked_s", _INT, nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_lane")),
        sa.UniqueConstraint("id", name=op.f("uq_lane_id")),
    )


def _latency() -> None:
    op.create_table(
        "latency",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("refund_us", _INT, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_latency")),
    )


def _mandate() -> None:
    op.create_table(
        "mandate",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("valid_from_s", _INT, nullable=False),
        sa.Column("valid_until_s", _INT, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("struct_hash", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("member", "nonce", name="uq_mandate"),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )


def _observed() -> None:
    op.create_table(
        "observed",
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("transaction_hash", sa.Text(), nullable=False),
        sa.Column("log_index", _INT, nullable=False),
        sa.Column("block_number", _INT, nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("final", _INT, nullable=False),
        sa.UniqueConstraint("block_hash", "log_index", name="uq_observed"),
    )
    op.create_index("ix_observed_final", "observed", ["final"], unique=False)
    op.create_index("ix_observed_transaction", "observed", ["transaction_hash"], unique=False)


def _party() -> None:
    op.create_table(
        "party",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party")),
    )


def _reading() -> None:
    op.create_table(
        "reading",
        sa.Column("meter_id", sa.Text(), nullable=False),
        sa.Column("register", _INT, nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("sequence", _INT, nullable=False),
        sa.Column("energy_wh", _INT, nullable=False),
        sa.Column("quality", _INT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("at_s", "meter_id", "register", name="uq_reading"),
    )


def _refusal() -> None:
    op.create_table(
        "refusal",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_refusal")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_refusal_content_hash")),
    )


def _register_head() -> None:
    op.create_table(
        "register_head",
        sa.Column("meter_id", sa.Text(), nullable=False),
        sa.Column("register", _INT, nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("sequence", _INT, nullable=False),
        sa.Column("energy_wh", _INT, nullable=False),
        sa.Column("quality", _INT, nullable=False),
        sa.PrimaryKeyConstraint("meter_id", "register", name=op.f("pk_register_head")),
        sqlite_with_rowid=False,
    )


def _run() -> None:
    op.create_table(
        "run",
        sa.Column("run", _INT, nullable=False),
        sa.Column("interval", _INT, nullable=False),
        sa.Column("kind", _INT, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("traded_wh", _INT, nullable=False),
        sa.Column("stations_wh", _INT, nullable=False),
        sa.Column("sun_to_cars_wh", _INT, nullable=False),
        sa.Column("home_to_home_wh", _INT, nullable=False),
        sa.Column("surplus_wh", _INT, nullable=False),
        sa.Column("deficit_wh", _INT, nullable=False),
        sa.Column("losses_wh", _INT, nullable=True),
        sa.Column("price_micros_per_kwh", _INT, nullable=True),
        sa.Column("estimated", _INT, nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_run")),
    )
    op.create_index("ix_run_interval", "run", ["interval"], unique=False)


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("intent_id", _INT, nullable=False),
        sa.Column("number", _INT, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("max_fee_wei", _INT, nullable=False),
        sa.Column("tip_wei", _INT, nullable=False),
        sa.Column("cancels", _INT, nullable=False),
        sa.ForeignKeyConstraint(["intent_id"], ["intent.id"], name=op.f("fk_attempt_intent_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_attempt")),
        sa.UniqueConstraint("intent_id", "number", name="uq_attempt_number"),
    )


def _line() -> None:
    op.create_table(
        "line",
        sa.Column("run", _INT, nullable=False),
        sa.Column("position", _INT, nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rail", sa.Text(), nullable=False),
        sa.Column("energy_wh", _INT, nullable=False),
        sa.Column("amount_micros", _INT, nullable=False),
        sa.Column("price_micros_per_kwh", _INT, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name=op.f("fk_line_run")),
        sa.UniqueConstraint("run", "position", name="uq_line"),
    )


def _meter() -> None:
    op.create_table(
        "meter",
        sa.Column("meter_id", sa.Text(), nullable=False),
        sa.Column("valid_from_s", _INT, nullable=False),
        sa.Column("valid_until_s", _INT, nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("curve", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("rated_power_w", _INT, nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name=op.f("fk_meter_party")),
        sa.UniqueConstraint("meter_id", "valid_from_s", name="uq_meter_id_from"),
    )


def _run_state() -> None:
    op.create_table(
        "run_state",
        sa.Column("run", _INT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name=op.f("fk_run_state_run")),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_run_state")),
    )


def _station() -> None:
    op.create_table(
        "station",
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("meter_id", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name=op.f("fk_station_party")),
        sa.PrimaryKeyConstraint("station_id", name=op.f("pk_station")),
    )


def _wallet() -> None:
    op.create_table(
        "wallet",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("valid_from_s", _INT, nullable=False),
        sa.Column("valid_until_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name=op.f("fk_wallet_party")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_wallet")),
    )


def _session() -> None:
    op.create_table(
        "session",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("id_tag", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("requested_wh", _INT, nullable=False),
        sa.Column("deposit_micros", _INT, nullable=False),
        sa.Column("deadline_s", _INT, nullable=False),
        sa.Column("opened_s", _INT, nullable=False),
        sa.Column("page_at_open", _INT, nullable=True),
        sa.Column("transaction_id", _INT, nullable=True),
        sa.Column("started_s", _INT, nullable=True),
        sa.Column("stopped_s", _INT, nullable=True),
        sa.Column("begin_wh", _INT, nullable=True),
        sa.Column("energy_wh", _INT, nullable=True),
        sa.Column("charge_micros", _INT, nullable=True),
        sa.Column("refund_micros", _INT, nullable=True),
        sa.Column("overrun_micros", _INT, nullable=True),
        sa.Column("vat_micros", _INT, nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["station_id"], ["station.station_id"], name=op.f("fk_session_station_id")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session")),
        sa.UniqueConstraint("id_tag", name=op.f("uq_session_id_tag")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_session_transaction_id")),
    )
    op.create_index("ix_session_state", "session", ["state"], unique=False)


def _slice() -> None:
    op.create_table(
        "slice",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("page", _INT, nullable=False),
        sa.Column("interval", _INT, nullable=False),
        sa.Column("begin_s", _INT, nullable=False),
        sa.Column("end_s", _INT, nullable=False),
        sa.Column("energy_wh", _INT, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.session_id"], name=op.f("fk_slice_session_id")
        ),
        sa.UniqueConstraint("session_id", "page", name="uq_slice"),
    )
    op.create_index("ix_slice_interval", "slice", ["interval"], unique=False)
