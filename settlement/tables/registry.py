"""Who and what there is: parties, their wallets and lanes, meters, stations."""

from typing import Final

from sqlalchemy import Column, ForeignKey, LargeBinary, MetaData, Table, Text, UniqueConstraint

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
    Column("register_modulus_wh", Int),
    # Zone of the grid that it is in; NULL is the root.
    Column("zone", Text),
    UniqueConstraint("meter_id", "valid_from_s", name="uq_meter_id_from"),
)

participation = Table(
    "participation",
    metadata,
    Column("meter_id", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("from_s", Int, nullable=False),
    Column("factor_bp", Int, nullable=False),
    UniqueConstraint("meter_id", "community", "from_s", name="uq_participation"),
)

station = Table(
    "station",
    metadata,
    Column("station_id", Text, primary_key=True),
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("meter_id", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
)
