import logging
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from devnet.store import index as module
from devnet.store.index import INDEX_FILE, BlockOutOfOrderError, ChainIndex

Event = tuple[bytes, tuple[bytes, ...]]

ANY: frozenset[bytes] = frozenset()
CONTRACT = b"\xaa" * 20
TRANSFER = b"\x01" * 32
SENDER = b"\x02" * 32


def one(word: bytes) -> frozenset[bytes]:
    return frozenset((word,))


def name(number: int) -> bytes:
    return number.to_bytes(32, "big")


def fill(index: ChainIndex, numbers: range, events: Sequence[Event] = ()) -> None:
    for number in numbers:
        index.add(number, name(number), [name(1_000_000 + number)], events)


def found(
    index: ChainIndex,
    addresses: frozenset[bytes] = ANY,
    *topics: frozenset[bytes],
    first: int = 0,
    last: int = 1 << 64,
) -> list[int]:
    return list(index.log_blocks(first, last, addresses, topics))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ChainIndex]:
    with closing(ChainIndex(tmp_path)) as opened:
        yield opened


class TestAdd:
    def test_finds_a_transaction_before_and_after_it_is_written(self, index: ChainIndex) -> None:
        index.add(7, name(7), [b"a" * 32, b"b" * 32], [])
        assert index.place(b"b" * 32) == (7, 1)
        index.flush()
        assert index.place(b"b" * 32) == (7, 1)
        assert index.place(b"c" * 32) is None

    def test_says_when_there_is_enough_for_a_flush(self, index: ChainIndex) -> None:
        told = [index.add(number, name(number), [], []) for number in range(513)]
        assert told == [False] * 511 + [True, True]
        assert index.head() is None
        index.flush()
        assert index.head() == (512, name(512))
        assert not index.add(513, name(513), [], [])

    def test_writes_by_itself_if_nobody_flushes(self, index: ChainIndex) -> None:
        fill(index, range(2_048))
        assert index.head() == (2_047, name(2_047))

    @pytest.mark.parametrize("flushed", [False, True])
    @pytest.mark.parametrize("number", [4, 5])
    def test_refuses_a_block_that_is_not_above_the_newest(
        self, index: ChainIndex, number: int, *, flushed: bool
    ) -> None:
        fill(index, range(6))
        if flushed:
            index.flush()
        with pytest.raises(BlockOutOfOrderError, match=f"block {number} cannot follow block 5"):
            index.add(number, b"", [], [])

    def test_lets_the_newest_place_of_a_repeated_hash_count(self, index: ChainIndex) -> None:
        index.add(1, name(1), [b"t" * 32], [])
        index.flush()
        index.add(2, name(2), [b"t" * 32], [])
        assert index.place(b"t" * 32) == (2, 0)
        index.flush()
        assert index.place(b"t" * 32) == (2, 0)


