"""Write the receipt of a session as a document that a program can check line by line."""

from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.units import WHOLE_BP
from settlement.charging.documents.exact import cents, kilowatt_hours, nearest
from settlement.charging.documents.facts import (
    ChargeLine,
    Finality,
    NotSettledError,
    SessionFacts,
    Transaction,
)
from settlement.metering.ocmf import OcmfReading
from settlement.metering.signatures import MeterKey

VERSION: Final = 1
"""Version of the document's form."""
_SUN_DECIMALS: Final = 3
_RECEIPTED: Final = frozenset({"closing", "closed", "expired"})
_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    one.name: one
    for one in (
        ec.SECP256K1,
        ec.SECP256R1,
        ec.SECP384R1,
        ec.SECP521R1,
        ec.BrainpoolP256R1,
        ec.BrainpoolP384R1,
        ec.BrainpoolP512R1,
    )
}


def receipt(facts: SessionFacts) -> dict[str, Any]:
    """
    Return the receipt: amounts in micros as decimal strings, energy in Wh, instants in Unix s.

    ``refund.finality`` is ``waiting``, ``sent``, ``mined`` or ``final``; only then it is ``paid``.

    Raises
    ------
    NotSettledError
        If the session's energy is not billed yet.
    """
    check_settled(facts)
    return {
        "version": VERSION,
        "session_id": facts.session_id,
        "state": facts.state,
        "paid": facts.settlement.finality is Finality.FINAL,
        "community": facts.community,
        "operator": facts.operator,
        "station_id": facts.station_id,
        "driver": facts.driver,
        "id_tag": facts.id_tag,
        "times": _times(facts),
        "energy": _energy(facts),
        "money": _money(facts),
        "deposit": _transaction(facts.opening) | {"amount_micros": str(facts.money.deposit_micros)},
        "refund": _transaction(facts.settlement)
        | {"amount_micros": str(facts.money.refund_micros)},
        "tariff": {
            "fingerprint": facts.tariff.fingerprint,
            "id": facts.tariff.tariff_id or None,
            "text": facts.tariff.text or None,
            "price_micros_per_kwh": str(facts.tariff.price_micros_per_kwh),
            "flat_micros": str(facts.tariff.flat_micros),
            "vat_bp": facts.tariff.vat_bp,
            "vat_included": True,
        },
        "signed_by": facts.signed_by,
        "meter": _meter(facts),
        "record": facts.evidence.record,
        "log": [
            {
                "transfer": one.transfer,
                "code": one.code,
                "entry": one.seq,
                "proof": f"/log/proof/{one.seq}",
            }
            for one in facts.entries
        ],
        "sun": _sun(facts),
    }


def check_settled(facts: SessionFacts) -> None:
    """
    Check that the session has ended and its money is on the way.

    Raises
    ------
    NotSettledError
        If not.
    """
    if facts.state not in _RECEIPTED:
        raise NotSettledError(facts.session_id, facts.state)


def public_key_der(key: MeterKey) -> bytes:
    """Return a meter's public key as X.509 writes it (SubjectPublicKeyInfo, DER)."""
    point = b"\x04" + key.public_key
    loaded = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[key.curve.value](), point)
    return loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _times(facts: SessionFacts) -> dict[str, Any]:
    times = facts.times
    return {
        "opened_s": times.opened_s,
        "started_s": times.started_s,
        "stopped_s": times.stopped_s,
        "ended_s": times.ended_s,
        "utc_offset_minutes": times.utc_offset_minutes,
    }


def _energy(facts: SessionFacts) -> dict[str, Any]:
    return {
        "energy_wh": facts.energy_wh,
        "energy_kwh": f"{kilowatt_hours(facts.energy_wh):f}",
        "begin": _reading(facts.evidence.begin),
        "end": _reading(facts.evidence.end),
    }


def _reading(found: OcmfReading | None) -> dict[str, Any] | None:
    """Return a register as the meter wrote it, with its instant and what the meter says of it."""
    if found is None:
        return None
    return {
        "register": str(found),
        "time": found.time,
        "obis": found.obis,
        "status": found.status,
    }


def _money(facts: SessionFacts) -> dict[str, Any]:
    money = facts.money
    return {
        "currency": facts.currency,
        "lines": [_line(one) for one in money.lines],
        "vat": [
            {"vat_bp": rate, "net_micros": str(net), "vat_micros": str(vat)}
            for rate, (net, vat) in money.by_rate().items()
        ],
        "total_micros": str(money.total_micros),
        "deposit_micros": str(money.deposit_micros),
        "charge_micros": str(money.charge_micros),
        "refund_micros": str(money.refund_micros),
        "invoice_micros": str(money.invoice_micros),
        "borne_by_operator_micros": str(money.overrun_micros),
        "display": {
            "total": cents(money.total_micros),
            "charge": cents(money.charge_micros),
            "refund": cents(money.refund_micros),
        },
    }


def _line(one: ChargeLine) -> dict[str, Any]:
    return {
        "dimension": one.dimension,
        "volume": one.volume,
        "unit": one.unit or None,
        "unit_price": one.unit_price or None,
        "net_micros": str(one.net_micros),
        "vat_bp": one.vat_bp,
        "vat_micros": str(one.vat_micros),
        "gross_micros": str(one.gross_micros),
        "rail": one.rail,
    }


def _transaction(found: Transaction) -> dict[str, Any]:
    return {"transaction": found.hash, "block": found.block, "finality": found.finality.value}


def _meter(facts: SessionFacts) -> dict[str, Any]:
    key = facts.evidence.key
    return {
        "meter_id": facts.evidence.meter_id,
        "serial": facts.evidence.serial,
        "curve": None if key is None else key.curve.value,
        "public_key": None if key is None else f"0x{key.public_key.hex()}",
        "public_key_der": None if key is None else public_key_der(key).hex(),
    }


def _sun(facts: SessionFacts) -> dict[str, Any] | None:
    """Return the neighbors' solar energy in the session, once every interval of it is settled."""
    if facts.sun_wh is None or not facts.energy_wh:
        return None
    share_bp = facts.sun_wh * WHOLE_BP // facts.energy_wh
    return {
        "energy_wh": f"{nearest(facts.sun_wh, _SUN_DECIMALS):f}",
        "share_bp": share_bp,
        "roofs": [
            {
                "party": one.party,
                "energy_wh": one.energy_wh,
                "energy_kwh": f"{kilowatt_hours(one.energy_wh):f}",
                "certificates": list(one.certificates),
            }
            for one in facts.roofs
        ],
    }
