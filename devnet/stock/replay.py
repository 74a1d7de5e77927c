"""Execute a block's transactions one by one, under the rules of its fork."""

from typing import Any, Final, cast

from eth.abc import (
    BlockAPI,
    ChainAPI,
    ComputationAPI,
    SignedTransactionAPI,
    StateAPI,
    VirtualMachineAPI,
)
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.constants import MAX_BLOB_GAS_PER_BLOCK as CANCUN_BLOB_GAS
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.constants import MAX_BLOB_GAS_PER_BLOCK as PRAGUE_BLOB_GAS
from eth_utils.exceptions import ValidationError


class Replay:
    """A block that is executed again, or for the first time, step by step."""

    def __init__(self, chain: ChainAPI, block: BlockAPI, root: bytes) -> None:
        """Stand on the state of ``root``, with the system calls before ``block`` done."""
        header = block.header.copy(state_root=root, gas_used=0, bloom=0)
        self._machine: Final[VirtualMachineAPI] = chain.get_vm(header)
        self._blob_gas_max: Final = _blob_gas_max(self._machine)
        # Only headers from Cancun on count blob gas.
        self._header = header if self._blob_gas_max is None else header.copy(blob_gas_used=0)
        self._transactions: Final = block.transactions
        self._next = 0
        self.state: Final[StateAPI] = self._machine.state
        """The state as it is now; a tracer sets its ``computation_class``."""
        # Not in py-evm's interface, but on every machine.
        cast("Any", self._machine).block_preprocessing(block)

    @property
    def gas_used(self) -> int:
        """Gas used so far."""
        return self._header.gas_used

    def step(self, index: int) -> ComputationAPI:
        """
        Execute transaction ``index`` and return what its code did.

        Raises
        ------
        IndexError
            If it is not the next one.
        """
        if index != self._next or index >= len(self._transactions):
            raise IndexError(index)
        self._next += 1
        return self.apply(self._transactions[index])

    def apply(self, transaction: SignedTransactionAPI) -> ComputationAPI:
        """
        Execute a transaction, of the block or not, after those before it.

        Raises
        ------
        eth_utils.exceptions.ValidationError
            If it may not be executed here; it left no trace.
        """
        machine = cast("Any", self._machine)
        counted = machine.increment_blob_gas_used(self._header, transaction)
        if self._blob_gas_max is not None and counted.blob_gas_used > self._blob_gas_max:
            raise ValidationError("would exceed maximum blob gas limit")
        receipt, computation = machine.apply_transaction(self._header, transaction)
        self._header = machine.add_receipt_to_header(counted, receipt)
        return cast("ComputationAPI", computation)


def _blob_gas_max(machine: VirtualMachineAPI) -> int | None:
    """Return how much blob gas a block may use, None before Cancun (EIP-4844, EIP-7691)."""
    if isinstance(machine, PragueVM):
        return PRAGUE_BLOB_GAS
    return CANCUN_BLOB_GAS if isinstance(machine, CancunVM) else None
