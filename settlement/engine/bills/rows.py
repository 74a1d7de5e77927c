"""
The rows of sessions, by their id.

Every session that ends passes here several times, so the statements are made once.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from settlement.charging.terms import SessionTerms
from settlement.tables import session

_BY_IDS: Final = select(session).where(session.c.session_id.in_(bindparam("named", expanding=True)))
_CHANGE: Final = update(session).where(session.c.session_id == bindparam("named"))


def sessions_of(connection: Connection, session_ids: Sequence[str]) -> Mapping[str, RowMapping]:
    """Return by their ids those sessions that are ours."""
    found = connection.execute(_BY_IDS, {"named": session_ids}).mappings()
    return {row["session_id"]: row for row in found}


def write_session(connection: Connection, session_id: str, **values: object) -> None:
    """Set columns of a session."""
    connection.execute(_CHANGE, {"named": session_id, **values})


@lru_cache(maxsize=1_024)
def terms_in(text: str) -> SessionTerms:
    """Return the terms that the text of a session holds; it never changes."""
    return SessionTerms(**json.loads(text))
