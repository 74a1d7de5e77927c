"""
Compare every ledger account that a contract field stands behind with that field (law L8).

Both sides are read at the same final block. A difference is a break with the two numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from settlement.chain.calls import Contract
from settlement.chain.deployment import Contracts
from settlement.chain.gateway import ChainGateway


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the ledger says a contract field must hold."""

    account: str
    """Ledger account, or hold, that it comes from."""
    contract: Contract
    """Contract that holds the field."""
    function: str
    """View function that reads it."""
    arguments: tuple[object, ...]
    """Key of the field."""
    amount_micros: int
    """Amount, in micros."""


@dataclass(frozen=True, slots=True)
class Break:
    """A field that differs from its account."""

    account: str
    """Ledger account."""
    ledger_micros: int
    """What the ledger says, in micros."""
    chain_micros: int
    """What the chain says, in micros."""

    def __str__(self) -> str:
        """Say the difference in one line."""
        return f"{self.account}: ledger {self.ledger_micros}, chain {self.chain_micros}"


def read_fields(
    gateway: ChainGateway, expected: Sequence[Expectation], *, block: int
) -> tuple[int, ...]:
    """Return what each expected field holds after ``block``, in micros, asked in one round."""
    calls = [
        (one.contract.address, one.contract.encode(one.function, *one.arguments))
        for one in expected
    ]
    answers = gateway.calls_at(block, calls)
    return tuple(
        int(one.contract.decode_result(one.function, data)[0])
        for one, data in zip(expected, answers, strict=True)
    )


def reconcile(
    gateway: ChainGateway, expected: Iterable[Expectation], *, block: int
) -> tuple[Break, ...]:
    """Read each expected field as it stands after ``block``; return those that differ."""
    fields = tuple(expected)
    return tuple(
        Break(one.account, one.amount_micros, held)
        for one, held in zip(fields, read_fields(gateway, fields, block=block), strict=True)
        if held != one.amount_micros
    )


def token_held(gateway: ChainGateway, contracts: Contracts, holder: str) -> int:
    """Return the token balance of ``holder``, in micros."""
    return _read(gateway, contracts.token, "balanceOf", (holder,))


def purse_deposit(gateway: ChainGateway, contracts: Contracts, driver: str, purse: int) -> int:
    """Return the deposit that a driver's purse holds, in micros; 0 if no session runs in it."""
    return _read(gateway, contracts.vault, "depositOf", (driver, purse))


def _read(
    gateway: ChainGateway, contract: Contract, function: str, arguments: tuple[object, ...]
) -> int:
    data = gateway.call(contract.address, contract.encode(function, *arguments))
    return int(contract.decode_result(function, data)[0])
