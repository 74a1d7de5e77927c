"""Put the contracts on a chain of their own and act on them with one key, a step at a time."""

from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

from devnet.field.drivers import Terms
from devnet.field.events import FiscalSlice, SessionStops
from devnet.field.keys import Curve, MeterKey, Role, Wallet, meter_key, wallet_of
from devnet.field.ocmf import OcmfMeter
from devnet.field.service import Authorization, Places, authorize
from devnet.node.chain import Devnet
from devnet.store.history import Mined
from devnet.tracing.calls import Call, call
from ledger.clock import ReplayClock
from ledger.units import Micros, UnixSeconds, WattHours, Watts
from scripts.benchmarks.rows import BenchmarkInvalidError
from settlement.chain.calls import Contract, creation
from settlement.chain.outbox import created_address
from settlement.metering import signatures
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain

START_S: Final = UnixSeconds(1_494_230_400)
INTERVAL_S: Final = 3_600
FOREVER_S: Final = START_S + 10 * 366 * 86_400

NOBODY: Final = "0x" + "77" * 20
"""An account that does nothing."""

_SEED: Final = 1
_KEY: Final = b"\x11" * 32
_GAS: Final = 8_000_000
_SESSION_WH: Final = 5_000
_PRICE: Final = 391_700
_DEPOSIT_MICROS: Final = Micros(5_000_000)
_PURSE_MICROS: Final = 10**12
_RATED_W: Final = Watts(7_400)


@dataclass(slots=True)
class Meter:
    """A station's meter, its key and where its register and its pages stand."""

    key: MeterKey
    """Its key."""
    pages: int = 0
    """Records written."""
    register_wh: int = 250_000
    """Import register, in Wh."""


@dataclass(frozen=True, slots=True)
class Closing:
    """A session that is open, and the call that ends it."""

    opened: Mined
    """The transaction that opened it."""
    data: bytes
    """Call data of ``closeWithOcmf``."""


