"""
Know who is told of what: webhooks of events, and eMSPs of charge detail records.

A subscriber has a cursor: everything up to it was delivered. The cursor moves only once a delivery
was answered, so everything arrives at least once and in order, whatever is killed in between.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from ledger.errors import Conflict, InvalidRequest, NotFound
from ledger.units import UnixSeconds
from settlement.charging.documents.exact import instant
from settlement.tables import cdr, event, subscriber

EVENTS: Final = (
    "session_opened",
    "session_started",
    "session_topped_up",
    "session_warned",
    "session_stopped",
    "session_cosigned",
    "session_closed",
    "session_expired",
    "session_held",
    "session_resumed",
    "session_opening_refused",
    "session_closing_refused",
)
"""Names of events that webhooks are told of."""
_SECRET_BYTES: Final = 32
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64
_KEY_PREFIX: Final = "whsec_"
_NAME_MAX: Final = 64
_ERROR_MAX: Final = 200
_WAITS_S: Final = (5, 30, 120, 600, 1_800, 3_600)
_SUBSCRIBERS_MAX: Final = 1_000


class Kind(StrEnum):
    """What a subscriber is told, and how."""

    WEBHOOK = "webhook"
    OCPI = "ocpi"


class UnknownSubscriberError(NotFound):
    """No subscriber has this id."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown_subscriber", f"there is no subscriber {name}")


class SubscriberExistsError(Conflict):
    """A subscriber of this id is there already; remove it first."""

    def __init__(self, name: str) -> None:
        super().__init__("subscriber_exists", f"{name} is a subscriber already")


class TooManySubscribersError(Conflict):
    """There are as many subscribers as the service tells."""

    def __init__(self) -> None:
        super().__init__("too_many_subscribers", f"{_SUBSCRIBERS_MAX} subscribers are the most")


