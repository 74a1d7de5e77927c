"""Anybody checks the log by HTTP, a witness cosigns it, and two histories stop the service."""

import asyncio
import contextlib
import hashlib
import signal
from dataclasses import replace

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from ledger.proofs import (
    Checkpoint,
    NoteKey,
    SignatureKind,
    Tile,
    TiledTree,
    check_consistency,
    check_inclusion,
    consistency_proof,
    cosign,
    parse_head,
    parse_key,
    parse_note,
    root_of,
    sign_checkpoint,
)
from ledger.proofs.tiles import width_in
from ledger.proofs.witness import Submission
from ledger.store.migrating import guard
from ledger.tables import checkpoint, cosignature, entry
from settlement.engine.checkpoints import close_day, first_inconsistent, origin_of
from settlement.engine.checkpoints.cosigning import CONTRADICTION, SplitViewError
from settlement.engine.checkpoints.http_witness import HttpWitness
from settlement.engine.checkpoints.published import LEAF_HASH, SEQ
from tests.integration.community import community
from tests.integration.witnesses import Process, elapsed_s, odd_witness, port_of

DAY_S, NAME = 86_400, "grid.example/w1"
MINE = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
MY_KEY = NoteKey(NAME, MINE.public_key(), SignatureKind.COSIGNATURE)


class Story:
    """A community whose log is signed day by day, and its witnesses."""

    def __init__(self, here, stack):
        self.here, self.stack, self.service = here, stack, here.service
        self.key = NoteKey(origin_of(here.service), here.service.log_key.public_key())

    def witness(self, port=0):
        """Start a witness of the log in a process of its own."""
        process = Process(self.here.directory / "witness", NAME, self.key, port)
        self.stack.callback(process.end, signal.SIGKILL)
        return process

    def watched_by(self, *witnesses):
        """Have the log watched by (URL, key)."""
        reached = tuple(HttpWitness(url, key) for url, key in witnesses)
        for one in reached:
            self.stack.callback(one.close)
        self.service = replace(self.here.service, witnesses=reached)
        return reached

    async def next_day(self, records=1):
        """Let a day pass in which the log grows; return its checkpoint."""
        self.here.clock.set(self.here.clock.now_s() + DAY_S)
        return await self.here.run(lambda: self._close(records))

    async def same_day(self):
        return await self.here.run(lambda: close_day(self.service))

    def _close(self, records):
        with self.service.writing() as connection:
            for n in range(records):
                self.service.book.append_record(
                    connection,
                    name="test",
                    trace_id="",
                    body=n.to_bytes(4),
                    at_s=self.service.clock.now_s(),
                )
        return close_day(self.service)

    def leaves(self):
        with self.service.reading() as connection:
            found = select(LEAF_HASH).order_by(SEQ)
            return list(connection.execute(found).scalars())

    def cosigned(self):
        with self.service.reading() as connection:
            found = select(cosignature.c.size, cosignature.c.name).order_by(cosignature.c.size)
            return [tuple(row) for row in connection.execute(found)]

    def contradictions(self):
        with self.service.reading() as connection:
            found = select(func.count()).where(entry.c.name == CONTRADICTION)
            return connection.execute(found.select_from(entry)).scalar_one()

    def broken(self):
        with self.service.reading() as connection:
            return first_inconsistent(self.service, connection)

    def signed(self, hashes):
        """A checkpoint of other entries, signed with the log's own key."""
        made = Checkpoint(self.key.name, len(hashes), root_of(hashes), 1)
        return parse_note(sign_checkpoint(made, self.key.name, self.service.log_key).encode())


@pytest.fixture
def told(tmp_path):
    def run(story):
        async def telling():
            async with community(tmp_path) as here:
                with contextlib.ExitStack() as stack:
                    await story(Story(here, stack))
                await here.running.desk.idle()
                assert await here.broken_laws() == {}

        asyncio.run(telling())

    return run


def test_anybody_checks_the_log_with_its_key_alone(told):
    async def story(own):
        async with httpx2.AsyncClient(base_url=own.here.running.url, timeout=20) as client:
            refused = await client.get("/log/checkpoint")
            assert (refused.status_code, refused.json()["code"]) == (404, "no_checkpoint")
            older = (await own.next_day()).size
            older_root = root_of(own.leaves()[:older])
            size = (await own.next_day(records=700)).size
            assert size > 700
            note = await _checks(own, client, (older, older_root))
            await _asks_for_entries(client, note)
            await _asks_for_nothing(client, parse_head(note.text).size)

    told(story)


