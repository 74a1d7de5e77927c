"""Show where a session stands, what it costs and by which tariff."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from settlement.engine.bills.tariffs import Posted, tariff_of
from settlement.engine.charging.quoting import UnknownSessionError
from settlement.engine.service import Service
from settlement.pricing.ocpi import Restrictions, Shown, display_order
from settlement.tables import charge_line, session


def session_view(service: Service, identity: str) -> dict[str, Any]:
    """
    Return where a session stands.

    Raises
    ------
    UnknownSessionError
        If there is none of that id.
    """
    with service.reading() as connection:
        row = session_row(connection, identity)
        lines = _lines(connection, identity)
    return {
        "session_id": identity,
        "state": row["state"],
        "station_id": row["station_id"],
        "id_tag": row["id_tag"],
        "deposit_micros": str(row["deposit_micros"]),
        "energy_wh": row["energy_wh"],
        "charge_micros": _text(row["charge_micros"]),
        "refund_micros": _text(row["refund_micros"]),
        "total_micros": _text(row["total_micros"]),
        "overrun_micros": _text(row["overrun_micros"]),
        "vat_micros": _text(row["vat_micros"]),
        "lines": lines,
        "deadline_s": row["deadline_s"],
    }


def session_row(connection: Connection, identity: str) -> RowMapping:
    """
    Return a session as it is stored.

    Raises
    ------
    UnknownSessionError
        If there is none of that id.
    """
    found = (
        connection.execute(select(session).where(session.c.session_id == identity))
        .mappings()
        .first()
    )
    if found is None:
        raise UnknownSessionError(identity)
    return found


def session_tariff(service: Service, identity: str) -> dict[str, Any]:
    """
    Return the tariff that a session was opened under.

    Raises
    ------
    UnknownSessionError
        If there is none of that id.
    """
    with service.reading() as connection:
        return tariff_view(tariff_of(service, connection, session_row(connection, identity)))


def tariff_view(posted: Posted) -> dict[str, Any]:
    """Return a tariff for people: its components by kWh, minute, session, other; its document."""
    return {
        "fingerprint": posted.fingerprint,
        "id": posted.ocpi.tariff_id,
        "currency": posted.ocpi.currency,
        "contract": {
            "price_micros_per_kwh": str(posted.price_micros_per_kwh),
            "flat_micros": str(posted.flat_micros),
            "is_whole": posted.is_whole,
        },
        "components": [_component(one) for one in display_order(posted.ocpi)],
        "document": posted.body,
    }


def _component(shown: Shown) -> dict[str, Any]:
    component, place = shown.component, shown.place
    percent = component.vat_percent
    return {
        "dimension": str(component.dimension),
        "price": format(component.price, "f"),
        "vat_percent": None if percent is None else format(percent, "f"),
        "step_size": component.step_size,
        "element": place[0],
        "restrictions": _restrictions(shown.element.restrictions),
    }


def _restrictions(limits: Restrictions) -> dict[str, Any]:
    """Return what restricts a component, each under its own name; nothing if nothing does."""
    found: dict[str, Any] = {}
    for name in (one.name for one in fields(limits)):
        value = getattr(limits, name)
        if value is None or value == frozenset():
            continue
        if isinstance(value, frozenset):
            found[name] = sorted(map(str, value))
        else:
            found[name] = value if isinstance(value, int) else str(value)
    return found


def _lines(connection: Connection, identity: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(charge_line)
        .where(charge_line.c.session_id == identity)
        .order_by(charge_line.c.position)
    ).mappings()
    return [
        {
            "dimension": row["dimension"],
            "volume": row["volume"],
            "unit_price": row["unit_price"],
            "net_micros": str(row["net_micros"]),
            "vat_bp": row["vat_bp"],
            "vat_micros": str(row["vat_micros"]),
            "rail": row["rail"],
        }
        for row in rows
    ]


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
