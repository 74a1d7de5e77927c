"""Make small faults in Solidity: wrong operators, numbers and arguments, and what is left out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_HIDDEN: Final = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", re.DOTALL
)
_DECLARATIONS: Final = re.compile(
    r"^[ ]*(?:pragma|import|using|event|error|function|constructor|contract|library|struct|enum"
    r"|mapping)\b[^;{]*",
    re.MULTILINE,
)
_OPERATOR: Final = re.compile(r"(?<= )([-+*/%&|^]=?|<<|>>|[<>=!]=|[<>]|&&|\|\|)(?= )")
_NUMBER: Final = re.compile(r"(?<![\w.])(\d[\d_]*)(?![\w.])")
_TRUTH: Final = re.compile(r"\b(true|false)\b")
_MODIFIER: Final = re.compile(r"\b(nonReentrant|onlyRole\(\w+\))\s")
_ARGUMENTS: Final = re.compile(r"(?<=\w\()([\w.]+), ([\w.]+)(?=[,)])")
_STATEMENT: Final = re.compile(r"(?<=[;{}])\s*([^;{}\s][^;{}]*;)")
_REMOVABLE: Final = re.compile(
    r"(?:require\(|emit |delete |\(?[\w.\[\], ()]+\)? [-+*/]?= |[\w.]+\()(?s:.*);"
)
_KEPT: Final = re.compile(
    r"(?:return|using|for|if|while|else|unchecked|assembly)\b|[\w.\[\]]+ [\w ]+ = "
)

_REPLACEMENTS: Final[dict[str, tuple[str, ...]]] = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("*",),
    "&&": ("||",),
    "||": ("&&",),
    "&": ("|",),
    "|": ("&",),
    "^": ("&",),
    "<<": (">>",),
    ">>": ("<<",),
    "+=": ("-=", "="),
    "-=": ("+=", "="),
    "true": ("false",),
    "false": ("true",),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault in one file."""

    file: str
    """Source, from the contracts' folder."""
    kind: str
    """What sort of fault."""
    start: int
    """Where it begins, in characters."""
    end: int
    """Where the text that it replaces ends."""
    text: str
    """What stands there instead."""
    name: str
    """File, kind, and the line before and after: the same as long as the line is."""

    def apply(self, source: str) -> str:
        """Return the source with this fault."""
        return source[: self.start] + self.text + source[self.end :]


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Return every fault that this module knows for a source."""
    code = _HIDDEN.sub(lambda found: re.sub(r"\S", " ", found.group()), source)
    inside = _DECLARATIONS.sub(lambda found: re.sub(r"\S", " ", found.group()), code)
    counts: dict[str, int] = {}
    for kind, start, end, text in _faults(code, inside):
        before = _line(source, start, end, source[start:end])
        after = _line(source, start, end, text)
        name = f"{file}: {kind}: {before} -> {after}"
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > 1:
            name = f"{name} ({counts[name]})"
        yield Mutant(file, kind, start, end, text, name)


def _faults(code: str, inside: str) -> Iterator[tuple[str, int, int, str]]:
    """Return kind, place and replacement of each fault."""
    for kind, pattern in (("operator", _OPERATOR), ("truth", _TRUTH)):
        for found in pattern.finditer(inside):
            for text in _REPLACEMENTS.get(found.group(1), ()):
                yield kind, *found.span(1), text
    for found in _NUMBER.finditer(inside):
        yield "number", *found.span(1), str(int(found.group(1).replace("_", "")) + 1)
    for found in _ARGUMENTS.finditer(inside):
        if found.group(1) != found.group(2):
            yield "swap", *found.span(), f"{found.group(2)}, {found.group(1)}"
    yield from _left_out(code, inside)


def _left_out(code: str, inside: str) -> Iterator[tuple[str, int, int, str]]:
    """Return the modifiers and the statements that can be left out."""
    for found in _MODIFIER.finditer(code):
        yield "modifier", *found.span(1), ""
    for found in _STATEMENT.finditer(inside):
        statement = found.group(1)
        if _REMOVABLE.match(statement) and not _KEPT.match(statement):
            yield "removal", *found.span(1), ""


def _line(source: str, start: int, end: int, middle: str) -> str:
    """Return the lines around a place on one line, with ``middle`` in that place."""
    first = source.rfind("\n", 0, start) + 1
    last = source.find("\n", end)
    return " ".join((source[first:start] + middle + source[end:last]).split())
