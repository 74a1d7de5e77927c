"""
Bring a database's schema up to date, step by step, or leave it as it was.

Each package that owns tables has a folder of Alembic revisions and a version table of its own. A
step runs in one transaction, on SQLite too. Rows that may not change are guarded by triggers, which
no step drops: ``ALTER TABLE`` by copy (Alembic's batch mode) would lose them, so no step uses it.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect, text

from ledger.errors import WrongState
from ledger.store.database import check_collation

_ACTIONS: Final = ("update", "delete")


class UnversionedDatabaseError(WrongState):
    """A database with tables but no version, made before there were versions."""

    def __init__(self, package: str) -> None:
        super().__init__(
            "unversioned_database",
            f"the database has tables of {package} but no version; begin with a new one",
        )


class NewerDatabaseError(WrongState):
    """A database that a newer program has changed."""

    def __init__(self, package: str, version: str) -> None:
        super().__init__("newer_database", f"{package} is at {version}, which this program lacks")


def migrate(engine: Engine, package: str, metadata: MetaData) -> None:
    """
    Bring the tables of ``package`` up to date.

    Raises
    ------
    DatabaseCollationError
        If PostgreSQL would sort text otherwise than by its bytes.
    UnversionedDatabaseError
        If there are such tables already, without a version.
    NewerDatabaseError
        If the version is one that this program does not know.
    """
    config = _config(package)
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        check_collation(connection)
        version = _version(connection, package)
        if version == scripts.get_current_head():
            return
        if version is None and set(metadata.tables) & set(inspect(connection).get_table_names()):
            raise UnversionedDatabaseError(package)
        if version is not None and version not in {
            one.revision for one in scripts.walk_revisions()
        }:
            raise NewerDatabaseError(package, version)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def run_steps() -> None:
    """Run what Alembic asked for; called by the ``env.py`` of each folder of steps."""
    settings = context.config
    context.configure(
        connection=settings.attributes["connection"],
        version_table=settings.get_main_option("version_table"),
        transactional_ddl=True,
    )
    context.run_migrations()


def guard(connection: Connection, tables: Sequence[str]) -> None:
    """Make the rows of ``tables`` unchangeable, by triggers; for the steps of a migration."""
    for statement in _guards(connection.dialect.name, tables):
        connection.execute(text(statement))


def guards(connection: Connection) -> frozenset[tuple[str, str]]:
    """Return every (table, trigger) that the database has."""
    if connection.dialect.name == "sqlite":
        query = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE NOT tgisinternal AND tgenabled <> 'D'"
        )
    return frozenset((row[0], row[1]) for row in connection.execute(text(query)))


def guards_of(dialect: str, tables: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Return every (table, trigger) that ``guard`` makes."""
    actions = _ACTIONS if dialect == "sqlite" else ("change", "truncate")
    return frozenset((name, f"{name}_no_{action}") for name in tables for action in actions)


def _guards(dialect: str, tables: Sequence[str]) -> Iterator[str]:
    if dialect == "sqlite":
        for name in tables:
            for action in _ACTIONS:
                yield (
                    f"CREATE TRIGGER {name}_no_{action} BEFORE {action.upper()} ON {name} "
                    f"BEGIN SELECT RAISE(ABORT, '{name} rows are immutable'); END"
                )
        return
    yield (
        "CREATE OR REPLACE FUNCTION voisin_immutable() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME; END $$"
    )
    for name in tables:
        for action, when, each in (
            ("change", "UPDATE OR DELETE", "ROW"),
            ("truncate", "TRUNCATE", "STATEMENT"),
        ):
            yield (
                f"CREATE TRIGGER {name}_no_{action} BEFORE {when} ON {name} "
                f"FOR EACH {each} EXECUTE FUNCTION voisin_immutable()"
            )


def _version(connection: Connection, package: str) -> str | None:
    options = {"version_table": _version_table(package)}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _config(package: str) -> Config:
    folder = Path(str(import_module(f"{package}.migrations").__file__)).parent
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("version_table", _version_table(package))
    return config


def _version_table(package: str) -> str:
    return f"{package}_version"