async def _checks(own, client, older):
    """Do what a phone does: key, checkpoint, tiles, root, consistency; return the note."""
    key = parse_key((await client.get("/log/key")).text.removesuffix("\n"))
    assert key.encoded() == own.key.encoded()
    answer = await client.get("/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    note = parse_note(answer.content)
    note.signed_by((key,))
    head = parse_head(note.text)
    tiles = {}
    for level in (0, 1):
        for index in range(head.size >> 8 * (level + 1)):
            tiles[level, index] = Tile(level, index)
        last = Tile(level, head.size >> 8 * (level + 1), (head.size >> 8 * level) % 256)
        tiles[level, last.index] = last
    fetched = {}
    for where, tile in tiles.items():
        answer = await client.get(f"/log/{tile.path()}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        assert "immutable" in answer.headers["cache-control"]
        assert len(answer.content) == 32 * tile.width
        fetched[where] = answer.content
    tree = TiledTree(head.size, lambda level, index, _width: fetched[level, index])
    assert tree.root() == head.root
    check_consistency(older, (head.size, head.root), tree.consistency_proof(older[0]))
    return note


async def _asks_for_entries(client, note):
    head = parse_head(note.text)
    for seq in (0, 255, 256, head.size - 1):
        proof = (await client.get(f"/log/proof/{seq}")).json()
        assert (proof["index"], proof["size"]) == (seq, head.size)
        assert proof["checkpoint"].encode() == note.encoded().encode()
        path = [bytes.fromhex(one[2:]) for one in proof["proof"]]
        leaf = bytes.fromhex(proof["leaf_hash"][2:])
        check_inclusion(head.root, head.size, seq, leaf, path)


async def _asks_for_nothing(client, size):
    """Ask for what no checkpoint covers, or what is no path of a tile."""
    partial = width_in(size, 0, size >> 8)
    for path in (
        f"0/{size >> 8:03}.p/{partial + 1}",
        f"0/{size >> 8:03}",
        "0/000.p/256",
        "0/0",
        "2/000.p/1",
        "entries/000",
    ):
        refused = await client.get(f"/log/tile/{path}")
        assert refused.status_code == 404, path
    for seq, status in ((size, 404), (2**63 - 1, 404), (2**63, 422), (-1, 422), ("x", 422)):
        assert (await client.get(f"/log/proof/{seq}")).status_code == status


def test_a_witness_cosigns_each_day_and_catches_up_after_it_was_away(told):
    async def story(own):
        process = own.witness()
        own.watched_by((process.url, process.key))
        first = await own.next_day()
        assert own.cosigned() == [(first.size, NAME)]
        await own.same_day()
        second = await own.next_day(records=3)
        assert own.cosigned() == [(first.size, NAME), (second.size, NAME)]
        async with httpx2.AsyncClient(base_url=own.here.running.url, timeout=20) as client:
            note = parse_note((await client.get("/log/checkpoint")).content)
        log, witness = note.signed_by((own.key, process.key))
        assert (log.name, witness.name) == (own.key.name, NAME)
        with (
            own.service.database.connect() as connection,
            pytest.raises(IntegrityError, match="immutable"),
        ):
            connection.execute(text("UPDATE cosignature SET line = ''"))

        process.end(signal.SIGKILL)
        third = await own.next_day(records=3)
        assert own.cosigned()[-1] == (second.size, NAME)
        process = own.witness(port_of(process.url))
        own.watched_by((process.url, process.key))
        # It cosigned the third for somebody else, so the log must ask where to go on from.
        leaves = own.leaves()
        note = _note_of(own, third.size)
        proof = consistency_proof(leaves[: third.size], second.size)
        assert process.ask(Submission(second.size, proof, note)).status_code == 200
        await own.same_day()
        assert own.cosigned()[-1] == (third.size, NAME)
        assert own.broken() is None

    told(story)


def _note_of(own, size):
    with own.service.reading() as connection:
        found = select(checkpoint.c.note).where(checkpoint.c.size == size)
        return parse_note(connection.execute(found).scalar_one().encode())


@pytest.mark.parametrize("larger", [True, False])
def test_a_witness_that_saw_another_history_stops_the_service(told, larger):
    """Of more entries than the log has, or of fewer that it does not go on from."""

    async def story(own):
        process = own.witness()
        count = 100_000 if larger else 3
        forged = [hashlib.sha256(n.to_bytes(4)).digest() for n in range(count)]
        note = own.signed(forged)
        assert process.ask(Submission(0, (), note)).status_code == 200
        own.watched_by((process.url, process.key))
        for _ in range(2):
            with pytest.raises(SplitViewError, match=NAME) as caught:
                await own.next_day()
            assert caught.value.code == "log_split_view"
            with pytest.raises(SplitViewError):
                await own.same_day()
        # Each day's checkpoint is another claim; the same one is written down once.
        assert own.contradictions() == 2
        assert own.cosigned() == []

    told(story)


def test_a_witness_that_cosigned_another_tree_of_the_same_size_stops_the_service(told):
    async def story(own):
        made, process = await own.next_day(), own.witness()
        forged = [hashlib.sha256(n.to_bytes(4)).digest() for n in range(made.size)]
        assert process.ask(Submission(0, (), own.signed(forged))).status_code == 200
        own.watched_by((process.url, process.key))
        for _ in range(2):
            with pytest.raises(SplitViewError, match=f"another tree of {made.size} entries"):
                await own.same_day()
        assert own.contradictions() == 1
        # The notes of both trees carry the log's signature: whoever has both can prove it.
        assert process.ask(Submission(made.size, (), _note_of(own, made.size))).status_code == 409

    told(story)


def test_a_witness_that_is_down_or_odd_stops_nothing(told):
    async def story(own):
        answers = [
            (500, "text/plain", b"oh"),
            (200, "text/plain", b""),
            (200, "text/plain", b"\xff\xfe"),
            (200, "text/plain", "— nobody AAAAAAAA\n".encode()),
            (200, "text/plain", b"a" * 100_000),
            (302, "text/plain", b""),
            (409, "text/plain", b"5\n"),
            (409, "text/x.tlog.size", b"05\n"),
            (409, "text/x.tlog.size", b"-1\n"),
            (409, "text/x.tlog.size", b"0\n"),
            (200, "text/plain", None),
        ]
        for answer in answers:
            with odd_witness(answer) as server:
                own.watched_by((server.url, MY_KEY))
                made = await own.next_day()
                assert made is not None
                asked = server.asked
                assert asked == 1
                await own.same_day()
                # It is left alone for a while.
                assert server.asked == asked
        own.watched_by(("http://127.0.0.1:1", MY_KEY), ("nowhere", MY_KEY))
        assert await own.next_day() is not None
        assert (own.cosigned(), own.contradictions()) == ([], 0)
        with odd_witness((200, "text/plain", None)) as server:
            [silent] = own.watched_by((server.url, MY_KEY))
            assert await asyncio.to_thread(elapsed_s, lambda: close_day(own.service)) < 5
            assert silent._asking.is_alive()
        with odd_witness((200, "text/plain", ...)) as server:
            [flooding] = own.watched_by((server.url, MY_KEY))
            close_day(own.service)
            flooding._asking.join(5)
            assert not flooding._asking.is_alive()

    told(story)


def test_a_witness_that_denies_its_own_cosignature_is_not_believed(told):
    async def story(own):
        made = await own.next_day()
        text_of = _note_of(own, made.size).text
        line = cosign(text_of, NAME, MINE, at_s=1).line().encode()
        with odd_witness((200, "text/plain", line)) as server:
            own.watched_by((server.url, MY_KEY))
            await own.same_day()
            assert own.cosigned() == [(made.size, NAME)]
            server.answer = (422, "text/plain", b"no")
            assert await own.next_day() is not None
            assert own.contradictions() == 0
        assert own.broken() is None
        with own.service.database.begin() as connection:
            connection.execute(text("DROP TRIGGER cosignature_no_update"))
            connection.execute(cosignature.update().values(at_s=2))
        assert own.broken() == (
            f"the cosignature of {NAME} under {made.size} entries does not hold"
        )
        with own.service.database.begin() as connection:
            other = cosign(text_of, NAME, own.service.log_key, at_s=1).line()
            connection.execute(cosignature.update().values(line=other, at_s=1))
        assert own.broken() is not None
        with own.service.database.begin() as connection:
            connection.execute(cosignature.update().values(line=line.decode()))
            connection.execute(text("DROP TRIGGER cosignature_no_delete"))
            guard(connection, ("cosignature",))
        assert own.broken() is None

    told(story)
