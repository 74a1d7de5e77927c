"""
Know the eMSPs that OCPI connects us with, and by which token each speaks.

Of the token that they send only a hash is kept; the one that we send must be known to be sent.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, update

from ledger.errors import NotAuthenticated, WrongState
from settlement.engine.charging.documents import subscribers
from settlement.engine.charging.documents.subscribers import Kind, Subscriber
from settlement.tables import subscriber

_TOKEN_BYTES: Final = 32


class UnknownTokenError(NotAuthenticated):
    """The request carries no token of OCPI that is known here."""

    def __init__(self) -> None:
        super().__init__("unknown_token", "Authorization is no 'Token' of a connected party")


class AlreadyConnectedError(WrongState):
    """The party has exchanged credentials already; it may change them instead."""

    def __init__(self, name: str) -> None:
        super().__init__("already_connected", f"{name} is connected; use PUT")


class NotConnectedError(WrongState):
    """The party has not exchanged credentials yet."""

    def __init__(self, name: str) -> None:
        super().__init__("not_connected", f"{name} is not connected; use POST")


@dataclass(frozen=True, slots=True)
class Partner:
    """An eMSP."""

    name: str
    """Id that the operator gave it."""
    url: str
    """Its receiver of charge detail records; the empty string if it only asks for them."""
    connected: bool
    """Whether it has exchanged credentials, or was entered with all that is needed."""


def invite(
    connection: Connection, *, name: str, url: str = "", send_token: str = "", from_start: bool
) -> str:
    """
    Enter an eMSP; return the token by which it is to speak. It is shown this once.

    Without ``url`` nothing is pushed until the eMSP registers with it (OCPI, credentials).

    Raises
    ------
    VoisinError
        If the id cannot be used, or is taken.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    subscribers.add(
        connection,
        name=name,
        kind=Kind.OCPI,
        url=url,
        secret=_secret(send_token, token, connected=bool(url)),
        from_start=from_start,
    )
    return token


def partner_by_token(connection: Connection, token: str) -> Partner:
    """
    Return who speaks by ``token``.

    Raises
    ------
    UnknownTokenError
        If nobody does.
    """
    wanted = _digest(token)
    for one in subscribers.subscribers(connection, kind=Kind.OCPI):
        found = json.loads(one.secret)
        if hmac.compare_digest(found["take"], wanted):
            return Partner(one.name, one.url, found["connected"])
    raise UnknownTokenError


def connect(connection: Connection, partner: Partner, *, url: str, send_token: str) -> str:
    """Note where the eMSP takes records and by which token; return its new token."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    connection.execute(
        update(subscriber)
        .where(subscriber.c.id == partner.name)
        .values(url=url, secret=_secret(send_token, token, connected=True), next_try_s=0)
    )
    return token


def disconnect(connection: Connection, partner: Partner) -> None:
    """
    Forget the eMSP and its token.

    Raises
    ------
    NotConnectedError
        If it never exchanged credentials.
    """
    if not partner.connected:
        raise NotConnectedError(partner.name)
    subscribers.remove(connection, name=partner.name, kind=Kind.OCPI)


def token_for(one: Subscriber) -> str:
    """Return the token that we send to an eMSP."""
    return str(json.loads(one.secret)["send"])


def _secret(send: str, take: str, *, connected: bool) -> str:
    found = {"send": send, "take": _digest(take), "connected": connected}
    return json.dumps(found, sort_keys=True)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
