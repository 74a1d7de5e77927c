"""Prove a certificate: from its sale, over its seller's leaf, to the root that the chain holds."""

from typing import Any

from sqlalchemy import Connection, select

from ledger.errors import Integrity
from settlement.engine.market.runs.computing import compute_again
from settlement.engine.market.runs.sending import taken_with
from settlement.engine.origin.notices import UnknownCertificateError
from settlement.engine.service import Service
from settlement.tables import lot, run
from settlement.trading.lines import Sale, sales_of
from settlement.trading.settle import IntervalInputs
from settlement.trading.tree import Leaf, merkle_proof, salt_of, trade_leaf


class CertificateNotProvenError(Integrity):
    """A certificate's interval, settled again, does not hold its sale."""

    def __init__(self, leaf: str) -> None:
        super().__init__("certificate_not_proven", f"certificate {leaf} does not come out again")


def proof_of(service: Service, connection: Connection, leaf: str) -> dict[str, Any]:
    """
    Return everything that leads from a certificate's sale to its run's root (decision 0003).

    The interval is settled again from its signed inputs, so a proof that is handed out is one that
    still holds.

    Raises
    ------
    UnknownCertificateError
        If there is none of that id.
    CertificateNotProvenError
        If the interval does not come out again.
    """
    found = connection.execute(select(lot).where(lot.c.leaf == leaf)).first()
    if found is None:
        raise UnknownCertificateError(leaf)
    row = connection.execute(select(run).where(run.c.run == found.run)).mappings().one()
    again = compute_again(service, connection, row)
    inputs = again.collected.inputs
    sales = [one for one in sales_of(again.whole.trades) if one.seller == found.seller]
    place = next((at for at, one in enumerate(sales) if one.buyer == found.buyer), None)
    leaves = [_leaf_of(inputs, one) for one in sales]
    if place is None or f"0x{leaves[place].hex()}" != leaf or again.root != row["root"]:
        raise CertificateNotProvenError(leaf)
    accounts = [one.account for one in again.leaves]
    at = accounts.index(found.seller)
    own = merkle_proof([one.hash() for one in again.leaves], at)
    taken = taken_with(connection, found.run)
    return {
        "sale": _sale(inputs, sales[place]),
        "sale_proof": _hex(merkle_proof(leaves, place)),
        "seller_leaf": _account(again.leaves[at]),
        "seller_proof": _hex((*own, *taken.proof)),
        "run": taken.number,
        "root": f"0x{taken.root.hex()}",
    }


def _leaf_of(inputs: IntervalInputs, one: Sale) -> bytes:
    return trade_leaf(
        one.seller, one.buyer, one.energy_wh, one.price, one.amount_micros, _salt(inputs, one)
    )


def _salt(inputs: IntervalInputs, one: Sale) -> bytes:
    return salt_of(inputs.salt_key, inputs.run, one.seller, one.buyer)


def _sale(inputs: IntervalInputs, one: Sale) -> dict[str, Any]:
    return {
        "seller": one.seller,
        "buyer": one.buyer,
        "energy_wh": one.energy_wh,
        "price_micros_per_kwh": str(one.price),
        "amount_micros": str(one.amount_micros),
        "salt": f"0x{_salt(inputs, one).hex()}",
    }


def _account(leaf: Leaf) -> dict[str, Any]:
    return {
        "run": leaf.run,
        "interval": leaf.interval,
        "account": leaf.account,
        "net_micros": str(leaf.net_micros),
        "wh_in": leaf.wh_in,
        "wh_out": leaf.wh_out,
        "order_hash": f"0x{leaf.order_hash.hex()}",
        "readings_hash": f"0x{leaf.readings_hash.hex()}",
        "trades_root": f"0x{leaf.trades_root.hex()}",
        "salt": f"0x{leaf.salt.hex()}",
    }


def _hex(proof: tuple[bytes, ...]) -> list[str]:
    return [f"0x{one.hex()}" for one in proof]