class BadSubscriberError(InvalidRequest):
    """A subscriber's id or secret that cannot be used."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_subscriber", detail)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who is told of something."""

    name: str
    """Id."""
    kind: Kind
    """What it is told."""
    url: str
    """Where to."""
    secret: str
    """Webhook: key of the signatures, ``whsec_`` and base64. OCPI: the token we send."""
    cursor_seq: int
    """Everything up to this was delivered."""
    failures: int
    """How often in a row it did not answer well."""
    next_try_s: UnixSeconds
    """Not before this instant, in Unix seconds."""
    last_error: str
    """Why it failed last; the empty string if it did not."""

    def document(self) -> dict[str, Any]:
        """Return what may be shown: everything but the secret."""
        return {
            "id": self.name,
            "kind": self.kind.value,
            "url": self.url,
            "delivered_up_to": self.cursor_seq,
            "failures": self.failures,
            "next_try_s": self.next_try_s,
            "last_error": self.last_error,
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to deliver."""

    seq: int
    """Its place: number of the event, or of the record."""
    body: str
    """What is sent, byte for byte the same each time."""


def fresh_secret() -> str:
    """Return a new key of a webhook's signatures."""
    return _KEY_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def add(
    connection: Connection, *, name: str, kind: Kind, url: str, secret: str, from_start: bool
) -> Subscriber:
    """
    Add a subscriber, told of what comes from now on, or of everything that ever was.

    Raises
    ------
    BadSubscriberError
        If the id is no plain word, or a webhook's secret is no key.
    SubscriberExistsError
        If the id is taken.
    TooManySubscribersError
        If there are too many.
    """
    if not name or len(name) > _NAME_MAX or not name.isprintable() or "/" in name:
        raise BadSubscriberError(f"an id has 1 to {_NAME_MAX} characters and no slash")
    if kind is Kind.WEBHOOK:
        _check_secret(secret)
    if connection.execute(select(subscriber.c.id).where(subscriber.c.id == name)).first():
        raise SubscriberExistsError(name)
    if connection.execute(select(func.count()).select_from(subscriber)).scalar_one() >= (
        _SUBSCRIBERS_MAX
    ):
        raise TooManySubscribersError
    source = event.c.seq if kind is Kind.WEBHOOK else cdr.c.seq
    newest = connection.execute(select(func.coalesce(func.max(source), 0))).scalar_one()
    made = Subscriber(
        name=name,
        kind=kind,
        url=url,
        secret=secret,
        cursor_seq=0 if from_start else newest,
        failures=0,
        next_try_s=UnixSeconds(0),
        last_error="",
    )
    connection.execute(
        subscriber.insert().values(
            id=name,
            kind=kind.value,
            url=url,
            secret=secret,
            cursor_seq=made.cursor_seq,
            failures=0,
            next_try_s=0,
            last_error="",
        )
    )
    return made


def remove(connection: Connection, *, name: str, kind: Kind) -> None:
    """
    Tell a subscriber nothing more.

    Raises
    ------
    UnknownSubscriberError
        If there is none of that id and kind.
    """
    gone = connection.execute(
        delete(subscriber).where(subscriber.c.id == name, subscriber.c.kind == kind.value)
    )
    if not gone.rowcount:
        raise UnknownSubscriberError(name)


def subscribers(connection: Connection, *, kind: Kind | None = None) -> tuple[Subscriber, ...]:
    """Return every subscriber, or those of one kind, by id."""
    wanted = select(subscriber).order_by(subscriber.c.id)
    if kind is not None:
        wanted = wanted.where(subscriber.c.kind == kind.value)
    return tuple(_subscriber(row) for row in connection.execute(wanted).mappings())


def next_deliveries(connection: Connection, one: Subscriber, *, limit: int) -> tuple[Delivery, ...]:
    """Return what a subscriber is to be told next, in order."""
    if one.kind is Kind.OCPI:
        found = connection.execute(
            select(cdr.c.seq, cdr.c.body)
            .where(cdr.c.seq > one.cursor_seq)
            .order_by(cdr.c.seq)
            .limit(limit)
        )
        return tuple(Delivery(row.seq, row.body) for row in found)
    rows = (
        connection.execute(
            select(event)
            .where(event.c.seq > one.cursor_seq, event.c.name.in_(EVENTS))
            .order_by(event.c.seq)
            .limit(limit)
        )
        .mappings()
        .all()
    )
    return tuple(Delivery(row["seq"], _event_body(row)) for row in rows)


def delivered(connection: Connection, one: Subscriber, *, seq: int) -> None:
    """Note that a subscriber has answered well to everything up to ``seq``."""
    connection.execute(
        update(subscriber)
        .where(subscriber.c.id == one.name, subscriber.c.cursor_seq < seq)
        .values(cursor_seq=seq, failures=0, next_try_s=0, last_error="")
    )


def failed(connection: Connection, one: Subscriber, *, reason: str, now_s: UnixSeconds) -> None:
    """Note that a subscriber did not answer well; it is tried again later, and later each time."""
    wait_s = _WAITS_S[min(one.failures, len(_WAITS_S) - 1)]
    connection.execute(
        update(subscriber)
        .where(subscriber.c.id == one.name)
        .values(
            failures=one.failures + 1,
            next_try_s=now_s + wait_s,
            last_error=reason[:_ERROR_MAX],
        )
    )


def _subscriber(row: RowMapping) -> Subscriber:
    return Subscriber(
        name=row["id"],
        kind=Kind(row["kind"]),
        url=row["url"],
        secret=row["secret"],
        cursor_seq=row["cursor_seq"],
        failures=row["failures"],
        next_try_s=UnixSeconds(row["next_try_s"]),
        last_error=row["last_error"],
    )


def _check_secret(secret: str) -> None:
    try:
        key = base64.b64decode(secret.removeprefix(_KEY_PREFIX), validate=True)
    except (ValueError, binascii.Error) as fault:
        raise BadSubscriberError("the secret is no base64 behind whsec_") from fault
    if not _SECRET_BYTES_MIN <= len(key) <= _SECRET_BYTES_MAX:
        raise BadSubscriberError(
            f"the secret has {_SECRET_BYTES_MIN} to {_SECRET_BYTES_MAX} bytes, not {len(key)}"
        )


def _event_body(row: RowMapping) -> str:
    """Return an event as it is told; amounts are decimal strings, as everywhere outside."""
    told = {
        "id": str(row["seq"]),
        "type": row["name"],
        "version": row["version"],
        "timestamp": instant(UnixSeconds(row["at_s"])),
        "data": {"session_id": row["trace_id"], **_outside(json.loads(row["body"]))},
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def _outside(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: str(value) if name.endswith("_micros") and value is not None else value
        for name, value in body.items()
    }
