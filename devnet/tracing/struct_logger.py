"""Log every step of a transaction, in the form of geth's default tracer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from eth.abc import ComputationAPI
from eth.exceptions import FullStack, InsufficientStack, OutOfGas, Revert
from eth.vm import opcode_values as op
from eth_typing import Address

from devnet.tracing.failures import failure_text, opcode_name
from devnet.tracing.hooks import Step, Tracer

# geth names the error at the step if it shows before the opcode runs; others end the message.
_SHOWN: Final = (OutOfGas, InsufficientStack, FullStack)
_REFUNDS: Final = frozenset((op.SSTORE, op.SELFDESTRUCT))
_WORD: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StructOptions:
    """What to log."""

    enable_memory: bool = False
    """Whether to log the memory."""
    disable_stack: bool = False
    """Whether to leave out the stack."""
    disable_storage: bool = False
    """Whether to leave out the storage."""
    enable_return_data: bool = False
    """Whether to log what the last call returned."""
    limit: int = 0
    """Most steps to log; 0 for all."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Read the options as JSON names them; others are not looked at."""
        return cls(
            enable_memory=bool(options.get("enableMemory")),
            disable_stack=bool(options.get("disableStack")),
            disable_storage=bool(options.get("disableStorage")),
            enable_return_data=bool(options.get("enableReturnData")),
            limit=int(options.get("limit") or 0),
        )


class StructLogger(Tracer):
    """Writes an entry for each step."""

    def __init__(self, options: StructOptions) -> None:
        """Begin with no steps."""
        self._options = options
        self._logs: list[dict[str, Any]] = []
        self._open: list[dict[str, Any] | None] = []
        self._storage: dict[bytes, dict[str, str]] = {}
        self._outcome: dict[str, Any] = {}

    def before(self, step: Step) -> None:
        """Write the entry: what a step calls comes after it."""
        if self._options.limit and len(self._logs) >= self._options.limit:
            self._open.append(None)
            return
        options, computation = self._options, step.computation
        entry: dict[str, Any] = {
            "pc": step.program_counter,
            "op": opcode_name(step.opcode),
            "gas": step.gas,
            "gasCost": 0,
            "depth": computation.msg.depth + 1,
        }
        if not options.disable_stack:
            entry["stack"] = [hex(item) for item in step.stack]
        if options.enable_return_data and computation.return_data:
            entry["returnData"] = "0x" + computation.return_data.hex()
        if options.enable_memory and (memory := computation.memory()):
            entry["memory"] = [
                "0x" + memory[at : at + _WORD].hex() for at in range(0, len(memory), _WORD)
            ]
        if not options.disable_storage and (storage := self._storage_at(step)):
            entry["storage"] = storage
        if self.refund:
            entry["refund"] = self.refund
        self._logs.append(entry)
        self._open.append(entry)

    def after(self, step: Step) -> None:
        """Complete the entry."""
        entry = self._open.pop()
        if entry is None:
            return
        entry["gasCost"] = step.cost
        if isinstance(step.error, _SHOWN):
            entry["error"] = failure_text(step.error)
        # geth finds out what a write refunds when it finds out what it costs, before it logs.
        if step.opcode in _REFUNDS and self.refund:
            entry["refund"] = self.refund

    def finish(self, computation: ComputationAPI, gas_used: int) -> None:
        """Note how it went."""
        error = computation.error if computation.is_error else None
        shown = error is None or isinstance(error, Revert)
        self._outcome = {
            "gas": gas_used,
            "failed": error is not None,
            "returnValue": "0x" + (computation.output.hex() if shown else ""),
        }

    def result(self) -> dict[str, Any]:
        """Return the log."""
        return self._outcome | {"structLogs": self._logs}

    def _storage_at(self, step: Step) -> dict[str, str] | None:
        """Return the slots that the account used so far, if the step uses one."""
        slot = step.slot()
        if slot is None or (step.opcode == op.SSTORE and len(step.stack) == 1):
            return None
        address = step.address
        if step.opcode == op.SSTORE:
            value = step.stack[-2]
        else:
            value = step.state.get_storage(Address(address), slot)
        used = self._storage.setdefault(address, {})
        used[f"0x{slot:064x}"] = f"0x{value:064x}"
        return dict(used)
