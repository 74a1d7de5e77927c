"""Two services never write to one database; what a dead one held is free at once."""

import subprocess
import sys
import textwrap

import pytest
from sqlalchemy import text

from ledger import accounts
from ledger.store import open_engine
from ledger.store.lease import Lease, SecondWriterError
from tests.unit.ledger.store.support import BEN, move

HOLDER = textwrap.dedent("""
    import sys
    from ledger.store import open_engine
    from ledger.store.lease import Lease
    lease = Lease.take(open_engine(sys.argv[1]))
    print(lease.begin_epoch(), flush=True)
    sys.stdin.read()
""")

# Ends the session that holds the lease and waits until it has ended.
BREAK_OFF = text("""
    SELECT pg_terminate_backend(pid, 10000) FROM pg_locks JOIN pg_database d ON d.oid = database
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
""")


class TestLease:
    def test_the_second_is_refused_and_the_next_has_a_higher_number(self, engine, address):
        first = Lease.take(engine)
        assert first.begin_epoch() == 1
        second = open_engine(address)
        with pytest.raises(SecondWriterError):
            Lease.take(second)
        first.release()
        again = Lease.take(second)
        assert again.begin_epoch() == 2
        again.release()
        second.dispose()

    def test_a_killed_holder_leaves_it_free(self, engine, address):
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder:
            assert holder.stdout.readline() == "1\n"
            with pytest.raises(SecondWriterError):
                Lease.take(engine)
            holder.kill()
            holder.wait()
        lease = Lease.take(engine)
        assert lease.begin_epoch() == 2
        lease.release()

    def test_a_holder_whose_lock_broke_off_can_write_no_more(self, ledger, address):
        """PostgreSQL ends an advisory lock with its session, which can break off alone."""
        if ledger.engine.dialect.name != "postgresql":
            pytest.skip("a file's lock lives as long as its process")
        lost = Lease.take(ledger.engine)
        lost.begin_epoch()
        ledger.submit(move("before", accounts.world(), BEN, 1)).unwrap()
        with ledger.engine.begin() as connection:
            assert connection.execute(BREAK_OFF).scalars().all() == [True]
        newer = open_engine(address)
        lease = Lease.take(newer)
        lease.begin_epoch()
        with pytest.raises(SecondWriterError):
            ledger.submit(move("after", accounts.world(), BEN, 1))
        lost.release()
        lease.release()
        newer.dispose()
