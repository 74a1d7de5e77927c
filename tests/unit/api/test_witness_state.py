"""What a witness keeps is whole after any end, and belongs to one key alone."""

import hashlib
import sqlite3
import subprocess
import sys
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.witness import watching
from api.witness_state import KEY_FILE, STATE_FILE, WitnessState, WitnessStateError
from ledger.proofs import (
    BadNoteError,
    Checkpoint,
    NoteKey,
    consistency_proof,
    parse_note,
    parse_signatures,
    root_of,
    sign_checkpoint,
)
from ledger.proofs.witness import (
    NOTHING,
    Held,
    HeldDiffersError,
    NotConsistentError,
    Submission,
    Witness,
)

NAME, ORIGIN, AT_S = "grid.example/w1", "voisin/street", 1_679_315_147
LOG = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LEAVES = [hashlib.sha256(bytes([n])).digest() for n in range(40)]
FORKED = [hashlib.sha256(one).digest() for one in LEAVES]


def submission(hashes, old_size):
    made = Checkpoint(ORIGIN, len(hashes), root_of(hashes), AT_S)
    note = parse_note(sign_checkpoint(made, ORIGIN, LOG).encode())
    return Submission(old_size, consistency_proof(hashes, old_size), note)


def witness(state):
    return Witness(NAME, state.key, watching([NoteKey(ORIGIN, LOG.public_key())]))


@pytest.fixture
def opened(tmp_path):
    """Open the state in a directory; every one is closed at the end."""
    made = []

    def again(name=NAME, directory=tmp_path):
        made.append(WitnessState(directory, name))
        return made[-1]

    yield again
    for one in made:
        one.close()


class TestKey:
    def test_is_made_once_and_its_owners_alone(self, opened, tmp_path):
        first = opened().key.private_bytes_raw()
        assert opened().key.private_bytes_raw() == first
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600

    def test_that_others_may_read_is_not_used(self, opened, tmp_path):
        opened()
        (tmp_path / KEY_FILE).chmod(0o640)
        with pytest.raises(WitnessStateError) as caught:
            opened()
        assert caught.value.code == "witness_state"

    def test_without_its_trees_cosigns_nothing_any_more(self, opened, tmp_path):
        """It may have cosigned a tree that it does not remember."""
        opened().close()
        (tmp_path / STATE_FILE).unlink()
        for _ in range(2):
            with pytest.raises(WitnessStateError, match="the trees that it cosigned are not"):
                opened()

    @pytest.mark.parametrize("raw", [None, b"", b"k" * 31, b"k" * 32])
    def test_that_is_gone_or_another_is_noticed(self, opened, tmp_path, raw):
        opened()
        (tmp_path / KEY_FILE).unlink()
        if raw is not None:
            (tmp_path / KEY_FILE).touch(0o600)
            (tmp_path / KEY_FILE).write_bytes(raw)
        with pytest.raises(WitnessStateError):
            opened()

    def test_keeps_its_name(self, opened):
        opened()
        with pytest.raises(WitnessStateError):
            opened("grid.example/w2")
        with pytest.raises(BadNoteError):
            opened("two words")

    @pytest.mark.parametrize("step", ["draft written", "identity kept"])
    def test_is_whole_whatever_step_the_first_start_ended_at(self, opened, tmp_path, step):
        opened().close()
        key, draft = tmp_path / KEY_FILE, tmp_path / "witness.key.new"
        if step == "draft written":
            (tmp_path / STATE_FILE).unlink()
        raw = key.read_bytes()
        key.rename(draft)
        again = opened().key.private_bytes_raw()
        assert key.read_bytes() == again
        assert not draft.exists()
        if step == "identity kept":
            assert again == raw


