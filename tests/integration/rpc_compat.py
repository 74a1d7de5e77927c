"""Read the conformance vectors of JSON-RPC, and compare answers with them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

VECTORS: Final = Path(__file__).parent / "data" / "rpc-compat"

_TEXTS: Final = (
    ("address", re.compile(r"0x[0-9a-fA-F]{40}")),
    ("word", re.compile(r"0x[0-9a-fA-F]{64}")),
    ("quantity", re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]*)")),
    ("data", re.compile(r"0x([0-9a-fA-F]{2})*")),
)
# Maps have such keys: what they are says nothing about what must be there.
_KEYS: Final = re.compile(r"0x[0-9a-fA-F]{40}|0x[0-9a-fA-F]{64}|[0-9]+")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with the answer that is expected."""

    request: bytes
    expected: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Vector:
    """One file of vectors."""

    name: str
    is_shape_alone: bool
    exchanges: tuple[Exchange, ...]


def read_vector(path: Path) -> Vector:
    lines = path.read_text().splitlines()
    asked = [line[3:].encode() for line in lines if line.startswith(">> ")]
    expected = [orjson.loads(line[3:]) for line in lines if line.startswith("<< ")]
    return Vector(
        name=str(path.relative_to(VECTORS)),
        is_shape_alone=any(line.startswith("// speconly") for line in lines),
        exchanges=tuple(Exchange(*pair) for pair in zip(asked, expected, strict=True)),
    )


def all_vectors() -> list[Vector]:
    """Return every vector; by name, so that what fills the pool comes before what shows it."""
    return [read_vector(path) for path in sorted(VECTORS.glob("*/*.io"))]


def differences(
    answer: dict[str, Any], expected: dict[str, Any], *, shape_alone: bool
) -> list[str]:
    """Say where an answer is not what was expected; nothing if it is."""
    found = [
        f"{name}: {answer.get(name)!r}"
        for name in ("jsonrpc", "id")
        if answer.get(name) != expected[name]
    ]
    if "error" in expected:
        return found + _error_differences(answer, expected["error"])
    if "result" not in answer or "error" in answer:
        return [*found, f"no result but {answer.get('error')}"]
    if shape_alone:
        return found + misfits(answer["result"], [expected["result"]])
    return found + unequal(answer["result"], expected["result"])


def _error_differences(answer: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    error = answer.get("error")
    if not isinstance(error, dict):
        return [f"no error but {str(answer.get('result'))[:200]}"]
    found = []
    if error.get("code") != expected["code"]:
        found.append(f"code {error.get('code')}, not {expected['code']}")
    if not isinstance(error.get("message"), str) or not error["message"]:
        found.append("no message")
    if error.get("data") != expected.get("data"):
        found.append(f"data {error.get('data')}, not {expected.get('data')}")
    return found


def unequal(ours: Any, expected: Any, where: str = "result") -> list[str]:
    """Say where two JSON values differ."""
    if isinstance(ours, dict) and isinstance(expected, dict):
        found = [f"{where}.{key}: too much" for key in ours.keys() - expected.keys()]
        found += [f"{where}.{key}: missing" for key in expected.keys() - ours.keys()]
        for key in ours.keys() & expected.keys():
            found += unequal(ours[key], expected[key], f"{where}.{key}")
        return found
    if isinstance(ours, list) and isinstance(expected, list) and len(ours) == len(expected):
        pairs = enumerate(zip(ours, expected, strict=True))
        return [line for at, pair in pairs for line in unequal(*pair, f"{where}[{at}]")]
    # True equals 1 in Python, not in JSON.
    if type(ours) is type(expected) and ours == expected:
        return []
    return [f"{where}: {str(ours)[:200]!r}, not {str(expected)[:200]!r}"]


def misfits(ours: Any, samples: list[Any], where: str = "result") -> list[str]:
    """Say where a JSON value has another shape than every sample."""
    alike = [sample for sample in samples if isinstance(sample, type(ours))]
    if isinstance(ours, dict) and alike:
        is_map = all(_KEYS.fullmatch(key) for sample in alike for key in sample)
        return (_map_misfits if is_map else _object_misfits)(ours, alike, where)
    if isinstance(ours, list) and alike:
        return _array_misfits(ours, alike, where)
    if _fitting(ours) & {kind for sample in samples for kind in _kinds(sample)}:
        return []
    return [f"{where}: {str(ours)[:100]!r} is unlike {str(samples[0])[:100]!r}"]


def _array_misfits(ours: list[Any], samples: list[list[Any]], where: str) -> list[str]:
    elements = _distinct([element for sample in samples for element in sample])
    # An empty sample says nothing about what may be in it.
    checked = enumerate(ours) if elements else ()
    return [line for at, one in checked for line in misfits(one, elements, f"{where}[{at}]")]


def _map_misfits(ours: dict[str, Any], samples: list[dict[str, Any]], where: str) -> list[str]:
    values = [value for sample in samples for value in sample.values()]
    found = [f"{where}.{key}: no such key" for key in ours if not _KEYS.fullmatch(key)]
    for key, value in ours.items():
        found += misfits(value, values, f"{where}.{key}") if values else []
    return found


def _object_misfits(ours: dict[str, Any], samples: list[dict[str, Any]], where: str) -> list[str]:
    may = set().union(*samples)
    must = may.intersection(*samples)
    found = [f"{where}.{key}: too much" for key in ours.keys() - may]
    found += [f"{where}.{key}: missing" for key in must - ours.keys()]
    for key in ours.keys() & may:
        found += misfits(ours[key], [one[key] for one in samples if key in one], f"{where}.{key}")
    return found


def _fitting(value: Any) -> set[str]:
    """Return everything that a JSON value, neither object nor array, may be."""
    if isinstance(value, str):
        return {name for name, pattern in _TEXTS if pattern.fullmatch(value)} or {"text"}
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"number" if is_number else type(value).__name__}


def _kinds(sample: Any) -> set[str]:
    """Return what a sample stands for: what is as long as an address or a word is one."""
    fitting = _fitting(sample)
    return fitting & {"address", "word"} or fitting


def _distinct(elements: list[Any]) -> list[Any]:
    """Leave out samples that say nothing new, for the sake of time."""
    kept: list[Any] = []
    for element in elements:
        if not isinstance(element, dict | list) and any(
            _kinds(element) <= _kinds(one) for one in kept
        ):
            continue
        kept.append(element)
    return kept
