"""Apply transactions to a flat state, as Prague says (EIP-1559, 3529, 3651, 7623, 7702)."""

from typing import Any, Final, cast

from eth._utils.address import generate_contract_address
from eth.abc import ComputationAPI, MessageAPI, SignedTransactionAPI
from eth.vm.forks.prague.state import PragueTransactionExecutor
from eth.vm.message import Message
from eth_typing import Address

from devnet.engine.machine import FlatComputation
from devnet.engine.state import FlatState
from devnet.engine.transactions import Transaction

_REFUND_QUOTIENT: Final = 5  # EIP-3529


class FlatExecutor(PragueTransactionExecutor):
    """py-evm's executor of Prague without its checks, which admission makes, and its log texts."""

    vm_state: FlatState

    def __call__(self, transaction: SignedTransactionAPI) -> ComputationAPI:
        """Apply ``transaction``, whose sender can pay and whose nonce fits."""
        state = self.vm_state
        state.lock_changes()
        message = self.build_evm_message(transaction)
        computation = self.build_computation(message, transaction)
        self.finalize_computation(transaction, computation)
        state.clear_transient_storage()
        return computation

    def build_evm_message(self, transaction: SignedTransactionAPI) -> MessageAPI:
        """Take the gas from the sender, count its nonce, and return the first message."""
        state = self.vm_state
        sender, to = transaction.sender, transaction.to
        state.delta_balance(sender, -transaction.gas * state.get_gas_price(transaction))
        nonce = state.get_nonce(sender)
        state.increment_nonce(sender)
        refund = self.calc_message_refund(transaction) if transaction.type_id else 0
        gas = transaction.gas - transaction.intrinsic_gas
        if not to:
            address = generate_contract_address(sender, nonce)
            return Message(
                gas=gas,
                to=to,
                sender=sender,
                value=transaction.value,
                data=b"",
                code=transaction.data,
                create_address=address,
                refund=refund,
            )
        code, delegate = self.get_code_at_address(to)
        return Message(
            gas=gas,
            to=to,
            sender=sender,
            value=transaction.value,
            data=transaction.data,
            code=code,
            refund=refund,
            is_delegation=delegate is not None,
        )

    def finalize_computation(
        self, transaction: SignedTransactionAPI, computation: ComputationAPI
    ) -> ComputationAPI:
        """Give back the gas that is left, pay the tip, and delete what deleted itself."""
        state = self.vm_state
        left = computation.get_gas_remaining()
        used = transaction.gas - left
        refund = min(computation.get_gas_refund(), used // _REFUND_QUOTIENT)
        floor = self.calc_data_floor_gas(transaction, used, refund)
        # data_floor_gas is not in py-evm's interface.
        cast("Any", computation).data_floor_gas = floor
        price = state.get_gas_price(transaction)
        if price:
            state.delta_balance(transaction.sender, (left + refund - floor) * price)
            charged = used - refund + floor
            state.delta_balance(state.coinbase, charged * state.get_tip(transaction))
        for account in computation.get_accounts_for_deletion():
            state.delete_account(account)
        return computation


def apply(state: FlatState, transaction: Transaction) -> ComputationAPI:
    """
    Apply ``transaction`` to ``state`` and return how it went.

    The caller has checked that it may enter a block; a contract that refuses is an outcome.
    """
    # The executor is written against py-evm's own transaction class; ours has what it reads.
    return FlatExecutor(state)(cast("SignedTransactionAPI", transaction))


def address_made_by(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract made by the ``nonce``-th transaction of ``sender``."""
    return bytes(generate_contract_address(Address(sender), nonce))


# The state names its machine here, because the machine is above it.
FlatState.computation_class = FlatComputation
FlatState.transaction_executor_class = FlatExecutor