class Stage:
    """A community's contracts; one key deploys, enrols, mints, settles and pays for nothing."""

    def __init__(self, devnet: Devnet, clock: ReplayClock) -> None:
        """Deploy the four contracts and fill a driver's purse."""
        self._devnet: Final = devnet
        self._clock: Final = clock
        self._account: Final[LocalAccount] = Account.from_key(_KEY)
        self._nonces: Final = count()
        self._salts: Final = count(1)
        self._owner: Final = str(self._account.address).lower()
        addresses = [created_address(self._owner, nonce) for nonce in range(4)]
        token, registry, vault, trade = addresses
        self.token: Final = Contract.at("EnergyEuro", token)
        self.registry: Final = Contract.at("MeterRegistry", registry)
        self.vault: Final = Contract.at("ChargeVault", vault)
        self.trade: Final = Contract.at("TradeLedger", trade)
        self.places: Final = Places(devnet.genesis.chain_id, token, vault, trade)
        self.mined: Final[list[Mined]] = []
        self._driver: Final = wallet_of(_SEED, "driver")
        self._operator: Final = wallet_of(_SEED, "operator")
        for code in (
            creation("EnergyEuro", self._owner),
            creation("MeterRegistry", self._owner),
            creation("ChargeVault", token, registry),
            creation("TradeLedger", token, INTERVAL_S, 0, self._owner),
        ):
            self.send(None, code)
        self.fund(self._driver)

    def send(self, to: str | None, data: bytes) -> Mined:
        """
        Mine a transaction and return what became of it.

        Raises
        ------
        BenchmarkInvalidError
            If the contract refused it.
        """
        return self.mine(self.sign(to, data))

    def nothing(self) -> Mined:
        """Mine a transaction that does nothing."""
        return self.send(NOBODY, b"")

    def send_as(self, wallet: Wallet, to: str, data: bytes) -> Mined:
        """
        Mine a transaction of somebody else.

        Raises
        ------
        BenchmarkInvalidError
            If the contract refused it.
        """
        account: LocalAccount = Account.from_key(wallet.private_key)
        nonce = self._devnet.next_nonce(wallet.address)
        return self.mine(self._signed(account, nonce, to, data))

    @property
    def now_s(self) -> UnixSeconds:
        """Where the domain clock stands."""
        return self._clock.now_s()

    @property
    def head_s(self) -> int:
        """Time of the newest block, in Unix seconds."""
        return self._devnet.head.header.timestamp

    def sign(self, to: str | None, data: bytes) -> bytes:
        """Sign the next transaction; it must be mined before another one is signed."""
        return self._signed(self._account, next(self._nonces), to, data)

    def _signed(self, account: LocalAccount, nonce: int, to: str | None, data: bytes) -> bytes:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._devnet.genesis.chain_id,
            "nonce": nonce,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "gas": _GAS,
            "value": 0,
            "data": data,
        }
        if to is not None:
            fields["to"] = bytes.fromhex(to[2:])
        return bytes(account.sign_transaction(fields).raw_transaction)

    def mine(self, raw: bytes) -> Mined:
        """
        Mine a signed transaction and return what became of it.

        Raises
        ------
        BenchmarkInvalidError
            If the contract refused it.
        """
        found = self._devnet.mined(bytes.fromhex(self._devnet.send_raw(raw)[2:]))
        if found is None or not found.succeeded:
            raise BenchmarkInvalidError("a contract refused a transaction")
        self.mined.append(found)
        return found

    def try_out(self, contract: Contract, data: bytes) -> bytes:
        """Return what a call would return in the next block, as ``eth_call`` finds out."""
        request = Call(
            sender=bytes.fromhex(self._owner[2:]),
            to=bytes.fromhex(contract.address[2:]),
            data=data,
            value=0,
            gas=_GAS,
        )
        number = self._devnet.head_number
        return call(self._devnet.scratch(number, self._devnet.next_header()), request)

    def fund(self, wallet: Wallet) -> None:
        """Mint demonstration money into a wallet."""
        data = self.token.encode("mint", wallet.address_hex, _PURSE_MICROS)
        self.send(self.token.address, data)

    def enrol(self, name: str, curve: Curve, role: Role = Role.STATION_METER) -> Meter:
        """Enrol a meter with a key on ``curve``, which earns for the operator."""
        key = meter_key(_SEED, role, name, curve, _RATED_W)
        data = self.registry.encode(
            "enrol",
            key.meter_id,
            int(key.kind),
            int(key.curve),
            key.public_key[:32],
            key.public_key[32:],
            key.rated_power_w,
            START_S - 1,
            FOREVER_S,
        )
        self.send(self.registry.address, data)
        assigned = self.registry.encode("assign", key.meter_id, self._operator.address_hex)
        self.send(self.registry.address, assigned)
        self.send(self.vault.address, self.vault.encode("bind", key.meter_id))
        return Meter(key)

    def authorize(self, wallet: Wallet, payee: Contract, micros: Micros, nonce: bytes) -> bytes:
        """Sign leave for a contract to take money (ERC-3009): r, s, v."""
        leave = Authorization(wallet.address_hex, payee.address, micros, 0, FOREVER_S, nonce)
        return authorize(leave, wallet, self.places)

    def open_session(self, meter: Meter) -> Closing:
        """Open a session, let its hour pass, and return the call that ends it."""
        terms = self.terms(meter)
        begin_s = self._clock.now_s()
        seal = self.authorize(self._driver, self.vault, _DEPOSIT_MICROS, terms.session_id)
        data = self.vault.encode("open", terms_tuple(terms), (0, FOREVER_S, *split(seal)))
        page = meter.pages
        opened = self.send(self.vault.address, data)
        opening = (self._devnet.head.header.timestamp, page, True)
        self.pass_time(INTERVAL_S)
        return Closing(opened, self.record_closing(meter, terms, opening, begin_s))

    def pass_time(self, seconds: int) -> None:
        """Move the domain clock on; blocks may have run ahead of it, one second each."""
        now_s = max(self._clock.now_s(), self._devnet.head.header.timestamp)
        self._clock.set(UnixSeconds(now_s + seconds))

    def terms(self, meter: Meter) -> Terms:
        """Return terms of the first driver at a meter, to be opened from its wallet."""
        salt = next(self._salts).to_bytes(32)[::-1]
        return Terms(
            driver=self._driver.address_hex,
            purse=0,
            operator=self._operator.address_hex,
            meter_id=meter.key.meter_id,
            id_tag=salt.hex()[:20].upper(),
            price_micros_per_kwh=_PRICE,
            flat_micros=0,
            deposit_micros=_DEPOSIT_MICROS,
            tariff_fingerprint=b"\x7f" * 32,
            deadline_s=self._clock.now_s() + 30 * 86_400,
            salt=salt,
        )

    def record_closing(
        self, meter: Meter, terms: Terms, opening: tuple[int, int, bool], begin_s: UnixSeconds
    ) -> bytes:
        """Return the call that closes a session with its meter's record, an hour after it began."""
        begin_wh = WattHours(meter.register_wh)
        meter.register_wh += _SESSION_WH
        meter.pages += 1
        end_s, end_wh = self._clock.now_s(), WattHours(meter.register_wh)
        stop = SessionStops(
            at_s=end_s,
            station="bench",
            session="bench",
            page=meter.pages,
            begin_s=begin_s,
            begin_wh=begin_wh,
            end_wh=end_wh,
            slice=FiscalSlice(meter.pages, begin_s, end_s, begin_wh, end_wh),
        )
        record = parse_record(OcmfMeter(meter.key, "bench").transaction_record(stop, terms.id_tag))
        known = signatures.MeterKey(
            curve=signatures.Curve(meter.key.curve.name.lower()),
            public_key=meter.key.public_key,
            kind=signatures.MeterKind.STATION,
            rated_power_w=meter.key.rated_power_w,
            valid_from_s=START_S,
            valid_until_s=UnixSeconds(FOREVER_S),
        )
        signature = signature_for_chain(record, known)
        return self.vault.encode(
            "closeWithOcmf", terms_tuple(terms), opening, record.payload, signature
        )


def split(signature: bytes) -> tuple[int, bytes, bytes]:
    """Return v, r and s of a signature r, s, v, as the contracts take them."""
    return signature[64], signature[:32], signature[32:64]


def terms_tuple(terms: Terms) -> tuple[object, ...]:
    """Return the terms as the contract takes them."""
    return (
        terms.driver,
        terms.purse,
        terms.operator,
        terms.meter_id,
        terms.id_tag,
        terms.price_micros_per_kwh,
        terms.flat_micros,
        terms.deposit_micros,
        terms.tariff_fingerprint,
        terms.deadline_s,
        terms.salt,
    )
