"""A witness never cosigns two trees of which one does not hold the other."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from ledger.errors import VoisinError
from ledger.proofs import (
    EMPTY_ROOT,
    NoteKey,
    consistency_proof,
    parse_head,
    parse_note,
    parse_signatures,
    root_of,
    sign_checkpoint,
)
from ledger.proofs.checkpoints import Checkpoint
from ledger.proofs.witness import (
    NOTHING,
    BadSubmissionError,
    Held,
    HeldDiffersError,
    NotConsistentError,
    NotTheLogsError,
    Submission,
    UnknownLogError,
    Witness,
    parse_submission,
)

ORIGIN = "voisin/street"
KEY = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
WITNESS = Witness(
    "grid.example/w1",
    Ed25519PrivateKey.from_private_bytes(b"w" * 32),
    {ORIGIN: (NoteKey(ORIGIN, KEY.public_key()),)},
)
AT_S = 1_679_315_147
LEAVES = [hashlib.sha256(bytes([n])).digest() for n in range(40)]
FORKED = [*LEAVES[:3], *(hashlib.sha256(b"fork" + one).digest() for one in LEAVES[3:])]


def note(hashes, key=KEY, origin=ORIGIN):
    made = Checkpoint(origin, len(hashes), root_of(hashes), AT_S)
    return parse_note(sign_checkpoint(made, origin, key).encode())


def submission(hashes, old_size, **how):
    return Submission(old_size, consistency_proof(hashes, old_size), note(hashes, **how))


def held(hashes):
    return Held(len(hashes), root_of(hashes))


def refuses(error, code, before, given, **attributes):
    with pytest.raises(error) as caught:
        WITNESS.add_checkpoint(before, given, at_s=AT_S)
    assert caught.value.code == code
    assert {name: getattr(caught.value, name) for name in attributes} == attributes


class TestAddCheckpoint:
    def test_cosigns_the_first_tree_without_a_proof(self):
        given = submission(LEAVES[:5], 0)
        cosigned = WITNESS.add_checkpoint(NOTHING, given, at_s=AT_S)
        assert (cosigned.origin, cosigned.held) == (ORIGIN, held(LEAVES[:5]))
        [line] = parse_signatures(cosigned.line)
        assert (line.name, line.time_s) == ("grid.example/w1", AT_S)
        WITNESS.public_key.check(given.note.text, line)

    def test_cosigns_whatever_holds_the_last_tree(self):
        for old in range(20):
            for size in range(old, 21):
                given = submission(LEAVES[:size], old)
                before = held(LEAVES[:old])
                cosigned = WITNESS.add_checkpoint(before, given, at_s=AT_S)
                assert cosigned.held == held(LEAVES[:size])

    def test_tells_the_size_it_holds_to_who_goes_on_from_another(self):
        for old in (0, 4, 6):
            given = submission(LEAVES[:8], old)
            refuses(HeldDiffersError, "held_differs", held(LEAVES[:5]), given, held_size=5)

    def test_refuses_another_tree_of_the_same_size(self):
        before, given = held(LEAVES[:8]), submission(FORKED[:8], 8)
        refuses(HeldDiffersError, "held_differs", before, given, held_size=8)

    def test_refuses_a_smaller_tree(self):
        refuses(BadSubmissionError, "bad_submission", held(LEAVES[:8]), submission(LEAVES[:5], 8))
        before, given = held(LEAVES[:8]), submission(LEAVES[:5], 5)
        refuses(HeldDiffersError, "held_differs", before, given, held_size=8)

    def test_refuses_a_tree_that_does_not_hold_the_last_one(self):
        for old in range(4, 12):
            given = submission(FORKED[:12], old)
            refuses(NotConsistentError, "not_consistent", held(LEAVES[:old]), given)

    def test_refuses_a_proof_where_nothing_is_to_be_proven(self):
        spare = (LEAVES[0],)
        first = replace(submission(LEAVES[:8], 0), proof=spare)
        refuses(NotConsistentError, "not_consistent", NOTHING, first)
        same = replace(submission(LEAVES[:8], 8), proof=spare)
        refuses(NotConsistentError, "not_consistent", held(LEAVES[:8]), same)

    def test_refuses_an_empty_tree_with_a_root(self):
        made = Checkpoint(ORIGIN, 0, LEAVES[0], AT_S)
        raw = sign_checkpoint(made, ORIGIN, KEY).encode()
        given = Submission(0, (), parse_note(raw))
        refuses(HeldDiffersError, "held_differs", NOTHING, given, held_size=0)
        empty = submission([], 0)
        assert WITNESS.add_checkpoint(NOTHING, empty, at_s=AT_S).held == Held(0, EMPTY_ROOT)

    def test_refuses_a_log_it_does_not_watch(self):
        given = submission(LEAVES[:5], 0, origin="voisin/elsewhere")
        refuses(UnknownLogError, "unknown_log", NOTHING, given)

    def test_refuses_what_the_log_did_not_sign(self):
        given = submission(LEAVES[:5], 0, key=STRANGER)
        refuses(NotTheLogsError, "not_the_logs", NOTHING, given)
        signed = note(LEAVES[:5])
        altered = replace(signed, text=signed.text.replace("\n5\n", "\n6\n"))
        refuses(NotTheLogsError, "not_the_logs", NOTHING, Submission(0, (), altered))

    def test_refuses_a_note_that_is_no_checkpoint(self):
        given = Submission(0, (), replace(note(LEAVES[:5]), text="hello\n"))
        refuses(BadSubmissionError, "bad_submission", NOTHING, given)


class TestSubmission:
    def test_is_read_as_it_was_written(self):
        for old in (0, 1, 5, 39, 40):
            given = submission(LEAVES, old)
            assert parse_submission(given.encoded()) == given

    def test_is_the_body_of_the_specification(self):
        body = submission(LEAVES[:3], 2).encoded().decode()
        old, proof, empty, origin, size, *_ = body.split("\n")
        assert (old, empty, origin, size) == ("old 2", "", ORIGIN, "3")
        assert len(proof) == 44

    @pytest.mark.parametrize(
        ("given", "wrong"),
        [
            (b"old 2", b"old 02"),
            (b"old 2", b"old  2"),
            (b"old 2", b"Old 2"),
            (b"old 2", b"old -2"),
            (b"old 2", b"old"),
            (b"old 2", b"old 2\r"),
            (b"old 2", "old ٢".encode()),
            (b"old 2", b"old " + b"9" * 40),
            (b"old 2\n", b""),
            (b"old 2\n", b"old 2\n%\n"),
            (b"old 2\n", b"old 2\nAAAA\n"),
            (b"\n\n", b"\n"),
            (b"\n\n", b"\n\n\n"),
            ("— ".encode(), b"- "),
        ],
    )
    def test_of_another_form_is_refused(self, given, wrong):
        body = submission(LEAVES[:3], 2).encoded()
        altered = body.replace(given, wrong, 1)
        assert altered != body
        with pytest.raises(BadSubmissionError) as caught:
            WITNESS.judge(parse_submission(altered))
        assert caught.value.code == "bad_submission"

    def test_with_more_than_63_hashes_is_refused(self):
        given = submission(LEAVES[:3], 2)
        most = replace(given, proof=(LEAVES[0],) * 63)
        assert parse_submission(most.encoded()) == most
        with pytest.raises(BadSubmissionError):
            parse_submission(replace(given, proof=(LEAVES[0],) * 64).encoded())

    @pytest.mark.parametrize(
        "body", [b"", b"\n\n", b"old 0\n\n", b"old 0\n\n\xff", b"a" * 2_000_000]
    )
    def test_that_is_nothing_of_the_kind_is_refused(self, body):
        with pytest.raises(BadSubmissionError):
            parse_submission(body)


class SplitView(RuleBasedStateMachine):
    """A log that keeps several histories and shows the witness whichever it likes."""

    histories = Bundle("histories")

    def __init__(self):
        super().__init__()
        self.held = NOTHING
        self.cosigned = []
        self.entries = 0

    def leaf(self):
        self.entries += 1
        return hashlib.sha256(self.entries.to_bytes(4)).digest()

    @rule(target=histories, count=st.integers(1, 6))
    def begins(self, count):
        return tuple(self.leaf() for _ in range(count))

    @rule(target=histories, history=histories, count=st.integers(0, 5))
    def grows(self, history, count):
        return (*history, *(self.leaf() for _ in range(count)))

    @rule(target=histories, history=histories, at=st.integers(0, 30))
    def rewrites_an_entry(self, history, at):
        at %= len(history)
        return (*history[:at], self.leaf(), *history[at + 1 :])

    @rule(target=histories, history=histories, keep=st.integers(1, 30))
    def forgets_the_newest(self, history, keep):
        return history[: min(keep, len(history))]

    @rule(history=histories, old=st.integers(0, 30), proved=histories, knows=st.booleans())
    def submits(self, history, old, proved, knows):
        """Submit a history with a proof of its own or of another, from a size true or guessed."""
        old = self.held.size if knows else old
        proof = consistency_proof(list(proved), old)
        given = Submission(old, proof, note(list(history)))
        try:
            answer = WITNESS.add_checkpoint(self.held, given, at_s=AT_S)
        except VoisinError:
            extends = (
                len(history) >= self.held.size
                and root_of(history[: self.held.size]) == self.held.root
            )
            assert not (extends and knows and proved == history)
            return
        self.held = answer.held
        self.cosigned.append(history)
        [line] = parse_signatures(answer.line)
        WITNESS.public_key.check(given.note.text, line)

    @rule(history=histories)
    def resubmits_by_the_book(self, history):
        self.submits(history, self.held.size, history, knows=True)

    @invariant()
    def every_tree_holds_all_before_it(self):
        for before, after in zip(self.cosigned, self.cosigned[1:], strict=False):
            assert after[: len(before)] == before

    @invariant()
    def it_holds_the_last_tree_that_it_cosigned(self):
        last = self.cosigned[-1] if self.cosigned else ()
        assert self.held == Held(len(last), root_of(last))


SplitView.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSplitView = SplitView.TestCase


def test_the_tree_heads_are_those_of_the_notes():
    assert parse_head(note(LEAVES[:5]).text).root == root_of(LEAVES[:5])
