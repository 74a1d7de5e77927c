"""Collect the accounts and slots that a transaction touches (EIP-2930)."""

from eth.abc import StateAPI
from eth.vm.forks.shanghai.state import ShanghaiState
from eth_typing import Address

from devnet.engine.executor import address_made_by
from devnet.engine.transactions import Slots, Transaction
from devnet.tracing.hooks import Step, Tracer


class AccessTracer(Tracer):
    """Remembers what is touched, but for accounts that are warm anyway."""

    def __init__(self, known: Slots = ()) -> None:
        """Begin with what is ``known`` to be touched."""
        self._known = known
        self._warm: set[bytes] = set()
        self._slots: dict[bytes, set[int]] = {}

    def begin(self, state: StateAPI, transaction: Transaction) -> None:
        """Note who is warm from the beginning."""
        to = transaction.to or address_made_by(transaction.sender, transaction.nonce)
        self._warm = {bytes(transaction.sender), bytes(to)}
        self._warm.update(map(bytes, state.computation_class.get_precompiles()))
        if isinstance(state, ShanghaiState):
            self._warm.add(bytes(state.coinbase))  # EIP-3651
        for address, slots in self._known:
            if slots:
                self._slots.setdefault(address, set()).update(slots)
            else:
                self._touch(address)

    def before(self, step: Step) -> None:
        """Note what the step touches."""
        slot, address = step.slot(), step.touched()
        if slot is not None:
            self._slots.setdefault(step.address, set()).add(slot)
        if address is not None:
            self._touch(address)

    def slots(self) -> Slots:
        """Return what was touched, slots in order."""
        return tuple(
            (Address(address), tuple(sorted(slots))) for address, slots in self._slots.items()
        )

    def _touch(self, address: bytes) -> None:
        if address not in self._warm:
            self._slots.setdefault(address, set())
