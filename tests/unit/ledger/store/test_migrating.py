"""A migrated database is the one that the tables describe, guards and checks included."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, inspect, text

from ledger import migrations
from ledger.store import migrate, open_engine
from ledger.store.database import DatabaseCollationError, UnknownDatabaseError
from ledger.store.migrating import (
    NewerDatabaseError,
    UnversionedDatabaseError,
    guards,
    guards_of,
)
from ledger.tables import IMMUTABLE, metadata

FOLDER = next(iter(migrations.__path__))


class TestMigrate:
    def test_makes_what_the_tables_describe(self, engine):
        with engine.begin() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            ours = [
                one for one in compare_metadata(context, metadata) if "_version" not in str(one)
            ]
            assert ours == []

    def test_keeps_every_check(self, engine):
        for table in metadata.sorted_tables:
            wanted = {one.name for one in table.constraints if str(one.name).startswith("ck_")} | {
                str(one.name) for one in table.constraints if type(one).__name__ == "Check"
            }
            stands = {one["name"] for one in inspect(engine).get_check_constraints(table.name)}
            assert {str(name) for name in wanted} <= stands, table.name

    def test_keeps_every_guard(self, engine):
        with engine.begin() as connection:
            assert guards(connection) == guards_of(connection.dialect.name, IMMUTABLE)

    def test_is_nothing_the_second_time(self, ledger):
        ledger.fund()
        migrate(ledger.engine, "ledger", metadata)
        assert ledger.size() == 1

    def test_a_step_that_fails_leaves_nothing(self, tmp_path, monkeypatch):
        engine = open_engine(tmp_path / "half.sqlite")
        monkeypatch.setattr("ledger.store.migrating._ACTIONS", ("update", "nonsense"))
        with pytest.raises(Exception, match="syntax error"):
            migrate(engine, "ledger", metadata)
        assert inspect(engine).get_table_names() == []
        monkeypatch.undo()
        migrate(engine, "ledger", metadata)
        engine.dispose()

    def test_refuses_tables_without_a_version(self, tmp_path):
        engine = open_engine(tmp_path / "old.sqlite")
        MetaData().create_all(engine)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE entry (seq INTEGER PRIMARY KEY)"))
        with pytest.raises(UnversionedDatabaseError):
            migrate(engine, "ledger", metadata)
        engine.dispose()

    def test_refuses_a_database_of_a_newer_program(self, ledger):
        with ledger.engine.begin() as connection:
            connection.execute(text("UPDATE ledger_version SET version_num = 'ledger_9999'"))
        with pytest.raises(NewerDatabaseError):
            migrate(ledger.engine, "ledger", metadata)

    def test_no_step_copies_a_table_or_drops_anything(self):
        """Alembic's batch mode loses triggers and unnamed checks (ledger-audit.md, 3.7)."""
        for step in FOLDER.glob("versions/*.py") if hasattr(FOLDER, "glob") else ():
            source = step.read_text()
            assert "batch_alter_table" not in source
            assert "drop_" not in source


class TestDatabase:
    def test_refuses_other_kinds(self):
        with pytest.raises(UnknownDatabaseError):
            open_engine("mysql://somebody@somewhere/voisin")

    def test_refuses_postgresql_that_sorts_by_a_language(self, postgresql):
        administrator = create_engine(
            postgresql.url().replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )
        with administrator.connect() as connection:
            connection.execute(
                text(
                    "CREATE DATABASE spoken TEMPLATE template0 "
                    "LOCALE_PROVIDER icu ICU_LOCALE 'en' LC_COLLATE 'C' LC_CTYPE 'C'"
                )
            )
        administrator.dispose()
        engine = open_engine(postgresql.url("spoken"))
        with pytest.raises(DatabaseCollationError):
            migrate(engine, "ledger", metadata)
        engine.dispose()

    def test_every_commit_waits_for_the_disk(self, engine):
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
                assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
            else:
                assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
