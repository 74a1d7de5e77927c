"""List certificates of origin, of a member or one by one."""

from typing import Any

from sqlalchemy import Connection, Select, or_, select

from settlement.engine.origin.notices import UnknownCertificateError
from settlement.engine.service import Service
from settlement.tables import certificate, lot, party, run, wallet

_SEEN_BEFORE_FINAL = "waiting"


def certificates_of(
    service: Service, connection: Connection, member: str, *, offset: int, limit: int
) -> list[dict[str, Any]]:
    """Return certificates that a wallet sold or bought, the newest interval first."""
    asked = (
        _certificates()
        .where(or_(lot.c.seller == member, lot.c.buyer == member))
        .order_by(run.c.run.desc(), lot.c.leaf)
        .offset(offset)
        .limit(limit)
    )
    return [_document(service, row) for row in connection.execute(asked).mappings()]


def certificate_of(service: Service, connection: Connection, leaf: str) -> dict[str, Any]:
    """
    Return one certificate.

    Raises
    ------
    UnknownCertificateError
        If there is none of that id.
    """
    found = connection.execute(_certificates().where(lot.c.leaf == leaf)).mappings().first()
    if found is None:
        raise UnknownCertificateError(leaf)
    return _document(service, found)


def _certificates() -> Select[Any]:
    seller, buyer = wallet.alias("seller_wallet"), wallet.alias("buyer_wallet")
    return (
        select(
            lot,
            run.c.interval,
            certificate.c.state,
            seller.c.party.label("seller_party"),
            buyer.c.party.label("buyer_party"),
            party.c.role.label("seller_role"),
        )
        .join(run, run.c.run == lot.c.run)
        .join(seller, seller.c.address == lot.c.seller)
        .join(buyer, buyer.c.address == lot.c.buyer)
        .join(party, party.c.id == seller.c.party)
        .join(certificate, certificate.c.leaf == lot.c.leaf, isouter=True)
        .where(lot.c.covered_wh > 0)
    )


def _document(service: Service, row: Any) -> dict[str, Any]:  # noqa: ANN401 - a mapping
    rules = service.rules
    return {
        "id": row["leaf"],
        "state": row["state"] or _SEEN_BEFORE_FINAL,
        "source": "sun" if row["seller_role"] == "prosumer" else "unknown",
        "energy_wh": row["covered_wh"],
        "traded_wh": row["energy_wh"],
        "interval": row["interval"],
        "begin_s": rules.start_s(row["interval"]),
        "end_s": rules.end_s(row["interval"]),
        "run": row["run"],
        "seller": {"party": row["seller_party"], "wallet": row["seller"]},
        "buyer": {"party": row["buyer_party"], "wallet": row["buyer"]},
    }
