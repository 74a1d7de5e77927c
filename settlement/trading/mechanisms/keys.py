"""Sharing keys as data: who is offered which part of the neighbors' surplus, in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ledger.errors import InvalidRequest
from ledger.units import WHOLE_BP, BasisPoints

Row: TypeAlias = Mapping[str, BasisPoints]
"""Parts of a surplus, by who is offered them, in basis points."""


class BadKeyError(InvalidRequest):
    """A sharing key with a part below zero, or with more than the whole."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_sharing_key", detail)


@dataclass(frozen=True, slots=True)
class Stage:
    """One way of offering surplus; a key is several, one after the other."""

    common: Row | None = None
    """Parts of everybody's surplus; None if the need is the measure."""
    own: Mapping[str, Row] | None = None
    """Parts of each producer's own surplus, by producer; None if all share one row."""
    once: bool = False
    """Whether the parts are of the whole and offered once; else again until nobody lacks."""

    def row(self, producer: str) -> Row | None:
        """Return the parts of a producer's surplus; None if the need is the measure."""
        return self.common if self.own is None else self.own.get(producer, {})


BY_NEED = Stage()
"""In proportion to what each still needs in this interval."""


class Key(Protocol):
    """A rule of sharing."""

    def stages(self) -> tuple[Stage, ...]:
        """Return the ways of offering surplus, one after the other; the last is by need."""
        ...


@dataclass(frozen=True, slots=True)
class StaticKey:
    """Fixed parts of the pooled surplus; who has no part comes after all who have one."""

    parts: Row
    """Part of each member, in basis points; together 10,000 at most."""

    def __post_init__(self) -> None:
        """Refuse parts that are no parts of a whole."""
        _check(self.parts)

    def stages(self) -> tuple[Stage, ...]:
        """Return the parts, offered until none of their members lacks energy; then by need."""
        return Stage(self.parts), BY_NEED


@dataclass(frozen=True, slots=True)
class DynamicKey:
    """In proportion to what each needs in the same interval."""

    def stages(self) -> tuple[Stage, ...]:
        """Return the one way, by need."""
        return (BY_NEED,)


@dataclass(frozen=True, slots=True)
class HybridKey:
    """Fixed parts first, offered once; what they leave in proportion to what each still needs."""

    parts: Row
    """Part of each member, in basis points; together 10,000 at most."""

    def __post_init__(self) -> None:
        """Refuse parts that are no parts of a whole."""
        _check(self.parts)

    def stages(self) -> tuple[Stage, ...]:
        """Return the parts, offered once; then by need."""
        return Stage(self.parts, once=True), BY_NEED


@dataclass(frozen=True, slots=True)
class MatrixKey:
    """Fixed parts of each producer's own surplus; what they leave is offered again."""

    rows: Mapping[str, Row]
    """Parts of each producer's surplus, by producer; each row together 10,000 at most."""

    def __post_init__(self) -> None:
        """Refuse rows that are no parts of a whole."""
        for row in self.rows.values():
            _check(row)

    def stages(self) -> tuple[Stage, ...]:
        """Return the rows, offered once; again until none in them lacks energy; then by need."""
        return Stage(own=self.rows, once=True), Stage(own=self.rows), BY_NEED


def _check(parts: Row) -> None:
    for member, part_bp in parts.items():
        if part_bp < 0:
            raise BadKeyError(f"the part of {member} is {part_bp} basis points, below zero")
    whole = sum(parts.values())
    if whole > WHOLE_BP:
        raise BadKeyError(f"the parts are {whole} basis points together, more than {WHOLE_BP}")
