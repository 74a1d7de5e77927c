"""The campaign of forgeries refuses every one, repeats itself, and would notice an accepted one."""

import random
from collections import Counter

import pytest

from ledger.proofs import parse_note
from ledger.proofs.witness import parse_submission
from scripts.campaigns import forged_proofs
from scripts.campaigns.forged_proofs import ForgeryAcceptedError, Judge, campaign
from scripts.campaigns.forgeries import Consistency, Inclusion
from scripts.campaigns.honest_log import AT_S, HonestLog

LEAVES = 1_500


@pytest.fixture(scope="module")
def log():
    return HonestLog(LEAVES, random.Random(1))  # noqa: S311 - a seed, not a secret


def test_accepts_no_forgery_of_any_kind():
    tally = campaign(2_000, 1, LEAVES)
    assert sum(tally.refused.values()) + sum(tally.same.values()) == 2_000
    assert sum(tally.same.values()) < 100
    assert set(tally.refused) == {"inclusion", "consistency", "note", "submission"}
    assert len(tally.ways) == 35
    assert set(tally.codes) <= {
        "bad_log_proof",
        "bad_note",
        "bad_submission",
        "held_differs",
        "not_consistent",
        "not_the_logs",
        "note_unsigned",
        "unknown_log",
    }


def test_repeats_itself_from_its_seed():
    first, second, other = (campaign(300, seed, LEAVES) for seed in (7, 7, 8))
    assert first == second
    assert first.ways != other.ways


def test_what_it_forges_is_accepted_before(log):
    judge = Judge(log)
    for size in log.sizes[::7]:
        index = size // 2
        proof = log.inclusion_proof(size, index)
        assert judge.inclusion(Inclusion(log.head(size), index, log.leaves[index], proof))
        older = log.sizes[len(log.sizes) // 3]
        if older <= size:
            proof = log.consistency_proof(size, older)
            assert judge.consistency(Consistency(log.head(older), log.head(size), proof))
    assert all(judge.note(raw) for raw in log.notes[:20])
    assert all(judge.submission(*one) for one in log.submissions[:20])


@pytest.mark.parametrize("gullible", ["check_inclusion", "check_consistency"])
def test_would_notice_a_check_that_takes_anything(monkeypatch, gullible):
    monkeypatch.setattr(forged_proofs, gullible, lambda *_: None)
    with pytest.raises(ForgeryAcceptedError) as caught:
        campaign(100, 1, LEAVES)
    assert caught.value.code == "forgery_accepted"
    assert gullible.removeprefix("check_") in str(caught.value)


def test_forges_what_differs_from_the_original(log):
    """Nearly every change changes something; the rest is counted apart."""
    forger = forged_proofs.Forger(log, random.Random(3))  # noqa: S311 - a seed, not a secret
    seen = Counter()
    for _ in range(400):
        _, raw = forger.note()
        seen["note"] += raw in log.notes
        _, held, body = forger.submission()
        seen["submission"] += (held, body) in log.submissions
    assert max(seen.values()) < 60
    assert parse_note(log.notes[0]).encoded().encode() == log.notes[0]
    held, body = log.submissions[0]
    given = parse_submission(body)
    assert log.witness.add_checkpoint(log.held(held), given, at_s=AT_S).held.size >= held
