"""
Forge proofs, checkpoints and cosignatures, and see that none is accepted.

``python -m scripts.campaigns.forged_proofs --count 1000000 --seed 1``
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

import typer

from ledger.errors import Integrity, VoisinError
from ledger.proofs import check_consistency, check_inclusion, parse_head, parse_note
from ledger.proofs.witness import parse_submission
from scripts.campaigns.forgeries import Consistency, Forger, Inclusion
from scripts.campaigns.honest_log import AT_S, HonestLog

_LEAVES: Final = 70_000
_SHARES: Final = {"inclusion": 7, "consistency": 7, "note": 3, "submission": 3}


class ForgeryAcceptedError(Integrity):
    """A forgery was taken for what it imitates."""

    def __init__(self, number: int, kind: str, way: str) -> None:
        super().__init__("forgery_accepted", f"number {number}: {kind}, {way}")


@dataclass(slots=True)
class Tally:
    """What came of a campaign."""

    refused: Counter[str] = field(default_factory=Counter)
    """Forgeries refused, by kind."""
    same: Counter[str] = field(default_factory=Counter)
    """Changes that left what is said as it was, such as two lines that are equal swapped."""
    codes: Counter[str] = field(default_factory=Counter)
    """Why they were refused."""
    ways: Counter[str] = field(default_factory=Counter)
    """How they were forged."""


class Judge:
    """Checks claims as a reader does, and knows the truth to compare with."""

    def __init__(self, log: HonestLog) -> None:
        self._log: Final = log
        self._texts: Final = {parse_note(one).text: parse_note(one) for one in log.notes}

    def inclusion(self, claim: Inclusion) -> bool:
        """Take a claim or raise; say whether it is true."""
        size, root = claim.head
        check_inclusion(root, size, claim.index, claim.leaf, claim.proof)
        return (
            self._log.head(size) == claim.head
            and self._log.leaves[claim.index] == claim.leaf
            and self._log.inclusion_proof(size, claim.index) == claim.proof
        )

    def consistency(self, claim: Consistency) -> bool:
        """Take a claim or raise; say whether it is true."""
        check_consistency(claim.old, claim.new, claim.proof)
        (old, _), (new, _) = claim.old, claim.new
        return (self._log.head(old), self._log.head(new)) == (
            claim.old,
            claim.new,
        ) and self._log.consistency_proof(new, old) == claim.proof

    def note(self, raw: bytes) -> bool:
        """Take a checkpoint that log and witness signed, or raise; say whether they did."""
        note = parse_note(raw)
        parse_head(note.text)
        signed = (
            *note.signed_by((self._log.key,)),
            *note.signed_by((self._log.witness.public_key,)),
        )
        honest = self._texts.get(note.text)
        return honest is not None and set(signed) == set(honest.signatures)

    def submission(self, held_size: int, body: bytes) -> bool:
        """Have the witness cosign or raise; say whether it had to."""
        held, given = self._log.held(held_size), parse_submission(body)
        cosigned = self._log.witness.add_checkpoint(held, given, at_s=AT_S).held
        return (
            cosigned == self._log.held(cosigned.size)
            and given.old_size == held_size
            and self._log.consistency_proof(cosigned.size, held_size) == given.proof
        )


def campaign(count: int, seed: int, leaves: int = _LEAVES) -> Tally:
    """
    Make ``count`` forgeries of a log of ``leaves`` leaves, and have each judged.

    Raises
    ------
    ForgeryAcceptedError
        If one is accepted that does not say what an honest one says.
    """
    rng = random.Random(seed)  # noqa: S311 - the campaign is to be repeated
    log = HonestLog(leaves, rng)
    forger, judge, tally = Forger(log, rng), Judge(log), Tally()
    kinds = [kind for kind, share in _SHARES.items() for _ in range(share)]
    for number in range(count):
        kind = rng.choice(kinds)
        way, judged = _forge(kind, forger, judge)
        tally.ways[f"{kind}: {way}"] += 1
        try:
            honest = judged()
        except VoisinError as fault:
            tally.refused[kind] += 1
            tally.codes[fault.code] += 1
            continue
        if not honest:
            raise ForgeryAcceptedError(number, kind, way)
        tally.same[kind] += 1
    return tally


def _forge(kind: str, forger: Forger, judge: Judge) -> tuple[str, Callable[[], bool]]:
    """Make one forgery; return its name and what judges it."""
    if kind == "inclusion":
        way, inclusion = forger.inclusion()
        return way, lambda: judge.inclusion(inclusion)
    if kind == "consistency":
        way, consistency = forger.consistency()
        return way, lambda: judge.consistency(consistency)
    if kind == "note":
        way, raw = forger.note()
        return way, lambda: judge.note(raw)
    way, held_size, body = forger.submission()
    return way, lambda: judge.submission(held_size, body)


def main(
    count: Annotated[int, typer.Option(min=1, help="How many forgeries.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Decides the log and every forgery.")] = 1,
) -> None:
    """Forge again and again, and print what was refused; stop at the first that is accepted."""
    began_s = time.monotonic()
    tally = campaign(count, seed)
    kinds = ", ".join(f"{tally.refused[kind]} {kind}" for kind in _SHARES)
    codes = ", ".join(f"{count} {code}" for code, count in sorted(tally.codes.items()))
    same = sum(tally.same.values())
    typer.echo(
        f"{count} forgeries with seed {seed} in {time.monotonic() - began_s:.0f} s, "
        f"in {len(tally.ways)} ways: 0 accepted"
    )
    typer.echo(f"{sum(tally.refused.values())} refused ({kinds}) by {codes}")
    typer.echo(f"{same} changes said the same as the original")


if __name__ == "__main__":
    typer.run(main)
