"""Read ``community.toml``: zones, fees, prices, the rule of trading, members and their limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final

from api.market.reading.cells import INSTANT, MONEY, instant, micros, read_table
from api.market.reading.limits import read_limits
from api.market.reading.mechanism import read_mechanism
from api.market.reading.settings import FolderValueError, Section, read_settings
from contracts.typed_data import Domain, keccak
from ledger.errors import VoisinError
from ledger.units import WHOLE_BP, BasisPoints, Micros, MicrosPerKilowattHour, WattHours
from settlement.engine.batch.model import BatchCommunity, BatchMember, Residual
from settlement.metering.intervals import interval_of
from settlement.metering.local_time import UnknownTimeZoneError, time_zone
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions
from settlement.trading.zones import Zone, ZoneTree

GRID: Final = "grid operator"
STATE: Final = "state"
PLATFORM: Final = "platform"
SUPPLIER: Final = "supplier"
_INSTITUTIONS: Final = (GRID, STATE, PLATFORM, SUPPLIER)
_SECTIONS: Final = (
    *("community", "zones", "fees", "residual", "mechanism", "members", "signing", "proofs"),
)
_ADDRESS_BYTES: Final = 20
_SALT_BYTES: Final = 32
_NOBODY: Final = "0x" + "00" * _ADDRESS_BYTES


@dataclass(frozen=True, slots=True)
class Described:
    """A community as its folder describes it."""

    community: BatchCommunity
    """Rules and members."""
    names: Mapping[str, str]
    """Names of accounts, for people."""


def read_community(folder: Path) -> Described:
    """
    Return the community of a folder.

    Raises
    ------
    FolderError
        If ``community.toml`` or the price file it names is not as documented.
    """
    file = read_settings(folder)
    file.only(*_SECTIONS)
    own = file.section("community")
    own.only("id", "name", "currency", "time_zone", "interval_s")
    community_id = own.text("id")
    interval_s = own.parsed("interval_s", "a length that divides an hour", _length)
    tree = _tree(file)
    signing = file.section("signing", optional=True)
    signing.only("chain_id", "contract")
    proofs = file.section("proofs", optional=True)
    proofs.only("salt_key")
    members = tuple(_members(file, community_id, tree))
    accounts = {role: account_of(community_id, role) for role in _INSTITUTIONS}
    community = BatchCommunity(
        community_id=community_id,
        currency=own.text("currency", "EUR"),
        time_zone=own.parsed("time_zone", "a time zone such as Europe/Paris or -07:00", _zone, UTC),
        interval_s=interval_s,
        tree=tree,
        fees=_fees(file.section("fees", optional=True)),
        institutions=Institutions(accounts[GRID], accounts[STATE], SUPPLIER, accounts[PLATFORM]),
        residual=_residual(folder, file.section("residual"), interval_s),
        mechanism=read_mechanism(
            file.section("mechanism", optional=True),
            {one.name: one.mandate.member for one in members},
        ),
        salt_key=proofs.parsed(
            "salt_key", "32 bytes in hex", _salt, keccak(f"salt of {community_id}".encode())
        ),
        domain=Domain(
            "Voisin",
            "1",
            signing.count("chain_id", 1),
            signing.parsed("contract", "an address", _address, _NOBODY),
        ),
        members=members,
    )
    names = {account: role for role, account in accounts.items()} | {SUPPLIER: SUPPLIER}
    return Described(community, names | {one.mandate.member: one.name for one in members})


def account_of(community_id: str, name: str) -> str:
    """Return the account of a name that has no wallet: the end of a hash, as addresses are."""
    return "0x" + keccak(f"{community_id}/{name}".encode())[-_ADDRESS_BYTES:].hex()


def _tree(file: Section) -> ZoneTree:
    if not file.has("zones"):
        return ZoneTree.single()
    zones = []
    for one in file.sections("zones"):
        one.only("name", "parent", "local_toll", "edge_toll", "import_cap_wh", "export_cap_wh")
        zones.append(
            Zone(
                name=one.text("name"),
                parent=one.text("parent", None),
                local_toll=MicrosPerKilowattHour(one.money("local_toll", 0)),
                edge_toll=MicrosPerKilowattHour(one.money("edge_toll", 0)),
                import_cap_wh=_cap(one, "import_cap_wh"),
                export_cap_wh=_cap(one, "export_cap_wh"),
            )
        )
    try:
        return ZoneTree.of(zones)
    except VoisinError as fault:
        raise FolderValueError("zones", str(fault)) from fault


def _cap(one: Section, key: str) -> WattHours | None:
    return WattHours(one.count(key)) if one.has(key) else None


def _fees(one: Section) -> Fees:
    one.only("levy", "platform", "vat_bp")
    return Fees(
        levy=MicrosPerKilowattHour(one.parsed("levy", MONEY, _not_negative, 0)),
        vat_bp=BasisPoints(one.parsed("vat_bp", "0 to 10,000 basis points", _share, 0)),
        platform=MicrosPerKilowattHour(one.parsed("platform", MONEY, _not_negative, 0)),
    )


def _residual(folder: Path, one: Section, interval_s: int) -> Residual:
    one.only("buys", "sells", "sells_file")
    if one.has("sells") == one.has("sells_file"):
        raise FolderValueError(one.place, "needs one of sells and sells_file")
    buys = MicrosPerKilowattHour(one.money("buys"))
    if one.has("sells"):
        return Residual(buys, MicrosPerKilowattHour(one.money("sells")))
    table = read_table(folder, one.text("sells_file"), ("start", "price_per_kwh"))
    starts = table.read("start", INSTANT, instant)
    prices = table.read("price_per_kwh", MONEY, micros)
    found: dict[int, MicrosPerKilowattHour] = {}
    for row, start_s in enumerate(starts):
        if start_s % interval_s or start_s in found:
            raise table.wrong("start", row, "is no start of an interval, or was there before")
        found[start_s] = MicrosPerKilowattHour(prices[row])
    return Residual(buys, None, found)


def _members(file: Section, community_id: str, tree: ZoneTree) -> Iterator[BatchMember]:
    seen: set[str] = set(_INSTITUTIONS)
    for one in file.sections("members"):
        one.only(
            *("name", "zone", "account", "sell_not_below", "buy_not_above", "bands"),
            *("cap", "deposit", "solar"),
        )
        called = one.text("name")
        if called in seen:
            raise FolderValueError(one.key("name"), f"{called} is there twice")
        account = one.parsed("account", "an address", _address, account_of(community_id, called))
        if account in seen:
            raise FolderValueError(one.key("account"), f"{account} is there twice")
        seen |= {called, account}
        zone = one.text("zone", tree.root.name if len(tree.zones) == 1 else None)
        if zone not in tree.index:
            raise FolderValueError(one.key("zone"), f"there is no zone {zone}")
        yield BatchMember(
            name=called,
            zone=zone,
            mandate=read_limits(one, account),
            deposit_micros=Micros(one.money("deposit")) if one.has("deposit") else None,
            solar=one.parsed("solar", "true or false", _truth, default=False),
        )


def _length(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    try:
        interval_of(0, value)  # type: ignore[arg-type]  # any instant will do
    except VoisinError as fault:
        raise ValueError(value) from fault
    return value


def _zone(value: object) -> tzinfo:
    if not isinstance(value, str):
        raise TypeError(value)
    if value[:1] in {"+", "-"}:
        hours, _, minutes = value[1:].partition(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if value[0] == "-" else offset)
    try:
        return time_zone(value)
    except UnknownTimeZoneError as fault:
        raise ValueError(value) from fault


def _address(value: object) -> str:
    if not isinstance(value, str) or len(value) != 2 + 2 * _ADDRESS_BYTES:
        raise ValueError(value)
    if not value.startswith("0x"):
        raise ValueError(value)
    return "0x" + bytes.fromhex(value[2:]).hex()


def _salt(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError(value)
    raw = bytes.fromhex(value.removeprefix("0x"))
    if len(raw) != _SALT_BYTES:
        raise ValueError(value)
    return raw


def _share(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= WHOLE_BP:
        raise ValueError(value)
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _not_negative(value: object) -> int:
    amount = micros(str(value)) if isinstance(value, int) else micros(value)
    if amount < 0:
        raise ValueError(value)
    return amount