class TestTrees:
    def test_are_there_when_it_is_opened_again(self, opened):
        state = opened()
        assert state.held(ORIGIN) == NOTHING
        line = state.add_checkpoint(witness(state), submission(LEAVES[:5], 0), at_s=AT_S)
        assert opened().held(ORIGIN) == Held(5, root_of(LEAVES[:5]))
        [signature] = parse_signatures(line)
        witness(state).public_key.check(submission(LEAVES[:5], 0).note.text, signature)

    def test_stay_when_a_checkpoint_is_refused(self, opened):
        state = opened()
        state.add_checkpoint(witness(state), submission(LEAVES[:5], 0), at_s=AT_S)
        with pytest.raises(HeldDiffersError):
            state.add_checkpoint(witness(state), submission(LEAVES[:9], 0), at_s=AT_S)
        with pytest.raises(NotConsistentError):
            state.add_checkpoint(witness(state), submission(FORKED[:9], 5), at_s=AT_S)
        assert state.held(ORIGIN) == Held(5, root_of(LEAVES[:5]))

    def test_keep_the_two_notes_of_a_log_that_split(self, opened):
        state = opened()
        honest, forked = submission(LEAVES[:5], 0), submission(FORKED[:5], 5)
        state.add_checkpoint(witness(state), honest, at_s=AT_S)
        for _ in range(2):
            with pytest.raises(HeldDiffersError):
                state.add_checkpoint(witness(state), forked, at_s=AT_S)
        stale = submission(LEAVES[:9], 0)
        with pytest.raises(HeldDiffersError):
            state.add_checkpoint(witness(state), stale, at_s=AT_S)
        assert state.contradictions() == ((forked.note.encoded(), honest.note.encoded()),)

    def test_are_cosigned_at_instants_that_never_go_back(self, opened):
        state = opened()
        state.add_checkpoint(witness(state), submission(LEAVES[:5], 0), at_s=AT_S)
        line = state.add_checkpoint(witness(state), submission(LEAVES[:6], 5), at_s=AT_S - 9)
        assert parse_signatures(line)[0].time_s == AT_S

    def test_are_cosigned_once_however_many_ask_at_once(self, opened):
        """Of forks that go on from one tree, one alone is cosigned, whoever comes first."""
        states = [opened(), opened()]
        states[0].add_checkpoint(witness(states[0]), submission(LEAVES[:3], 0), at_s=AT_S)
        forks = [[*LEAVES[:3], hashlib.sha256(bytes([n])).digest()] for n in range(16)]
        ready, lines, sizes = threading.Barrier(len(forks)), [], []

        def ask(n):
            state = states[n % 2]
            given = submission(forks[n], 3)
            ready.wait()
            try:
                lines.append((n, state.add_checkpoint(witness(state), given, at_s=AT_S)))
            except HeldDiffersError as fault:
                sizes.append(fault.held_size)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(forks))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        [(winner, _line)] = lines
        assert sizes == [4] * 15
        assert states[1].held(ORIGIN) == Held(4, root_of(forks[winner]))

    def test_are_judged_one_after_the_other_by_two_processes_too(self, opened):
        """Who has read what is held keeps everybody else waiting, another connection included."""
        one, other = opened(), opened()
        given = submission(LEAVES[:3], 0)
        asking = threading.Thread(
            target=other.add_checkpoint, args=(witness(other), given), kwargs={"at_s": AT_S}
        )
        with one._writing():
            assert one._held(ORIGIN)[0] == NOTHING
            asking.start()
            asking.join(0.3)
            assert asking.is_alive()
        asking.join()
        assert one.held(ORIGIN).size == 3

    def test_that_cannot_be_kept_are_not_cosigned(self, opened):
        state = opened()
        state.add_checkpoint(witness(state), submission(LEAVES[:3], 0), at_s=AT_S)
        state._database.execute("PRAGMA query_only=ON")
        with pytest.raises(sqlite3.OperationalError):
            state.add_checkpoint(witness(state), submission(LEAVES[:4], 3), at_s=AT_S)
        state._database.execute("PRAGMA query_only=OFF")
        assert opened().held(ORIGIN).size == 3


def test_a_log_may_have_several_keys():
    other = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
    keys = [NoteKey(ORIGIN, one.public_key()) for one in (LOG, other)]
    assert watching([*keys, NoteKey("b", LOG.public_key())]) == {
        ORIGIN: tuple(keys),
        "b": (NoteKey("b", LOG.public_key()),),
    }


def test_a_witness_imports_nothing_of_the_service():
    asked = "import sys, api.witness; print([m for m in sys.modules if m.partition('.')[0] in "
    asked += "('settlement', 'devnet', 'contracts', 'sqlalchemy', 'web3')])"
    found = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True)
    assert found.stdout.strip() == b"[]"
