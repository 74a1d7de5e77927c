"""What the grid operator decides, what a run says of zones and members, and certificates."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from ledger.tables import Int
from settlement.tables.registry import metadata

zone_rule = Table(
    "zone_rule",
    metadata,
    Column("nonce", Int, primary_key=True, autoincrement=False),
    Column("first_interval", Int, nullable=False),
    Column("zone", Text, nullable=False),
    Column("local_toll", Int, nullable=False),
    Column("edge_toll", Int, nullable=False),
    Column("import_cap_wh", Int),
    Column("export_cap_wh", Int),
    Column("struct_hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
)

run_member = Table(
    "run_member",
    metadata,
    Column("run", Int, ForeignKey("run.run"), nullable=False),
    Column("account", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("import_wh", Int, nullable=False),
    Column("export_wh", Int, nullable=False),
    Column("bought_wh", Int, nullable=False),
    Column("sold_wh", Int, nullable=False),
    Column("estimated", Int, nullable=False),
    UniqueConstraint("run", "account", name="uq_run_member"),
)

run_zone = Table(
    "run_zone",
    metadata,
    Column("run", Int, ForeignKey("run.run"), nullable=False),
    Column("zone", Text, nullable=False),
    Column("price_micros_per_kwh", Int),
    Column("export_wh", Int, nullable=False),
    Column("import_wh", Int, nullable=False),
    Column("export_shadow", Int, nullable=False),
    Column("import_shadow", Int, nullable=False),
    Column("import_cap_wh", Int),
    Column("export_cap_wh", Int),
    UniqueConstraint("run", "zone", name="uq_run_zone"),
)

lot = Table(
    "lot",
    metadata,
    Column("leaf", Text, primary_key=True),
    Column("run", Int, ForeignKey("run.run"), nullable=False),
    Column("seller", Text, nullable=False),
    Column("buyer", Text, nullable=False),
    Column("energy_wh", Int, nullable=False),
    Column("covered_wh", Int, nullable=False),
    UniqueConstraint("run", "seller", "buyer", name="uq_lot"),
    Index("ix_lot_seller", "seller"),
    Index("ix_lot_buyer", "buyer"),
)

certificate = Table(
    "certificate",
    metadata,
    Column("leaf", Text, ForeignKey("lot.leaf"), primary_key=True),
    Column("run", Int, ForeignKey("run.run"), nullable=False),
    Column("state", Text, nullable=False),
    Index("ix_certificate_run", "run"),
)

membership_step = Table(
    "membership_step",
    metadata,
    Column("seq", Int, primary_key=True, autoincrement=True),
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("nonce", Int, nullable=False),
    Column("step", Text, nullable=False),
    Column("first_interval", Int, nullable=False),
    Column("signer", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
    UniqueConstraint("party", "nonce", name="uq_membership_step"),
)
