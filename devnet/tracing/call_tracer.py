"""Show which messages a transaction sent, in the form of geth's callTracer."""

from dataclasses import dataclass, field
from typing import Any, Final

from eth.abc import ComputationAPI, MessageAPI, StateAPI
from eth.exceptions import Revert, VMError
from eth.vm import opcode_values as op
from eth_typing import Address

from devnet.engine.executor import address_made_by
from devnet.engine.transactions import Transaction
from devnet.tracing.failures import failure_text, opcode_name, revert_reason
from devnet.tracing.hooks import CALLS, CREATES, Step, Tracer, address_of

_LOGS: Final = range(op.LOG0, op.LOG4 + 1)


@dataclass(slots=True)
class _Frame:
    """One message."""

    kind: str
    """The opcode that sent it."""
    sender: bytes
    """Who sent it."""
    to: bytes
    """Whom it calls, or the contract that it makes."""
    value: int | None
    """Coins that go along; None for a static call."""
    gas: int
    """Gas that it may use."""
    data: bytes
    """What it says."""
    gas_used: int = 0
    """Gas that it used."""
    output: bytes = b""
    """What it returned."""
    error: VMError | None = None
    """Why it failed."""
    calls: list["_Frame"] = field(default_factory=list)
    """What it sent in turn."""
    logs: list[dict[str, Any]] = field(default_factory=list)
    """What it emitted."""

    @property
    def creates(self) -> bool:
        """Return whether it makes a contract."""
        return self.kind in ("CREATE", "CREATE2")

    def shown(self, *, silent: bool) -> dict[str, Any]:
        """Return it as JSON; ``silent`` if a message around it failed, so that no log stayed."""
        silent = silent or self.error is not None
        shown: dict[str, Any] = {"type": self.kind, "from": _hex(self.sender)}
        if not (self.creates and self.error):
            shown["to"] = _hex(self.to)
        if self.value is not None:
            shown["value"] = hex(self.value)
        shown |= {"gas": hex(self.gas), "gasUsed": hex(self.gas_used), "input": _hex(self.data)}
        if self.output:
            shown["output"] = _hex(self.output)
        if self.error is not None:
            shown["error"] = failure_text(self.error)
            reason = revert_reason(self.output) if isinstance(self.error, Revert) else None
            if reason is not None:
                shown["revertReason"] = reason
        if self.calls:
            shown["calls"] = [one.shown(silent=silent) for one in self.calls]
        if self.logs and not silent:
            shown["logs"] = self.logs
        return shown


class CallTracer(Tracer):
    """Keeps the messages as a tree."""

    def __init__(self, *, only_top_call: bool = False, with_log: bool = False) -> None:
        """Begin with no message."""
        self._only_top_call = only_top_call
        self._with_log = with_log
        self._open: list[_Frame] = []
        self._emitted = 0

    def begin(self, state: StateAPI, transaction: Transaction) -> None:
        """Open the outermost message."""
        sender = transaction.sender
        # The nonce is the state's: that of a call means nothing.
        made = address_made_by(sender, state.get_nonce(sender))
        self._open = [
            _Frame(
                kind="CALL" if transaction.to else "CREATE",
                sender=sender,
                to=transaction.to or made,
                value=transaction.value,
                gas=transaction.gas,
                data=transaction.data,
            )
        ]

    def enter(self, step: Step, message: MessageAPI) -> None:
        """Open a message."""
        to = bytes(message.storage_address)
        if step.opcode in CALLS:
            to = address_of(step.stack[-2])
        static = step.opcode == op.STATICCALL
        self._open.append(
            _Frame(
                kind=opcode_name(step.opcode),
                sender=step.address,
                to=to,
                value=None if static else message.value,
                gas=message.gas,
                data=message.code if step.opcode in CREATES else bytes(message.data),
            )
        )

    def leave(self, child: ComputationAPI | None, error: VMError | None) -> None:
        """Close a message."""
        frame = self._open.pop()
        frame.error = error
        if child is not None:
            frame.gas_used = child.get_gas_used()
            frame.output = bytes(child.output)
        self._add(frame)

    def before(self, step: Step) -> None:
        """Note the coins that an account takes along when it deletes itself."""
        if step.opcode == op.SELFDESTRUCT and step.stack:
            address = step.address
            coins = step.state.get_balance(Address(address))
            to = address_of(step.stack[-1])
            self._add(_Frame("SELFDESTRUCT", address, to, coins, 0, b""))

    def after(self, step: Step) -> None:
        """Note an event, and forget a deletion that failed."""
        if step.opcode == op.SELFDESTRUCT and step.error and step.stack and not self._only_top_call:
            self._open[-1].calls.pop()
        if not self._with_log or step.error or step.opcode not in _LOGS:
            return
        number, self._emitted = self._emitted, self._emitted + 1
        frame, topics = self._open[-1], step.opcode - op.LOG0
        start, size = step.stack[-1], step.stack[-2]
        frame.logs.append(
            {
                "address": _hex(step.address),
                "topics": [f"0x{topic:064x}" for topic in step.stack[-3 : -3 - topics : -1]],
                "data": _hex(step.computation.memory()[start : start + size] if size else b""),
                "position": hex(len(frame.calls)),
                "index": hex(number),
            }
        )

    def finish(self, computation: ComputationAPI, gas_used: int) -> None:
        """Close the outermost message."""
        frame = self._open[0]
        frame.gas_used = gas_used
        frame.output = bytes(computation.output)
        frame.error = computation.error if computation.is_error else None

    def result(self) -> dict[str, Any]:
        """Return the tree."""
        return self._open[0].shown(silent=False)

    def _add(self, frame: _Frame) -> None:
        if not self._only_top_call:
            self._open[-1].calls.append(frame)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
