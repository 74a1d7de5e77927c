"""Make the tables of tariffs, stations' events and reports, charge detail records and webhooks."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0003"
down_revision: Final = "settlement_0002"
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = (
    "tariff",
    "station_event",
    "charge_line",
    "cdr",
    "rejudged",
    "signed_record",
    "kept_report",
)


def upgrade() -> None:
    """Make the tables and guard those whose rows may not change."""
    for make in (
        _columns,
        _tariff,
        _station_event,
        _charge_line,
        _cdr,
        _subscriber,
        _rejudged,
        _signed_record,
        _kept_report,
        _waiting_report,
    ):
        make()
    guard(op.get_bind(), _IMMUTABLE)


def _columns() -> None:
    op.add_column("session", sa.Column("evse_id", _INT, nullable=True))
    op.add_column("session", sa.Column("held_code", sa.Text(), nullable=True))
    op.add_column("meter", sa.Column("register_modulus_wh", _INT, nullable=True))


def _tariff() -> None:
    op.create_table(
        "tariff",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("tariff_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_tariff")),
    )


def _station_event() -> None:
    op.create_table(
        "station_event",
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("station_transaction", sa.Text(), nullable=False),
        sa.Column("seq_no", _INT, nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("offline", _INT, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("station_id", "station_transaction", "seq_no", name="uq_station_event"),
    )


def _charge_line() -> None:
    op.create_table(
        "charge_line",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("position", _INT, nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("volume", sa.Text(), nullable=False),
        sa.Column("unit_price", sa.Text(), nullable=False),
        sa.Column("net_micros", _INT, nullable=False),
        sa.Column("vat_bp", _INT, nullable=True),
        sa.Column("vat_micros", _INT, nullable=False),
        sa.Column("rail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.session_id"], name=op.f("fk_charge_line_session_id")
        ),
        sa.UniqueConstraint("session_id", "position", name="uq_charge_line"),
    )


def _cdr() -> None:
    op.create_table(
        "cdr",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("cdr_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("credit", _INT, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.session_id"], name=op.f("fk_cdr_session_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_cdr")),
        sa.UniqueConstraint("cdr_id", name=op.f("uq_cdr_cdr_id")),
    )


def _subscriber() -> None:
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("cursor_seq", _INT, nullable=False),
        sa.Column("failures", _INT, nullable=False),
        sa.Column("next_try_s", _INT, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
    )


def _rejudged() -> None:
    op.create_table(
        "rejudged",
        sa.Column("refusal_seq", _INT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["refusal_seq"], ["refusal.seq"], name=op.f("fk_rejudged_refusal_seq")
        ),
        sa.PrimaryKeyConstraint("refusal_seq", name=op.f("pk_rejudged")),
    )


def _signed_record() -> None:
    op.create_table(
        "signed_record",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("page", _INT, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.session_id"], name=op.f("fk_signed_record_session_id")
        ),
        sa.UniqueConstraint("session_id", "page", name="uq_signed_record"),
    )


def _kept_report() -> None:
    op.create_table(
        "kept_report",
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("content_hash", name=op.f("pk_kept_report")),
    )


def _waiting_report() -> None:
    op.create_table(
        "waiting_report",
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("station_transaction", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("until_s", _INT, nullable=True),
        sa.ForeignKeyConstraint(
            ["content_hash"],
            ["kept_report.content_hash"],
            name=op.f("fk_waiting_report_content_hash"),
        ),
        sa.PrimaryKeyConstraint("content_hash", name=op.f("pk_waiting_report")),
    )
    op.create_index("ix_waiting_report_session", "waiting_report", ["session_id"])
    op.create_index(
        "ix_waiting_report_transaction", "waiting_report", ["station_id", "station_transaction"]
    )
