"""Make the tables of the grid operator's rules, of zones and members in runs, and certificates."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0007"
down_revision: Final = "settlement_0006"
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = ("zone_rule", "run_member", "run_zone", "lot", "membership_step")


def upgrade() -> None:
    """Make the tables and guard those whose rows may not change."""
    for make in (_zone_rule, _run_member, _run_zone, _lot, _certificate, _membership_step):
        make()
    guard(op.get_bind(), _IMMUTABLE)


def _zone_rule() -> None:
    op.create_table(
        "zone_rule",
        sa.Column("nonce", _INT, autoincrement=False, nullable=False),
        sa.Column("first_interval", _INT, nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("local_toll", _INT, nullable=False),
        sa.Column("edge_toll", _INT, nullable=False),
        sa.Column("import_cap_wh", _INT, nullable=True),
        sa.Column("export_cap_wh", _INT, nullable=True),
        sa.Column("struct_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_zone_rule")),
    )


def _run_member() -> None:
    op.create_table(
        "run_member",
        sa.Column("run", _INT, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("import_wh", _INT, nullable=False),
        sa.Column("export_wh", _INT, nullable=False),
        sa.Column("bought_wh", _INT, nullable=False),
        sa.Column("sold_wh", _INT, nullable=False),
        sa.Column("estimated", _INT, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name=op.f("fk_run_member_run")),
        sa.UniqueConstraint("run", "account", name="uq_run_member"),
    )


def _run_zone() -> None:
    op.create_table(
        "run_zone",
        sa.Column("run", _INT, nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("price_micros_per_kwh", _INT, nullable=True),
        sa.Column("export_wh", _INT, nullable=False),
        sa.Column("import_wh", _INT, nullable=False),
        sa.Column("export_shadow", _INT, nullable=False),
        sa.Column("import_shadow", _INT, nullable=False),
        sa.Column("import_cap_wh", _INT, nullable=True),
        sa.Column("export_cap_wh", _INT, nullable=True),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name=op.f("fk_run_zone_run")),
        sa.UniqueConstraint("run", "zone", name="uq_run_zone"),
    )


def _lot() -> None:
    op.create_table(
        "lot",
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("run", _INT, nullable=False),
        sa.Column("seller", sa.Text(), nullable=False),
        sa.Column("buyer", sa.Text(), nullable=False),
        sa.Column("energy_wh", _INT, nullable=False),
        sa.Column("covered_wh", _INT, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name=op.f("fk_lot_run")),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_lot")),
        sa.UniqueConstraint("run", "seller", "buyer", name="uq_lot"),
    )
    for side in ("seller", "buyer"):
        op.create_index(f"ix_lot_{side}", "lot", [side])


def _certificate() -> None:
    op.create_table(
        "certificate",
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("run", _INT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["lot.leaf"], name=op.f("fk_certificate_leaf")),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name=op.f("fk_certificate_run")),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_certificate")),
    )
    op.create_index("ix_certificate_run", "certificate", ["run"])


def _membership_step() -> None:
    op.create_table(
        "membership_step",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("first_interval", _INT, nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name=op.f("fk_membership_step_party")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_membership_step")),
        sa.UniqueConstraint("party", "nonce", name="uq_membership_step"),
    )
