"""Make the tables of parties, sessions, readings and runs."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0002"
down_revision: Final = "settlement_0001"
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = ("reading", "mandate", "slice", "run", "line")


def upgrade() -> None:
    """Make the tables and guard those whose rows may not change."""
    for make in (
        _party,
        _wallet,
        _meter,
        _station,
        _session,
        _slice,
        _reading,
        _register_head,
        _mandate,
        _run,
        _run_state,
        _line,
    ):
        make()
    guard(op.get_bind(), _IMMUTABLE)


def _party() -> None:
    op.create_table(
        "party",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party")),
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
        sa.Column("station_transaction", sa.Text(), nullable=True),
        sa.Column("started_s", _INT, nullable=True),
        sa.Column("stopped_s", _INT, nullable=True),
        sa.Column("begin_wh", _INT, nullable=True),
        sa.Column("energy_wh", _INT, nullable=True),
        sa.Column("charge_micros", _INT, nullable=True),
        sa.Column("refund_micros", _INT, nullable=True),
        sa.Column("overrun_micros", _INT, nullable=True),
        sa.Column("vat_micros", _INT, nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("total_micros", _INT, nullable=True),
        sa.ForeignKeyConstraint(
            ["station_id"], ["station.station_id"], name=op.f("fk_session_station_id")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session")),
        sa.UniqueConstraint("id_tag", name=op.f("uq_session_id_tag")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_session_transaction_id")),
        sa.UniqueConstraint("station_id", "station_transaction", name="uq_session_transaction"),
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


def _run_state() -> None:
    op.create_table(
        "run_state",
        sa.Column("run", _INT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name=op.f("fk_run_state_run")),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_run_state")),
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
