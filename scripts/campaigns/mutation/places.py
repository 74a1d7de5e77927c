"""Find the places of a source where one of several texts can be chosen when the code runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_VALUES: Final = {
    "Assignment",
    "BinaryOperation",
    "Conditional",
    "FunctionCall",
    "Identifier",
    "IndexAccess",
    "MemberAccess",
    "UnaryOperation",
}
_STATEMENTS: Final = {
    "EmitStatement",
    "ExpressionStatement",
    "Return",
    "RevertStatement",
}
# Types of which a conditional cannot be made, or of which it would be another type.
_NO_VALUES: Final = (
    *("int_const", "rational_const", "literal_string", "tuple(", "type(", "function ", "error"),
    *("modifier", "module", "mapping("),
)
_STORAGE: Final = " storage"


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a source, an expression or a statement with its semicolon."""

    start: int
    """Where it begins, in bytes."""
    end: int
    """Where it ends, in bytes."""
    is_statement: bool
    """Whether an ``if`` chooses, and not a conditional."""


def places(tree: Mapping[str, Any], source: bytes) -> Iterator[Place]:
    """Return the places of a source by its syntax tree."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            if node.get("nodeType") == "InlineAssembly" or node.get("constant"):
                continue
            if (place := _place(node, source)) is not None:
                yield place
            waiting.extend(value for value in node.values() if isinstance(value, dict | list))


def _place(node: Mapping[str, Any], source: bytes) -> Place | None:
    """Return the place of a node, if it is one."""
    kind = node.get("nodeType")
    if kind in _STATEMENTS:
        return _statement(node, source)
    if kind in _VALUES and _is_value(node) and not node.get("lValueRequested"):
        start, length, _ = map(int, node["src"].split(":"))
        return Place(start, start + length, is_statement=False)
    return None


def _statement(node: Mapping[str, Any], source: bytes) -> Place | None:
    """Return the place of a statement, unless it is a loop's step or sets a storage reference."""
    start, length, _ = map(int, node["src"].split(":"))
    end = start + length
    value = node.get("expression") or {}
    if _STORAGE in (value.get("typeDescriptions", {}).get("typeString") or ""):
        return None  # solc asks that one is set whatever happens
    rest = source[end:].lstrip()
    if source[end - 1 : end] != b";" and not rest.startswith(b";"):
        return None
    return Place(start, source.index(b";", end - 1) + 1, is_statement=True)


def _is_value(node: Mapping[str, Any]) -> bool:
    """Return whether a conditional of this expression has the same type."""
    written = node["typeDescriptions"].get("typeString") or "tuple("
    return not written.startswith(_NO_VALUES) and _STORAGE not in written
