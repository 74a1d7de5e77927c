"""
Put all faults into the sources at once, each asleep until its number is called.

Compiling is what takes a campaign's time, so it is done once: where a source says ``a < b``, the
schema says ``(active() == 7 ? (a <= b) : (a < b))``, and ``active()`` is what the tests' machine
gives as the block's random number. A fault that no choice at run time can express, as in a constant
or in the code of a modifier, is left over, to be compiled alone. After Untch, Offutt and Harrold,
"Mutation analysis using mutant schemata", 1993.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from scripts.campaigns.mutation.faults import Mutant
from scripts.campaigns.mutation.places import Place, places
from scripts.campaigns.mutation.solidity import CompileError, errors, trees

ACTIVE_FILE: Final = "src/Active.sol"
ACTIVE: Final = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

function active() pure returns (uint256) {
    function() view returns (uint256) seen = _seen;
    function() pure returns (uint256) read;
    assembly ("memory-safe") {
        read := seen
    }
    return read();
}

function _seen() view returns (uint256) {
    return block.prevrandao;
}
"""
_PRAGMA_END: Final = b";\n"
_IF: Final = (b"if (active() == %d) { %s } else { ", b" }")
_CONDITIONAL: Final = (b"(active() == %d ? (%s) : (", b"))")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A fault and the number that wakes it."""

    number: int
    """From 1; zero wakes none."""
    mutant: Mutant
    """What is wrong."""
    start: int
    """Where it begins, in bytes, as solc counts."""
    end: int
    """Where it ends, in bytes."""


def numbered(texts: Mapping[str, str], faults: Iterable[Mutant]) -> Iterator[Numbered]:
    """Return faults with their numbers and places in bytes."""
    for number, one in enumerate(faults, 1):
        start, end = (len(texts[one.file][:place].encode()) for place in (one.start, one.end))
        yield Numbered(number, one, start, end)


@dataclass(slots=True)
class Schema:
    """The sources with every fault asleep."""

    texts: dict[str, str]
    """What is compiled, by path."""
    asleep: list[Numbered]
    """The faults in it."""
    left_over: list[Numbered]
    """The faults that are not."""


Span: TypeAlias = tuple[int, int, int]
"""Where a fault got in what was written, in bytes, and its number."""


@dataclass(slots=True)
class Composed:
    """One source with its faults."""

    text: str
    """What is compiled."""
    spans: list[Span]
    """Where each fault is, and each choice of one."""
    homeless: list[Numbered]
    """Faults that no place holds."""


@dataclass(slots=True)
class _Node:
    """A place, the faults that are chosen in it, and the places inside it."""

    place: Place
    faults: list[Numbered]
    inner: list["_Node"] = field(default_factory=list)


@dataclass(slots=True)
class _Writer:
    """Writes one source and remembers where each fault got."""

    source: bytes
    text: bytearray = field(default_factory=bytearray)
    spans: list[Span] = field(default_factory=list)

    def node(self, node: _Node) -> None:
        """Write a place: each of its faults, chosen by number, and else what stands there."""
        place = node.place
        choice, end = _IF if place.is_statement else _CONDITIONAL
        opened = []
        for one in node.faults:
            began = len(self.text)
            before, after = self.source[place.start : one.start], self.source[one.end : place.end]
            self.text += choice % (one.number, before + one.mutant.text.encode() + after)
            self.spans.append((began, len(self.text), one.number))
            opened.append((began, one.number))
        self.between(place.start, place.end, node.inner)
        for began, number in reversed(opened):
            self.text += end
            self.spans.append((began, len(self.text), number))

    def between(self, start: int, end: int, inner: Sequence[_Node]) -> None:
        """Write what stands between two places, and the places in there."""
        for node in sorted(inner, key=lambda one: one.place.start):
            self.text += self.source[start : node.place.start]
            self.node(node)
            start = node.place.end
        self.text += self.source[start:end]


def schema(texts: Mapping[str, str], faults: Sequence[Numbered]) -> Schema:
    """
    Return the schema of as many faults as compile together.

    Raises
    ------
    ValueError
        If solc refuses what no fault is in.
    """
    known = trees(texts)
    left_over: dict[int, Numbered] = {}
    while True:
        asleep = [one for one in faults if one.number not in left_over]
        made, spans, homeless = _write(texts, known, asleep)
        left_over |= {one.number: one for one in homeless}
        found = errors(made)
        if not found:
            kept = [one for one in asleep if one.number not in left_over]
            return Schema(made, kept, list(left_over.values()))
        blamed = {number for error in found for number in _blamed(error, spans)}
        if not blamed:
            raise ValueError(f"solc refuses the schema: {found[0]}")
        left_over |= {one.number: one for one in asleep if one.number in blamed}


def _write(
    texts: Mapping[str, str], known: Mapping[str, Any], asleep: Sequence[Numbered]
) -> tuple[dict[str, str], dict[str, list[Span]], list[Numbered]]:
    """Return the sources with faults, where each is, and the faults for which there is no place."""
    made, spans, homeless = {**texts, ACTIVE_FILE: ACTIVE}, {}, []
    for file, text in texts.items():
        there = [one for one in asleep if one.mutant.file == file]
        if there:
            source = text.encode()
            one = composed(source, file.count("/") - 1, places(known[file], source), there)
            made[file], spans[file] = one.text, one.spans
            homeless += one.homeless
    return made, spans, homeless


def composed(
    source: bytes, depth: int, there: Iterable[Place], faults: Sequence[Numbered]
) -> Composed:
    """Return one source, so many folders below ``src``, with its faults in its places."""
    by_size = sorted(set(there), key=lambda one: one.end - one.start)
    chosen: dict[Place, list[Numbered]] = {}
    homeless = []
    for one in faults:
        place = next((each for each in by_size if _holds(each, one)), None)
        if place is None:
            homeless.append(one)
        else:
            chosen.setdefault(place, []).append(one)
    writer = _Writer(source)
    head = source.index(_PRAGMA_END) + len(_PRAGMA_END)
    writer.text += source[:head]
    writer.text += b'import {active} from "%sActive.sol";\n' % (b"../" * depth or b"./")
    nodes = _nested([_Node(place, faults) for place, faults in chosen.items()])
    writer.between(head, len(source), nodes)
    return Composed(writer.text.decode(), writer.spans, homeless)


def _holds(place: Place, fault: Numbered) -> bool:
    """Return whether a fault can be chosen in a place: what is left out is a whole statement."""
    if fault.mutant.kind == "removal":
        return place.is_statement and (place.start, place.end) == (fault.start, fault.end)
    return place.start <= fault.start and fault.end <= place.end


def _nested(nodes: Sequence[_Node]) -> list[_Node]:
    """Put each place into the smallest that holds it, and return those that none holds."""
    outermost: list[_Node] = []
    by_size = sorted(
        nodes, key=lambda one: (one.place.end - one.place.start, one.place.is_statement)
    )
    for index, node in enumerate(by_size):
        holder = next((one for one in by_size[index + 1 :] if _within(node.place, one.place)), None)
        (outermost if holder is None else holder.inner).append(node)
    return outermost


def _within(inner: Place, outer: Place) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _blamed(error: CompileError, spans: Mapping[str, list[Span]]) -> Iterator[int]:
    """Return the faults to blame for an error: the closest around it, or else all inside it."""
    there = spans.get(error.file, [])
    around = [one for one in there if one[0] <= error.start and error.end <= one[1]]
    if around:
        yield min(around, key=lambda one: one[1] - one[0])[2]
        return
    for began, ended, number in there:
        if error.start <= began and ended <= error.end:
            yield number
