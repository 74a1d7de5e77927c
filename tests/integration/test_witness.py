"""The witness as a process, by HTTP: what it cosigned once, no kill lets it forget."""

import hashlib
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.proofs import (
    Checkpoint,
    NoteKey,
    consistency_proof,
    parse_note,
    parse_signatures,
    root_of,
    sign_checkpoint,
)
from ledger.proofs.witness import Submission
from tests.integration.witnesses import Process

ROOT = Path(__file__).parents[2]
ORIGIN, NAME, AT_S = "voisin/street", "grid.example/w1", 1_679_315_147
LOG = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
LEAVES = [hashlib.sha256(n.to_bytes(2)).digest() for n in range(3_000)]
FORKED = [hashlib.sha256(b"f" + one).digest() for one in LEAVES]


def submission(hashes, old_size, key=LOG, origin=ORIGIN):
    made = Checkpoint(origin, len(hashes), root_of(hashes), AT_S)
    note = parse_note(sign_checkpoint(made, origin, key).encode())
    return Submission(old_size, consistency_proof(hashes, old_size), note)


@pytest.fixture
def start(tmp_path):
    """Start the witness of this test; what still runs at the end is killed."""
    started = []

    def again():
        log = NoteKey(ORIGIN, LOG.public_key())
        started.append(Process(tmp_path / "witness", NAME, log))
        return started[-1]

    yield again
    for one in started:
        if one.running.poll() is None:
            one.end(signal.SIGKILL)


def test_it_answers_as_the_protocol_says(start):
    one = start()
    first = submission(LEAVES[:5], 0)
    answer = one.ask(first)
    assert (answer.status_code, answer.headers["content-type"]) == (
        200,
        "text/plain; charset=utf-8",
    )
    [line] = parse_signatures(answer.text)
    one.key.check(first.note.text, line)
    assert line.name == NAME

    behind = one.ask(submission(LEAVES[:9], 0))
    assert (behind.status_code, behind.headers["content-type"], behind.text) == (
        409,
        "text/x.tlog.size",
        "5\n",
    )
    split = one.ask(submission(FORKED[:5], 5))
    assert (split.status_code, split.text) == (409, "5\n")
    assert one.ask(submission(FORKED[:9], 5)).status_code == 422
    assert one.ask(submission(LEAVES[:9], 5, key=STRANGER)).status_code == 403
    assert one.ask(submission(LEAVES[:9], 5, origin="voisin/elsewhere")).status_code == 404
    assert one.ask(submission(LEAVES[:4], 5)).status_code == 400
    for body in (b"", b"old 5\n", b"\xff" * 100, b"a" * 1_100_000):
        assert one.ask(body).status_code == 400
    assert one.client.get("/add-checkpoint").status_code == 405
    assert one.client.post("/").status_code == 404
    assert one.ask(submission(LEAVES[:9], 5)).status_code == 200


def test_its_key_and_its_trees_outlive_a_kill(start):
    one = start()
    assert one.ask(submission(LEAVES[:5], 0)).status_code == 200
    one.end(signal.SIGKILL)
    again = start()
    assert again.key == one.key
    assert again.ask(submission(FORKED[:9], 0)).text == "5\n"
    assert again.ask(submission(FORKED[:9], 5)).status_code == 422
    assert again.ask(submission(LEAVES[:9], 5)).status_code == 200


def test_a_second_start_under_another_name_is_refused(start, tmp_path):
    start().end(signal.SIGTERM)
    log = NoteKey(ORIGIN, LOG.public_key()).encoded()
    options = ("--dir", str(tmp_path / "witness"), "--name", "other", "--log", log)
    ended = subprocess.run(
        [sys.executable, "-m", "api", "witness", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert NAME in ended.stdout


def test_killed_at_any_time_it_remembers_what_it_acknowledged(start):
    chance, size, acknowledged = random.Random(1), 0, 0  # noqa: S311 - a seed, not a secret
    for _ in range(4):
        one = start()
        answer = one.ask(submission(LEAVES[: size + 1], size))
        if answer.status_code == 409:
            size = int(answer.text)
            assert size >= acknowledged
        killer = threading.Timer(chance.uniform(0.05, 0.6), one.running.kill)
        killer.start()
        try:
            while True:
                answer = one.ask(submission(LEAVES[: size + 1], size))
                if answer.status_code == 409:
                    size = int(answer.text)
                    continue
                assert answer.status_code == 200
                size = acknowledged = size + 1
        except httpx2.TransportError:
            pass
        killer.join()
        one.end(signal.SIGKILL)
    assert acknowledged > 8
    last = start()
    assert int(last.ask(submission(FORKED, 0)).text) in {acknowledged, acknowledged + 1}
