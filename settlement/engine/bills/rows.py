"""
The rows of sessions, by their id.

Every session that ends passes here several times, so the statements are made once.
"""

from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from settlement.tables import session

_BY_ID: Final = select(session).where(session.c.session_id == bindparam("named"))
_CHANGE: Final = update(session).where(session.c.session_id == bindparam("named"))


def session_of(connection: Connection, session_id: str) -> RowMapping | None:
    """Return the session of that id, if it is one of ours."""
    return connection.execute(_BY_ID, {"named": session_id}).mappings().first()


def write_session(connection: Connection, session_id: str, **values: object) -> None:
    """Set columns of a session."""
    connection.execute(_CHANGE, {"named": session_id, **values})