class TestLogBlocks:
    @pytest.fixture(params=[False, True], ids=["in memory", "on disk"])
    def filled(self, index: ChainIndex, request: pytest.FixtureRequest) -> ChainIndex:
        index.add(1, name(1), [], [(CONTRACT, (TRANSFER, SENDER))])
        index.add(2, name(2), [], [])
        index.add(3, name(3), [], [(CONTRACT, (TRANSFER,)), (b"\xbb" * 20, (SENDER,))])
        index.add(4, name(4), [], [(b"\xcc" * 20, ())])
        if request.param:
            index.flush()
        return index

    def test_yields_every_block_with_events_if_nothing_is_asked(self, filled: ChainIndex) -> None:
        assert found(filled) == found(filled, ANY, ANY) == [1, 3, 4]

    def test_tells_a_topic_by_its_position(self, filled: ChainIndex) -> None:
        assert found(filled, ANY, one(SENDER)) == [3]
        assert found(filled, ANY, ANY, one(SENDER)) == [1]

    def test_takes_any_of_the_alternatives(self, filled: ChainIndex) -> None:
        assert found(filled, frozenset((b"\xbb" * 20, b"\xcc" * 20))) == [3, 4]

    def test_needs_all_that_is_asked(self, filled: ChainIndex) -> None:
        assert found(filled, one(CONTRACT), one(TRANSFER)) == [1, 3]
        assert found(filled, one(CONTRACT), one(TRANSFER), one(SENDER)) == [1]
        assert found(filled, one(b"\xcc" * 20), one(TRANSFER)) == []

    def test_keeps_to_the_blocks_asked_for(self, filled: ChainIndex) -> None:
        assert found(filled, first=2, last=3) == [3]
        assert found(filled, first=-5, last=1) == [1]
        assert found(filled, first=4, last=2) == []
        assert found(filled, first=5) == []

    def test_knows_that_no_event_has_five_topics(self, filled: ChainIndex) -> None:
        assert found(filled, ANY, *[ANY] * 4) == [1, 3, 4]
        assert found(filled, ANY, *[ANY] * 5) == []

    def test_joins_memory_and_disk(self, filled: ChainIndex) -> None:
        filled.flush()
        filled.add(6, name(6), [], [(CONTRACT, (TRANSFER, SENDER))])
        assert found(filled, one(CONTRACT), one(TRANSFER)) == [1, 3, 6]

    def test_goes_through_a_long_chain_piece_by_piece(
        self, filled: ChainIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_WINDOW_BLOCKS", 2)
        assert found(filled) == [1, 3, 4]
        assert found(filled, one(CONTRACT), one(TRANSFER)) == [1, 3]

    def test_names_blocks_to_look_at_if_looking_closer_is_dear(
        self, filled: ChainIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        filled.flush()
        monkeypatch.setattr(module, "_PROBES_MAX", 0)
        assert found(filled, one(CONTRACT), one(TRANSFER), one(SENDER)) in ([1], [1, 3])

    def test_begins_with_what_names_the_fewest_blocks(
        self, index: ChainIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Nothing is looked at twice here, so the answer tells what was looked at.
        monkeypatch.setattr(module, "_PROBES_MAX", 0)
        fill(index, range(50), [(CONTRACT, (TRANSFER,))])
        index.add(50, name(50), [], [(CONTRACT, (TRANSFER, SENDER))])
        index.flush()
        assert found(index, one(CONTRACT), one(TRANSFER), one(SENDER)) == [50]

    def test_finds_the_few_among_ten_thousand(self, tmp_path: Path) -> None:
        rare = b"\x07" * 32
        expected = list(range(500, 10_000, 1_000))
        with closing(ChainIndex(tmp_path)) as index:
            for number in range(10_000):
                word = rare if number in expected else name(number)
                logs = [(CONTRACT, (TRANSFER, name(number % 100), word))]
                if index.add(number, name(number), [name(1_000_000 + number)], logs):
                    index.flush()
            assert found(index, one(CONTRACT), ANY, ANY, one(rare)) == expected
            assert found(index, one(CONTRACT), one(TRANSFER), ANY, one(rare)) == expected
            assert found(index, one(CONTRACT), ANY, one(name(3))) == list(range(3, 10_000, 100))
            assert len(found(index, one(CONTRACT), one(TRANSFER))) == 10_000

    def test_takes_more_alternatives_than_a_statement_has_variables(
        self, filled: ChainIndex
    ) -> None:
        many = frozenset(number.to_bytes(20, "big") for number in range(40_000)) | one(CONTRACT)
        assert found(filled, many) == [1, 3]


class TestRewind:
    @pytest.mark.parametrize("flushed", [0, 3, 6, 9])
    def test_forgets_what_is_above_on_disk_and_in_memory(
        self, index: ChainIndex, flushed: int
    ) -> None:
        events = [(CONTRACT, (TRANSFER,))]
        fill(index, range(flushed), events)
        index.flush()
        fill(index, range(flushed, 9), events)
        index.rewind(4)
        assert found(index) == found(index, one(CONTRACT)) == [0, 1, 2, 3, 4]
        assert index.place(name(1_000_004)) == (4, 0)
        assert index.place(name(1_000_005)) is None
        written = min(flushed - 1, 4)
        assert index.head() == (None if written < 0 else (written, name(written)))

    def test_lets_other_blocks_take_the_place(self, index: ChainIndex) -> None:
        fill(index, range(5), [(CONTRACT, ())])
        index.flush()
        index.rewind(2)
        index.add(3, b"other", [name(1_000_004)], [])
        index.flush()
        assert index.head() == (3, b"other")
        assert index.place(name(1_000_004)) == (3, 0)
        assert found(index) == [0, 1, 2]

    def test_clears_everything(self, index: ChainIndex) -> None:
        fill(index, range(5), [(CONTRACT, ())])
        index.flush()
        index.clear()
        assert index.head() is None
        assert found(index) == []
        fill(index, range(2))


class TestFlush:
    def test_keeps_in_memory_what_it_could_not_write(self, index: ChainIndex) -> None:
        fill(index, range(3), [(CONTRACT, ())])
        index._writer.execute("PRAGMA query_only = ON")
        with pytest.raises(sqlite3.OperationalError):
            index.flush()
        assert index.head() is None
        assert found(index) == [0, 1, 2]
        index._writer.execute("PRAGMA query_only = OFF")
        index.flush()
        assert index.head() == (2, name(2))
        assert found(index) == [0, 1, 2]

    def test_does_not_stop_the_chain_if_it_cannot_write(
        self, index: ChainIndex, caplog: pytest.LogCaptureFixture
    ) -> None:
        index._writer.execute("PRAGMA query_only = ON")
        fill(index, range(2_048))
        assert "2048 blocks stay in memory" in caplog.text
        assert index.place(name(1_000_000)) == (0, 0)
        index._writer.execute("PRAGMA query_only = OFF")

    def test_leaves_what_is_added_meanwhile_for_the_next_one(
        self, index: ChainIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = index._write

        def write_slowly(blocks: Mapping[int, module._Block]) -> None:
            write(blocks)
            index.add(2, name(2), [b"t" * 32], [(CONTRACT, ())])

        index.add(1, name(1), [b"t" * 32], [(CONTRACT, ())])
        with monkeypatch.context() as patch:
            patch.setattr(index, "_write", write_slowly)
            index.flush()
        assert index.head() == (1, name(1))
        assert index.place(b"t" * 32) == (2, 0)
        assert found(index, one(CONTRACT)) == [1, 2]
        index.flush()
        assert index.head() == (2, name(2))

    def test_hides_nothing_from_others_while_it_writes(self, index: ChainIndex) -> None:
        known = 0
        done = threading.Event()

        def ask() -> bool:
            complete = True
            while not done.is_set():
                upto = known
                complete &= found(index, one(CONTRACT), last=upto - 1) == list(range(upto))
                complete &= not upto or index.place(name(999_999 + upto)) == (upto - 1, 0)
            return complete

        def flush() -> None:
            while not done.is_set():
                index.flush()

        with ThreadPoolExecutor(3) as pool:
            answers = [pool.submit(ask), pool.submit(ask)]
            pool.submit(flush)
            for number in range(400):
                fill(index, range(number, number + 1), [(CONTRACT, (TRANSFER,))])
                known = number + 1
            done.set()
        assert [answer.result() for answer in answers] == [True, True]


class TestOpen:
    def test_finds_again_what_was_closed(self, tmp_path: Path) -> None:
        with closing(ChainIndex(tmp_path)) as index:
            fill(index, range(3), [(CONTRACT, (TRANSFER,))])
        with closing(ChainIndex(tmp_path)) as index:
            assert index.head() == (2, name(2))
            assert index.place(name(1_000_001)) == (1, 0)
            assert found(index, one(CONTRACT), one(TRANSFER)) == [0, 1, 2]

    def test_knows_what_was_flushed_before_the_process_died(self, tmp_path: Path) -> None:
        # Neither connection is closed, as after a kill.
        killed = ChainIndex(tmp_path)
        fill(killed, range(3))
        killed.flush()
        fill(killed, range(3, 5))
        with closing(ChainIndex(tmp_path)) as index:
            assert index.head() == (2, name(2))
            assert index.place(name(1_000_004)) is None
        killed.close()

    def test_leaves_a_good_file_alone(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        ChainIndex(tmp_path).close()
        ChainIndex(tmp_path).close()
        assert caplog.text == ""

    def test_can_be_closed_twice(self, tmp_path: Path) -> None:
        index = ChainIndex(tmp_path)
        fill(index, range(3))
        index.close()
        index.close()

    def test_does_not_throw_away_what_somebody_else_has_locked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ChainIndex(tmp_path).close()
        connect = sqlite3.connect
        monkeypatch.setattr(module.sqlite3, "connect", lambda path: connect(path, timeout=0))
        with closing(connect(tmp_path / INDEX_FILE)) as other:
            other.execute("PRAGMA journal_mode = DELETE")
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                ChainIndex(tmp_path)
            other.rollback()
        assert (tmp_path / INDEX_FILE).exists()

    @pytest.mark.parametrize("damage", ["garbage", "cut", "zeros", "empty"])
    def test_makes_a_damaged_file_again_and_says_so(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
    ) -> None:
        with closing(ChainIndex(tmp_path)) as index:
            fill(index, range(600), [(CONTRACT, (TRANSFER,))])
        path = tmp_path / INDEX_FILE
        data = path.read_bytes()
        middle = len(data) // 2
        path.write_bytes(
            {
                "garbage": b"\xff" * len(data),
                "cut": data[:middle],
                "zeros": data[:4_096] + bytes(len(data) - 4_096),
                "empty": b"",
            }[damage]
        )
        self.check_is_made_again(tmp_path, caplog)

    @pytest.mark.parametrize(
        ("statement", "why"),
        [
            ("PRAGMA user_version = 1", "it is of version 1, not 2"),
            ("PRAGMA application_id = 7", "it is not an index of a chain"),
        ],
    )
    def test_makes_an_older_or_a_foreign_file_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, statement: str, why: str
    ) -> None:
        with closing(ChainIndex(tmp_path)) as index:
            fill(index, range(3))
        with closing(sqlite3.connect(tmp_path / INDEX_FILE)) as database:
            database.execute(statement)
        self.check_is_made_again(tmp_path, caplog)
        assert why in caplog.text

    @staticmethod
    def check_is_made_again(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
        with closing(ChainIndex(directory)) as index:
            assert index.head() is None
            fill(index, range(3), [(CONTRACT, ())])
        with closing(ChainIndex(directory)) as index:
            assert found(index) == [0, 1, 2]
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "thrown away and made again" in record.getMessage()


ADDRESSES = [bytes((number,)) * 20 for number in range(3)]
WORDS = [bytes((number,)) * 32 for number in range(3)]
EVENTS = st.tuples(
    st.sampled_from(ADDRESSES), st.lists(st.sampled_from(WORDS), max_size=4).map(tuple)
)


class IndexMachine(RuleBasedStateMachine):
    """The index against a list of blocks, through all that can happen to it."""

    @initialize(window=st.sampled_from([1, 3, 1_000]), first=st.integers(0, 5))
    def open(self, window: int, first: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(module, "_WINDOW_BLOCKS", window)
        self.patch.setattr(module, "_MEMORY_BLOCKS_MAX", 7)
        self.patch.setattr(module, "FLUSH_BLOCKS", 4)
        self.directory = Path(tempfile.mkdtemp())
        self.index = ChainIndex(self.directory)
        self.blocks: dict[int, tuple[bytes, list[bytes], list[Event]]] = {}
        self.next = first
        self.made = 0
        self.waiting = 0

    @rule(
        count=st.integers(0, 3),
        again=st.booleans(),
        events=st.lists(EVENTS, max_size=3),
        gap=st.sampled_from([0, 0, 0, 2]),
    )
    def add(self, *, count: int, again: bool, events: list[Event], gap: int) -> None:
        self.next += gap
        mined = {hash_ for _, hashes, _ in self.blocks.values() for hash_ in hashes}
        # After going back the same transactions come again elsewhere.
        start = 0 if again else self.made
        hashes = [name(number) for number in range(start, start + count + 8)]
        hashes = [hash_ for hash_ in hashes if hash_ not in mined][:count]
        self.made += count
        block_hash = name(1 << 64 | self.made << 8 | self.next)
        told = self.index.add(self.next, block_hash, hashes, events)
        self.waiting += 1
        assert told == (self.waiting >= 4)
        if self.waiting == 7:
            self.waiting = 0
        self.blocks[self.next] = (block_hash, hashes, events)
        self.next += 1

    @rule()
    def flush(self) -> None:
        self.index.flush()
        self.waiting = 0

    @rule(depth=st.integers(0, 12))
    def rewind(self, depth: int) -> None:
        number = self.next - 1 - depth
        gone = sum(above > number for above in self.blocks)
        self.index.rewind(number)
        self.waiting = max(0, self.waiting - gone)
        self.blocks = {at: block for at, block in self.blocks.items() if at <= number}
        self.next = max(number, -1) + 1

    @rule()
    def reopen(self) -> None:
        self.index.close()
        self.index = ChainIndex(self.directory)
        self.waiting = 0

    @rule(
        first=st.integers(0, 30),
        length=st.integers(-1, 40),
        addresses=st.frozensets(st.sampled_from(ADDRESSES)),
        topics=st.lists(st.frozensets(st.sampled_from(WORDS), max_size=2), max_size=4),
    )
    def ask(
        self, first: int, length: int, addresses: frozenset[bytes], topics: list[frozenset[bytes]]
    ) -> None:
        last = first + length
        answer = list(self.index.log_blocks(first, last, addresses, topics))
        inside = [number for number in self.blocks if first <= number <= last]
        assert answer == [n for n in inside if self.may_hold(n, addresses, topics)]

    def may_hold(
        self, number: int, addresses: frozenset[bytes], topics: list[frozenset[bytes]]
    ) -> bool:
        """Say whether each word asked for is somewhere in the block, if not in the same event."""
        _, _, events = self.blocks[number]
        return bool(events) and all(
            not choices
            or any(len(words) > role and words[role] in choices for words in map(words_of, events))
            for role, choices in enumerate([addresses, *topics])
        )

    @invariant()
    def every_transaction_is_where_it_was_put(self) -> None:
        places = {
            hash_: (number, position)
            for number, (_, hashes, _) in self.blocks.items()
            for position, hash_ in enumerate(hashes)
        }
        for number in range(self.made + 12):
            assert self.index.place(name(number)) == places.get(name(number))

    @invariant()
    def head_is_the_newest_that_was_flushed(self) -> None:
        numbers = list(self.blocks)
        written = numbers[: len(numbers) - self.waiting]
        expected = (written[-1], self.blocks[written[-1]][0]) if written else None
        assert self.index.head() == expected

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()
            self.patch.undo()
            shutil.rmtree(self.directory)


def words_of(event: Event) -> tuple[bytes, ...]:
    return (event[0], *event[1])


TestAgainstAList = IndexMachine.TestCase
TestAgainstAList.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
