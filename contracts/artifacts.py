"""Load the compiled contracts; nothing is compiled to run the product."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract."""

    name: str
    """Name of the contract."""
    compiler: str
    """Version of the compiler."""
    source_hash: str
    """SHA-256 over all sources it was compiled from, as hex."""
    abi: tuple[dict[str, Any], ...]
    """ABI entries."""
    bytecode: bytes
    """Code that deploys it, without constructor arguments."""
    deployed_bytecode: bytes
    """Code as deployed, immutables zero."""


@cache
def load_artifact(name: str) -> Artifact:
    """
    Return the artifact of a contract.

    Raises
    ------
    FileNotFoundError
        If no contract of that name is compiled.
    """
    text = files("contracts").joinpath("compiled", f"{name}.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return Artifact(
        name=found["name"],
        compiler=found["compiler"],
        source_hash=found["sourceHash"],
        abi=tuple(found["abi"]),
        bytecode=bytes.fromhex(found["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(found["deployedBytecode"][2:]),
    )
