"""Encode calls to the contracts; decode their results, events and errors by the ABI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from eth_abi.abi import decode, encode

from contracts.artifacts import load_artifact
from contracts.typed_data import keccak
from settlement.chain.gateway import Log

_SELECTOR_LENGTH: Final = 4

AbiEntry = Mapping[str, Any]


def _canonical(parameter: AbiEntry) -> str:
    """Return the canonical type of an ABI parameter, tuples spelled out."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_canonical(part) for part in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _signature(entry: AbiEntry) -> str:
    return f"{entry['name']}({','.join(_canonical(part) for part in entry['inputs'])})"


@dataclass(frozen=True, slots=True)
class Decoded:
    """An event or a custom error with its arguments by name."""

    name: str
    """Name in the ABI."""
    arguments: Mapping[str, Any]
    """Arguments by name; addresses in lower case, bytes as 0x hex."""


@dataclass(frozen=True)
class Contract:
    """One deployed contract and its ABI."""

    name: str
    """Name of the artifact."""
    address: str
    """Address, lower case."""
    abi: Sequence[AbiEntry] = field(repr=False)
    """ABI of the artifact."""

    @staticmethod
    def at(name: str, address: str) -> "Contract":
        """Return the contract ``name`` deployed at ``address``."""
        return Contract(name, address.lower(), load_artifact(name).abi)

    def encode(self, function: str, *arguments: object) -> bytes:
        """Return the call data of ``function``."""
        selector, inputs, _ = self._functions[function]
        return selector + encode(inputs, arguments)

    def decode_result(self, function: str, data: bytes) -> tuple[Any, ...]:
        """Return what ``function`` returned."""
        return tuple(_plain(value) for value in decode(self._functions[function][2], data))

    def decode_event(self, log: Log) -> Decoded | None:
        """Return the event that ``log`` carries, or None if the ABI does not know it."""
        entry = self._events.get(log.topics[0]) if log.topics else None
        if entry is None:
            return None
        indexed = [part for part in entry["inputs"] if part["indexed"]]
        plain = [part for part in entry["inputs"] if not part["indexed"]]
        values = dict(
            zip(
                (part["name"] for part in plain),
                decode([_canonical(part) for part in plain], log.data),
                strict=True,
            )
        )
        for part, topic in zip(indexed, log.topics[1:], strict=True):
            values[part["name"]] = decode([_canonical(part)], topic)[0]
        return Decoded(entry["name"], {name: _plain(value) for name, value in values.items()})

    def decode_error(self, data: bytes) -> Decoded | None:
        """Return the custom error in revert ``data``, or None if the ABI does not know it."""
        entry = self._errors.get(data[:_SELECTOR_LENGTH])
        if entry is None:
            return None
        names = [part["name"] for part in entry["inputs"]]
        values = decode([_canonical(part) for part in entry["inputs"]], data[_SELECTOR_LENGTH:])
        return Decoded(entry["name"], {n: _plain(v) for n, v in zip(names, values, strict=True)})

    @cached_property
    def _functions(self) -> dict[str, tuple[bytes, list[str], list[str]]]:
        return {
            entry["name"]: (
                keccak(_signature(entry).encode())[:_SELECTOR_LENGTH],
                [_canonical(part) for part in entry["inputs"]],
                [_canonical(part) for part in entry["outputs"]],
            )
            for entry in self.abi
            if entry["type"] == "function"
        }

    @cached_property
    def _events(self) -> dict[bytes, AbiEntry]:
        return {keccak(_signature(e).encode()): e for e in self.abi if e["type"] == "event"}

    @cached_property
    def _errors(self) -> dict[bytes, AbiEntry]:
        return {
            keccak(_signature(e).encode())[:_SELECTOR_LENGTH]: e
            for e in self.abi
            if e["type"] == "error"
        }


def creation(name: str, *arguments: object) -> bytes:
    """Return the init code that deploys the artifact ``name`` with constructor ``arguments``."""
    artifact = load_artifact(name)
    constructors = [entry for entry in artifact.abi if entry["type"] == "constructor"]
    inputs: list[AbiEntry] = constructors[0]["inputs"] if constructors else []
    return artifact.bytecode + encode([_canonical(part) for part in inputs], arguments)


def _plain(value: object) -> Any:  # noqa: ANN401 - what eth_abi returns
    """Return ``value`` with bytes as 0x hex, so that it can be stored as JSON."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (tuple, list)):
        return tuple(_plain(part) for part in value)
    return value
