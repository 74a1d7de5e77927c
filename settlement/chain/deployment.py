"""
Deploy the four contracts of a community, once, through the outbox.

Addresses follow from the deployer and its nonces, so constructor arguments are known before
anything is mined and a killed deployment goes on where it stood.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from ledger.errors import WrongState
from ledger.units import Micros
from settlement.chain.calls import Contract, creation
from settlement.chain.outbox import Call, Outbox, created_address
from settlement.chain.web3_gateway import CallRevertedError
from settlement.tables import intent, meta

_DEPLOY_GAS: Final = 8_000_000
_NO_BOND: Final = Micros(0)
_SETTLEMENT: Final = "settlement_s"
_TRADE: Final = "deploy/TradeLedger"


class SettlementChangedError(WrongState):
    """The rules settle other periods than the contract was made for."""

    def __init__(self, ours_s: int, asked_s: int) -> None:
        super().__init__(
            "settlement_changed",
            f"the TradeLedger of these books settles {ours_s} s at once, the rules say {asked_s} s",
        )


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of one community."""

    token: Contract
    """EnergyEuro, or another vetted token of 6 decimals."""
    registry: Contract
    """MeterRegistry."""
    vault: Contract
    """ChargeVault."""
    trade: Contract
    """TradeLedger."""

    def all(self) -> tuple[Contract, ...]:
        """Return the four contracts."""
        return (self.token, self.registry, self.vault, self.trade)

    def explain(self, fault: CallRevertedError) -> str:
        """Return the custom error that a call met, with its arguments, or what the node said."""
        for contract in self.all():
            decoded = contract.decode_error(fault.data)
            if decoded is not None:
                return f"{decoded.name}({', '.join(map(str, decoded.arguments.values()))})"
        return str(fault)


def hold_settlement(connection: Connection, interval_s: int, settlement_s: int) -> None:
    """
    Bind new books to the length of their settlement periods, or see that it is still the same.

    Books that were begun before there were any settle each interval.

    Raises
    ------
    SettlementChangedError
        If the length is another; the contract is made for one.
    """
    kept = connection.execute(select(meta.c.value).where(meta.c.key == _SETTLEMENT)).scalar()
    if kept is None:
        made = select(intent.c.id).where(intent.c.business_key == _TRADE)
        kept = interval_s if connection.execute(made).first() else settlement_s
        connection.execute(meta.insert().values(key=_SETTLEMENT, value=str(kept)))
    if int(kept) != settlement_s:
        raise SettlementChangedError(int(kept), settlement_s)


def plan_deployment(
    connection: Connection,
    outbox: Outbox,
    settlement_s: int,
    minimum_bond: Micros = _NO_BOND,
) -> Contracts:
    """
    Put the four creations into the outbox, under nonces 0 to 3, and return their addresses.

    Idempotent. The outbox's key becomes administrator, settler, guardian, calibrator and minter.
    Below ``minimum_bond`` the TradeLedger takes no runs; what it calls an interval has
    ``settlement_s`` seconds.
    """
    owner = outbox.address
    token, registry, vault, trade = (created_address(owner, nonce) for nonce in range(4))
    creations = (
        ("EnergyEuro", creation("EnergyEuro", owner)),
        ("MeterRegistry", creation("MeterRegistry", owner)),
        ("ChargeVault", creation("ChargeVault", token, registry)),
        ("TradeLedger", creation("TradeLedger", token, settlement_s, minimum_bond, owner)),
    )
    for name, code in creations:
        outbox.plan(
            connection,
            business_key=f"deploy/{name}",
            trace_id="deployment",
            call=Call(to=None, data=code, name=f"deploy {name}", gas=_DEPLOY_GAS),
        )
    return Contracts(
        token=Contract.at("EnergyEuro", token),
        registry=Contract.at("MeterRegistry", registry),
        vault=Contract.at("ChargeVault", vault),
        trade=Contract.at("TradeLedger", trade),
    )
