"""A migrated database is the one that the tables describe, guards and checks included."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, MetaData, create_engine, inspect, text

from ledger import migrations as ledger_steps
from ledger import tables as ledger_tables
from ledger.store import migrate, open_engine
from ledger.store.database import DatabaseCollationError, UnknownDatabaseError
from ledger.store.migrating import (
    NewerDatabaseError,
    UnversionedDatabaseError,
    guards,
    guards_of,
)
from ledger.tables import metadata
from settlement import migrations as service_steps
from settlement import tables as service_tables

SERVICE = [ledger_tables, service_tables]
"""Packages that own tables: each has its folder of steps."""


@pytest.fixture
def whole(engine):
    """Return a database with the tables of every package."""
    migrate(engine, "settlement", service_tables.metadata)
    return engine


def described():
    """Return the tables of every package as their modules describe them."""
    every = MetaData()
    for package in SERVICE:
        for table in package.metadata.sorted_tables:
            table.to_metadata(every)
    return every


class TestMigrate:
    def test_makes_what_the_tables_describe(self, whole):
        with whole.begin() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, described())
            assert [one for one in differences if "_version" not in str(one)] == []

    def test_keeps_every_check(self, whole):
        for table in described().sorted_tables:
            checks = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            stand = {one["name"] for one in inspect(whole).get_check_constraints(table.name)}
            assert checks == stand, table.name

    def test_keeps_every_guard(self, whole):
        every = [name for package in SERVICE for name in package.IMMUTABLE]
        with whole.begin() as connection:
            assert guards(connection) == guards_of(connection.dialect.name, every)

    def test_has_checks_and_guards_to_keep(self):
        checks = [
            constraint
            for table in described().sorted_tables
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        ]
        assert len(checks) == 16
        assert [len(package.IMMUTABLE) for package in SERVICE] == [6, 30]

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

    @pytest.mark.parametrize("package", [ledger_steps, service_steps])
    def test_no_step_copies_a_table_or_drops_anything(self, package):
        """Alembic's batch mode loses triggers and unnamed checks (ledger-audit.md, 3.7)."""
        steps = sorted(Path(package.__file__).parent.glob("versions/*_[0-9]*.py"))
        assert steps
        for step in steps:
            source = step.read_text()
            assert "op.create_" in source
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
