"""Everybody who writes to the contracts past the service: owners of money, and strangers."""

from random import Random
from typing import Final

from eth_account import Account

from contracts.typed_data import Domain, digest, hash_struct, sign
from devnet.field.keys import Wallet
from devnet.field.service import Authorization, Places, authorize
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds
from scripts.campaigns.simulator.world.chain import Node
from scripts.campaigns.simulator.world.setting import CHAIN_ID, setting
from settlement.chain.calls import Contract
from settlement.chain.deployment import Contracts
from settlement.charging.terms import Opening, SessionTerms, contract_tuple, session_id

_GAS: Final = 900_000
_SMALL: Final = 400_000
_ALLOWED: Final = 2**63
_EXITS: Final = ("exit", "cancelExit")
_MEMBERSHIP: Final = ("requestExit", *_EXITS, "exit", "setCap", "applyCap")

Proof = tuple[bytes, bytes]
"""A meter's payload and its signature."""


class Hands:
    """Signs and sends for wallets; what comes of it is for the chain to say."""

    def __init__(self, node: Node, contracts: Contracts, dice: Random) -> None:
        self._node: Final = node
        self._contracts: Final = contracts
        self._dice: Final = dice
        self._leaving: Wallet | None = None
        self.past: Final[list[tuple[SessionTerms, Opening]]] = []
        """Sessions that the service was not asked for."""

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
        name = self._dice.choice(_MEMBERSHIP)
        if name in _EXITS and self._leaving is not None:
            member = self._leaving
        if name == "requestExit":
            self._leaving = member
        arguments = {
            "requestExit": (self._dice.randint(1, _SMALL),),
            "setCap": (self._dice.randint(0, 100) * 10_000,),
            "applyCap": (member.address_hex,),
        }.get(name, ())
        self.send(member, trade, name, *arguments)

    def open_past_the_service(self, now_s: int) -> None:
        """Open a session that nobody asked the service for."""
        keys = setting().keys
        driver = self._dice.choice(list(keys.drivers.values()))
        terms = SessionTerms(
            driver=driver.address_hex,
            purse=self._dice.randrange(2),
            operator=keys.operator.address_hex,
            meter_id=self._dice.choice(list(keys.stations.values())).meter_id_hex,
            id_tag="PAST-THE-SERVICE",
            price_micros_per_kwh=MicrosPerKilowattHour(100_000),
            flat_micros=Micros(0),
            deposit_micros=Micros(self._dice.randint(1, _SMALL)),
            tariff_fingerprint="0x" + "7f" * 32,
            deadline_s=UnixSeconds(now_s + self._dice.randint(1_000, 20_000)),
            salt="0x" + self._dice.randbytes(32).hex(),
        )
        seal = self._leave(driver, terms.deposit_micros, session_id(terms))
        self._meddle("open", contract_tuple(terms), seal)
        page = self._node.page_of(self._contracts.vault, terms.meter_id)
        opening = Opening(
            UnixSeconds(self._node.devnet.head.header.timestamp), page, from_wallet=True
        )
        self.past.append((terms, opening))

    def expire_past(self, now_s: int) -> None:
        """Give a deposit back that the service never heard of."""
        for terms, opening in self.past:
            if terms.deadline_s <= now_s:
                self.past.remove((terms, opening))
                self.expire(terms, opening.contract_tuple())
                return

    def top_up(self, terms: SessionTerms, opening: tuple[object, ...], held: int) -> None:
        """Raise the deposit of a running session, as its driver."""
        amount = self._dice.randint(1, _SMALL)
        nonce = hash_struct(
            "TopUp",
            {"sessionId": session_id(terms), "depositMicros": held, "amountMicros": amount},
        )
        seal = self._leave(_driver(terms), Micros(amount), nonce)
        self._meddle("topUp", contract_tuple(terms), opening, amount, seal)

    def close_cosigned(
        self,
        terms: SessionTerms,
        opening: tuple[object, ...],
        proof: Proof,
        held: int,
    ) -> None:
        """End a session with a total that its driver signed, which may be more than the bill."""
        total = self._dice.randint(0, held)
        domain = Domain("Voisin", "1", CHAIN_ID, self._contracts.vault.address)
        values = {"sessionId": session_id(terms), "totalMicros": total}
        signed = sign(digest(domain, "SessionTotal", values), _driver(terms).private_key)
        self._meddle("closeCosigned", contract_tuple(terms), opening, *proof, total, signed)

    def _leave(self, wallet: Wallet, amount: Micros, nonce: bytes) -> tuple[object, ...]:
        """Return leave for the vault to take an amount, as the contracts take it."""
        contracts = self._contracts
        places = Places(
            CHAIN_ID, contracts.token.address, contracts.vault.address, contracts.trade.address
        )
        given = Authorization(
            wallet.address_hex, contracts.vault.address, amount, 0, _ALLOWED, nonce
        )
        seal = authorize(given, wallet, places)
        return (0, _ALLOWED, seal[64], seal[:32], seal[32:64])

    def expire(self, terms: SessionTerms, opening: tuple[object, ...]) -> None:
        """End a session by its deadline, as a stranger."""
        self._meddle("expire", contract_tuple(terms), opening)

    def close(self, terms: SessionTerms, opening: tuple[object, ...], proof: Proof) -> None:
        """End a session by its meter's record, as a stranger."""
        self._meddle("closeWithOcmf", contract_tuple(terms), opening, *proof)

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


def _driver(terms: SessionTerms) -> Wallet:
    drivers = setting().keys.drivers.values()
    return next(one for one in drivers if one.address_hex == terms.driver)
