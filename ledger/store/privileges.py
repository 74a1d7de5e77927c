"""
Let the service's role on PostgreSQL read and add, and change only what may change.

Triggers prevent accidents; a role that does not own the tables cannot take the triggers away. Two
roles are needed: the owner makes and migrates the tables, the service writes to them.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, text

from ledger.errors import InvalidRequest, NotFound

_NAME_MAX: Final = 63


class NoPrivilegesError(InvalidRequest):
    """SQLite has no roles; whoever can open the file can change it."""

    def __init__(self) -> None:
        super().__init__("no_privileges", "only PostgreSQL has roles")


class UnknownRoleError(NotFound):
    """A role that the database does not know."""

    def __init__(self, role: str) -> None:
        super().__init__("unknown_role", f"the database has no role {role[:_NAME_MAX]!r}")


def grant(
    connection: Connection, role: str, *, tables: Iterable[str], immutable: Iterable[str]
) -> None:
    """
    Give ``role`` what the service needs, and take everything else from it.

    Parameters
    ----------
    connection
        A connection of the tables' owner.
    role
        Role of the service.
    tables
        Every table of the service.
    immutable
        Those of them whose rows may neither change nor go.

    Raises
    ------
    NoPrivilegesError
        If the database is not PostgreSQL.
    UnknownRoleError
        If there is no such role.
    """
    if connection.dialect.name != "postgresql":
        raise NoPrivilegesError
    known = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
    if connection.execute(known, {"role": role}).first() is None:
        raise UnknownRoleError(role)
    quote = connection.dialect.identifier_preparer.quote
    name, fixed = quote(role), frozenset(immutable)
    for statement in (
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}",
        f"REVOKE CREATE ON SCHEMA public FROM {name}",
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}",
    ):
        connection.execute(text(statement))
    for table in sorted(tables):
        may = "INSERT" if table in fixed else "INSERT, UPDATE, DELETE"
        connection.execute(text(f"GRANT {may} ON {quote(table)} TO {name}"))
