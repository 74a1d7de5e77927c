"""Everybody who writes to the contracts past the service: owners of money, and strangers."""

from random import Random
from typing import Final

from eth_account import Account

from devnet.field.keys import Wallet
from scripts.campaigns.simulator.world.chain import Node
from scripts.campaigns.simulator.world.setting import CHAIN_ID, setting
from settlement.chain.calls import Contract
from settlement.chain.deployment import Contracts
from settlement.charging.terms import SessionTerms, contract_tuple

_GAS: Final = 900_000
_SMALL: Final = 400_000
_ALLOWED: Final = 2**63


class Hands:
    """Signs and sends for wallets; what comes of it is for the chain to say."""

    def __init__(self, node: Node, contracts: Contracts, dice: Random) -> None:
        self._node: Final = node
        self._contracts: Final = contracts
        self._dice: Final = dice

    def prepare(self) -> None:
        """Let the vault take what drivers will deposit by themselves."""
        vault = self._contracts.vault.address
        for driver in setting().keys.drivers.values():
            self.send(driver, self._contracts.token, "approve", vault, _ALLOWED)

    def use_purse(self) -> None:
        """Put something into a purse, or take something out of it, whether it is there or not."""
        driver = self._dice.choice(list(setting().keys.drivers.values()))
        purse, micros = self._dice.randrange(2), self._dice.randint(1, _SMALL)
        if self._dice.randrange(2):
            self.send(driver, self._contracts.vault, "deposit", driver.address_hex, purse, micros)
        else:
            self.send(driver, self._contracts.vault, "withdraw", purse, driver.address_hex, micros)

    def collect(self) -> None:
        """Collect what stations earned, or take earnings out."""
        keys = setting().keys
        if self._dice.randrange(2):
            meters = [one.meter_id for one in keys.stations.values()]
            self.send(keys.operator, self._contracts.vault, "collect", meters)
        else:
            micros = self._dice.randint(1, _SMALL)
            to = keys.operator.address_hex
            self.send(keys.operator, self._contracts.vault, "withdrawEarned", to, micros)

    def change_membership(self) -> None:
        """Ask for money back, take it, stay after all, or set another cap."""
        member = self._dice.choice(setting().members).wallet
        trade = self._contracts.trade
        name = self._dice.choice(
            ("requestExit", "exit", "exit", "cancelExit", "setCap", "applyCap")
        )
        arguments = {
            "requestExit": (self._dice.randint(1, _SMALL),),
            "setCap": (self._dice.randint(0, 100) * 10_000,),
            "applyCap": (member.address_hex,),
        }.get(name, ())
        self.send(member, trade, name, *arguments)

    def expire(self, terms: SessionTerms, opening: tuple[object, ...]) -> None:
        """End a session by its deadline, as a stranger."""
        self._meddle("expire", contract_tuple(terms), opening)

    def close(
        self, terms: SessionTerms, opening: tuple[object, ...], payload: bytes, signature: bytes
    ) -> None:
        """End a session by its meter's record, as a stranger."""
        self._meddle("closeWithOcmf", contract_tuple(terms), opening, payload, signature)

    def _meddle(self, name: str, *arguments: object) -> None:
        self.send(setting().stranger, self._contracts.vault, name, *arguments)

    def send(self, wallet: Wallet, contract: Contract, name: str, *arguments: object) -> None:
        """Sign a call under the wallet's next nonce and give it to the node."""
        devnet = self._node.devnet
        nonce = devnet.pool.next_nonce(wallet.address, devnet.next_nonce(wallet.address))
        fields = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "gas": _GAS,
            "value": 0,
            "data": contract.encode(name, *arguments),
            "to": bytes.fromhex(contract.address[2:]),
        }
        signed = Account.from_key(wallet.private_key).sign_transaction(fields)
        self._node.take(bytes(signed.raw_transaction))
