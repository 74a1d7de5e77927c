"""Word what the service asks of a station, in the OCPP that the station speaks."""

import secrets
from typing import Final

from api.ocpp.frames import Payload, Version
from api.ocpp.translation.instants import instant_text
from api.ocpp.translation.money import amount
from ledger.units import Micros, UnixSeconds

Request = tuple[str, Payload]
"""An action and its payload."""

_REMOTE_ID_BITS: Final = 31
_SETTLED: Final = "Settled"


def start(version: Version, id_tag: str, evse_id: int) -> Request:
    """Return the request to let ``id_tag`` charge."""
    if version is Version.V16:
        return "RemoteStartTransaction", {"idTag": id_tag, "connectorId": evse_id}
    return "RequestStartTransaction", {
        "idToken": {"idToken": id_tag, "type": "Central"},
        "remoteStartId": secrets.randbits(_REMOTE_ID_BITS),
        "evseId": evse_id,
    }


def stop(version: Version, transaction: str) -> Request:
    """Return the request to end a transaction."""
    if version is Version.V16:
        return "RemoteStopTransaction", {"transactionId": int(transaction)}
    return "RequestStopTransaction", {"transactionId": transaction}


def trigger(message: str) -> Request:
    """Return the request to send a message now."""
    return "TriggerMessage", {"requestedMessage": message}


def data(vendor_id: str, message_id: str, text: str) -> Request:
    """Return a vendor's own message."""
    return "DataTransfer", {"vendorId": vendor_id, "messageId": message_id, "data": text}


def status(transaction: str) -> Request:
    """Return the question of OCPP 2.x whether a transaction goes on."""
    return "GetTransactionStatus", {"transactionId": transaction}


def cost(transaction: str, cost_micros: Micros) -> Request:
    """Return what a transaction costs so far, for the station's display (OCPP 2.x)."""
    return "CostUpdated", {"totalCost": amount(cost_micros), "transactionId": transaction}


def settlement(
    reference: str, transaction: str, settled_micros: Micros, at_s: UnixSeconds, receipt_url: str
) -> Request:
    """
    Return what was settled and where the receipt is (OCPP 2.1, use cases C21 and C22).

    The library writes ``receiptURL``, which its own schema refuses, so the words are ours.
    """
    payload: Payload = {
        "pspRef": reference,
        "transactionId": transaction,
        "status": _SETTLED,
        "settlementAmount": amount(settled_micros),
        "settlementTime": instant_text(at_s),
    }
    if receipt_url:
        payload["receiptUrl"] = receipt_url
    return "NotifySettlement", payload
