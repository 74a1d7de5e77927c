"""A deployed community on the repository's own devnet, and throw-away forks of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import coincurve
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from eth_account import Account
from hypothesis import settings

from contracts.typed_data import Domain, digest, hash_struct, sign
from devnet.engine.blocks import Header
from devnet.field.keys import Curve, MeterKey, Role, Wallet, meter_key, wallet_of
from devnet.field.service import Authorization, Places, authorize
from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from devnet.store.history import Mined
from devnet.tracing.calls import Call, attempt
from ledger.clock import ReplayClock
from ledger.errors import UnverifiedReading
from ledger.units import Micros, UnixSeconds, WattHours, Watts
from settlement.chain.calls import Contract, Decoded, creation
from settlement.chain.deployment import Contracts
from settlement.chain.gateway import Log
from settlement.charging.records import RecordContext, SessionEnergy, energy_proven
from settlement.charging.terms import (
    Opening,
    SessionTerms,
    contract_tuple,
    session_id,
    terms_values,
)
from settlement.metering import signatures
from settlement.metering.ocmf import OcmfRecord
from settlement.metering.ocmf_energy import energy_wh

CHAIN_ID = 1_337
INTERVAL_S = 900
START_S = UnixSeconds(1_760_400_000)
FAR_S = START_S + 20_000 * 86_400
SEED = 20_251_014
GAS = 10_000_000
ZERO = bytes(32)
NOBODY = bytes.fromhex("00000000000000000000000000000000000a11ce")
FUNDS = 10**15


def law(examples):
    """Return the settings of a property that runs the chain; the same examples on each run."""
    return settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, print_blob=False
    )


@dataclass(frozen=True)
class Result:
    """What a transaction did."""

    events: tuple[Decoded, ...]
    error: str | None
    """Name of the custom error, or what the machine said; None if it succeeded."""
    arguments: Mapping[str, Any]
    """Arguments of the custom error."""
    output: bytes
    """What it returned, or the reason of a revert."""

    def event(self, name: str) -> Mapping[str, Any]:
        """Return the arguments of the one event ``name``."""
        (found,) = [event for event in self.events if event.name == name]
        return found.arguments


def holder(key: Wallet | bytes | str) -> bytes:
    """Return an address as 20 bytes."""
    if isinstance(key, Wallet):
        return key.address
    return bytes.fromhex(key[2:]) if isinstance(key, str) else key


def sign_payload(key: MeterKey, payload: bytes) -> bytes:
    """Sign a payload as the vault takes it: r, s and v on secp256k1, r, s, x and y on P-256."""
    if key.curve is Curve.SECP256K1:
        hashed = hashlib.sha256(payload).digest()
        signed = coincurve.PrivateKey(key.private_key).sign_recoverable(hashed, hasher=None)
        return signed[:64] + bytes([signed[64] + 27])
    secret = ec.derive_private_key(int.from_bytes(key.private_key), ec.SECP256R1())
    r, s = decode_dss_signature(
        secret.sign(payload, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    )
    return r.to_bytes(32) + s.to_bytes(32) + key.public_key


def record_text(key: MeterKey, payload: str) -> str:
    """Return the whole record: payload and signature as a meter writes them, in DER."""
    raw = sign_payload(key, payload.encode())
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:64]))
    algorithm = f"ECDSA-{key.curve.name.lower()}-SHA256"
    return f'OCMF|{payload}|{{"SA":"{algorithm}","SD":"{signature.hex().upper()}"}}'


def known_key(meter: MeterKey) -> signatures.MeterKey:
    """Return a meter's key as settlement knows it."""
    return signatures.MeterKey(
        curve=signatures.Curve(meter.curve.name.lower()),
        public_key=meter.public_key,
        kind=signatures.MeterKind.STATION,
        rated_power_w=meter.rated_power_w,
        valid_from_s=START_S,
        valid_until_s=UnixSeconds(FAR_S),
    )


def judge(
    record: OcmfRecord, terms: SessionTerms, *, elapsed_s: int, power_w: int
) -> SessionEnergy:
    """
    Return what settlement finds in the record of a session that it would close.

    The fiscal records of the session are taken to agree with it.

    Raises
    ------
    UnverifiedReading
        If settlement refuses the record.
    """
    try:
        slices_wh = energy_wh(record)
    except UnverifiedReading:
        # Whatever makes the energy unreadable is named again by the judgment below.
        slices_wh = WattHours(0)
    context = RecordContext(
        id_tag=terms.id_tag,
        page_at_open=0,
        previous_end_wh=None,
        rated_power_w=Watts(power_w),
        opened_s=START_S,
        now_s=UnixSeconds(START_S + elapsed_s),
        slices_wh=slices_wh,
    )
    return energy_proven(record, context)


class Fork:
    """A copy of the chain that is thrown away; transactions need no key and cost nothing."""

    def __init__(self, world: "World", now_s: int, base: Header) -> None:
        self.world = world
        self._now_s = now_s
        self._base = base
        self._state = world.node.scratch(base.block_number, replace(base, timestamp=now_s))
        self._openings: dict[bytes, Opening] = {}

    @property
    def now_s(self) -> int:
        return self._now_s

    @property
    def state(self):
        """The state of the copy, for what no call can bring about."""
        return self._state

    def move_to(self, now_s: int) -> "Fork":
        """Let time pass; what was done so far stays."""
        later = self.world.node.scratch(
            self._base.block_number, replace(self._base, timestamp=now_s)
        )
        self._now_s = now_s
        self._state.execution_context = later.execution_context
        return self

    def branch(self) -> "Fork":
        """Return a fork of this one, as it is now."""
        twin = Fork(self.world, self._now_s, self._base)
        changes = self._state.changes()
        twin._state._accounts.update(changes.accounts)
        twin._state._storage.update({who: dict(slots) for who, slots in changes.storage.items()})
        twin._state._codes.update(self._state._codes)
        twin._openings.update(self._openings)
        return twin

    def send(self, sender, contract: Contract, function: str, *arguments: object) -> Result:
        """Call ``function`` as ``sender``; an error changes nothing."""
        return self.send_raw(sender, contract, contract.encode(function, *arguments))

    def send_raw(self, sender, contract: Contract, data: bytes) -> Result:
        request = Call(sender=holder(sender), to=holder(contract.address), data=data, gas=GAS)
        done = attempt(self._state, request)
        logs = [(log.address, log.topics, log.data) for log in done.logs]
        return self.world.result([] if done.error else logs, done.error, done.output)

    def ok(self, sender, contract: Contract, function: str, *arguments: object) -> Result:
        """Call ``function``, which must succeed."""
        result = self.send(sender, contract, function, *arguments)
        assert result.error is None, (result.error, dict(result.arguments))
        return result

    def get(self, contract: Contract, function: str, *arguments: object) -> Any:
        """Return what a view function returns; a single value without its tuple."""
        values = contract.decode_result(
            function, self.ok(NOBODY, contract, function, *arguments).output
        )
        return values[0] if len(values) == 1 else values

    def enrol(self, meter: MeterKey, **changes: int) -> None:
        """Enrol a meter and let it earn for the operator."""
        world = self.world
        self.ok(world.owner, world.registry, "enrol", *enrol_arguments(meter, **changes))
        self.ok(world.owner, world.registry, "assign", meter.meter_id, world.operator.address)
        self.ok(NOBODY, world.vault, "bind", meter.meter_id)

    def open(self, terms: SessionTerms) -> Result:
        """Open a session with its driver's own authorization."""
        world = self.world
        return self.note(
            terms, self.send(NOBODY, world.vault, "open", *world.open_arguments(terms))
        )

    def note(self, terms: SessionTerms, result: Result) -> Result:
        """Remember how a session was opened, if it was."""
        for one in result.events:
            if one.name == "SessionOpened":
                page, from_wallet = one.arguments["pageAtOpen"], one.arguments["fromWallet"]
                self.remember(terms, page, from_wallet=from_wallet)
        return result

    def remember(self, terms: SessionTerms, page: int, *, from_wallet: bool) -> None:
        """Remember that a session was opened now."""
        opening = Opening(UnixSeconds(self.now_s), page, from_wallet=from_wallet)
        self._openings[session_id(terms)] = opening

    def opening(self, terms: SessionTerms) -> tuple[object, ...]:
        """Return how a session was opened, as the vault takes it; all zero if it was not."""
        found = self._openings.get(session_id(terms), Opening(UnixSeconds(0), 0, from_wallet=False))
        return found.contract_tuple()

    def expire(self, terms: SessionTerms, sender=NOBODY) -> Result:
        """Give an overdue deposit back."""
        arguments = (contract_tuple(terms), self.opening(terms))
        return self.send(sender, self.world.vault, "expire", *arguments)

    def is_open(self, terms: SessionTerms) -> bool:
        """Return whether the session's deposit is held."""
        arguments = (contract_tuple(terms), self.opening(terms))
        return self.get(self.world.vault, "isOpen", *arguments)

    def reading_close(
        self, terms: SessionTerms, reading: tuple[int, int, int], signature: bytes | None = None
    ) -> Result:
        """Close a session with a gateway's reading, signed by it unless given."""
        if signature is None:
            signature = self.world.reading_signature(terms, reading)
        arguments = (contract_tuple(terms), self.opening(terms), reading, signature)
        return self.send(NOBODY, self.world.vault, "close", *arguments)

    def open_standing(self, terms: SessionTerms) -> Result:
        """Open a session from its driver's standing balance, with the driver's signature."""
        arguments = (contract_tuple(terms), self.world.terms_signature(terms))
        return self.note(terms, self.send(NOBODY, self.world.vault, "openFromBalance", *arguments))

    def stand(self, driver: Wallet, amount: int, purse: int = 0) -> Result:
        """Let a driver put money into a purse."""
        self.ok(driver, self.world.token, "approve", self.world.vault.address, amount)
        return self.ok(driver, self.world.vault, "deposit", driver.address, purse, amount)

    def purse(self, terms: SessionTerms) -> tuple[int, int]:
        """Return what the session's purse holds free and as deposit."""
        arguments = (terms.driver, terms.purse)
        return tuple(
            self.get(self.world.vault, name, *arguments) for name in ("freeOf", "depositOf")
        )

    def close(self, terms: SessionTerms, payload: bytes, signature: bytes | None = None) -> Result:
        """Close a session with a payload, signed by the meter of the terms unless given."""
        if signature is None:
            signature = sign_payload(self.world.meter_of(terms), payload)
        arguments = (contract_tuple(terms), self.opening(terms), payload, signature)
        return self.send(NOBODY, self.world.vault, "closeWithOcmf", *arguments)

    def token(self, account) -> int:
        return self.get(self.world.token, "balanceOf", holder(account))


class World:
    """Four contracts, meters of both curves, funded wallets, members and an institution."""

    def __init__(self, directory: Path) -> None:
        self.clock = ReplayClock(START_S)
        genesis = Genesis(chain_id=CHAIN_ID, timestamp_s=UnixSeconds(START_S - 1))
        self.node = Devnet.open(directory, genesis, self.clock)
        self.owner, self.operator = (wallet_of(SEED, name) for name in ("owner", "operator"))
        self.drivers = tuple(wallet_of(SEED, f"driver-{n}") for n in range(4))
        self.members = tuple(
            sorted((wallet_of(SEED, f"member-{n}") for n in range(6)), key=lambda w: w.address)
        )
        self.institution = wallet_of(SEED, "grid-operator")
        self.k1 = meter_key(SEED, Role.STATION_METER, "k1", Curve.SECP256K1, Watts(22_000))
        self.r1 = meter_key(SEED, Role.STATION_METER, "r1", Curve.SECP256R1, Watts(22_000))
        self.wide = meter_key(SEED, Role.STATION_METER, "wide", Curve.SECP256K1, Watts(2**24 - 1))
        self.gateway = meter_key(SEED, Role.GATEWAY, "home", Curve.SECP256K1, Watts(9_000))
        self._deploy()
        self._populate()
        self.base = self.node.head.header

    def _deploy(self) -> None:
        token = self.create("EnergyEuro", self.owner.address)
        registry = self.create("MeterRegistry", self.owner.address)
        vault = self.create("ChargeVault", token.address, registry.address)
        trade = self.create("TradeLedger", token.address, INTERVAL_S, 0, self.owner.address)
        self.contracts = Contracts(token, registry, vault, trade)
        self.token, self.registry, self.vault, self.trade = self.contracts.all()
        self.places = Places(CHAIN_ID, token.address, vault.address, trade.address)

    def _populate(self) -> None:
        for meter in (self.k1, self.r1, self.wide, self.gateway):
            self.send(self.owner, self.registry, "enrol", *enrol_arguments(meter))
            self.send(self.owner, self.registry, "assign", meter.meter_id, self.operator.address)
            self.send(NOBODY_WALLET, self.vault, "bind", meter.meter_id)
        wallets = [one.address for one in (*self.drivers, *self.members)]
        self.send(self.owner, self.token, "mintBatch", wallets, [FUNDS] * len(wallets))
        for member in self.members:
            arguments = self.join_arguments(member, cap=1_000_000, amount=5_000_000)
            self.send(NOBODY_WALLET, self.trade, "join", *arguments)
        self.send(self.owner, self.trade, "joinInstitution", self.institution.address)

    def fork(self, now_s: int = START_S + 3_600, base: Header | None = None) -> Fork:
        """Return a fork of the community as it was set up, or after the block of ``base``."""
        return Fork(self, now_s, base or self.base)

    def create(self, name: str, *arguments: object) -> Contract:
        address = self.mine(self.owner, None, creation(name, *arguments)).contract_address
        return Contract.at(name, "0x" + address.hex())

    def send(self, sender: Wallet, contract: Contract, function: str, *arguments) -> Result:
        """Mine a signed transaction, which must succeed, and return what it did."""
        mined = self.mine(sender, contract.address, contract.encode(function, *arguments))
        assert mined.succeeded, function
        logs = [(log.address, log.topics, log.data) for log in mined.logs]
        return self.result(logs, None, b"")

    def mine(self, sender: Wallet, to: str | None, data: bytes) -> Mined:
        fields = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": self.node.next_nonce(holder(sender.address)),
            "gas": GAS,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "value": 0,
            "data": data,
        } | ({} if to is None else {"to": holder(to)})
        signed = Account.from_key(sender.private_key).sign_transaction(fields)
        sent = self.node.send_raw(bytes(signed.raw_transaction))
        return self.node.mined(bytes.fromhex(sent[2:]))

    def get(self, contract: Contract, function: str, *arguments: object) -> Any:
        """Return what a view function returns at the head of the mined chain."""
        request = Call(
            sender=NOBODY,
            to=holder(contract.address),
            data=contract.encode(function, *arguments),
            value=0,
            gas=GAS,
        )
        outcome = attempt(self.node.scratch(self.node.head_number), request)
        assert outcome.error is None
        values = contract.decode_result(function, outcome.output)
        return values[0] if len(values) == 1 else values

    def result(self, logs, error, output: bytes) -> Result:
        """Name events and errors by the contracts' own ABIs."""
        if error is not None:
            found = next(filter(None, (c.decode_error(output) for c in self.contracts.all())), None)
            if found is None:
                return Result((), f"{type(error).__name__} {output.hex()}", {}, output)
            return Result((), found.name, found.arguments, output)
        events = (self._event(*log) for log in logs)
        return Result(tuple(filter(None, events)), None, {}, output)

    def _event(self, address, topics, data) -> Decoded | None:
        speaker = next((c for c in self.contracts.all() if holder(c.address) == address), None)
        if speaker is None:
            return None
        words = tuple(t if isinstance(t, bytes) else t.to_bytes(32) for t in topics)
        where = {"block_number": 0, "block_hash": "", "transaction_hash": "", "log_index": 0}
        return speaker.decode_event(Log(**where, address="", topics=words, data=bytes(data)))

    def meter_of(self, terms: SessionTerms) -> MeterKey:
        meters = (self.k1, self.r1, self.wide, self.gateway)
        return next(one for one in meters if one.meter_id_hex == terms.meter_id)

    def terms(self, salt: str, **changes: object) -> SessionTerms:
        """Return terms of the first driver on the secp256k1 meter, changed by ``changes``."""
        plain = SessionTerms(
            driver=self.drivers[0].address_hex,
            purse=0,
            operator=self.operator.address_hex,
            meter_id=self.k1.meter_id_hex,
            id_tag="TAG" + salt.upper()[:17],
            price_micros_per_kwh=391_700,
            flat_micros=Micros(500_000),
            deposit_micros=Micros(20_000_000),
            tariff_fingerprint="0x" + hashlib.sha256(b"tariff").hexdigest(),
            deadline_s=UnixSeconds(START_S + 86_400),
            salt="0x" + hashlib.sha256(salt.encode()).hexdigest(),
        )
        return replace(plain, **changes)

    def standing(self, salt: str, number: int, **changes: object) -> SessionTerms:
        """Return terms from a standing balance: the salt is the number of the purse's session."""
        return replace(self.terms(salt, **changes), salt="0x" + number.to_bytes(32).hex())

    def signature(
        self, signer: Wallet | MeterKey, name: str, values: Mapping[str, object]
    ) -> bytes:
        """Sign typed data for the vault: r, s, v."""
        domain = Domain("Voisin", "1", CHAIN_ID, self.vault.address)
        return sign(digest(domain, name, values), signer.private_key)

    def terms_signature(self, terms: SessionTerms, signer: Wallet | None = None) -> bytes:
        """Sign terms as their driver, for a standing balance."""
        values = terms_values(terms)
        return self.signature(signer or self.wallet(terms.driver), "SessionTerms", values)

    def reading_signature(
        self, terms: SessionTerms, reading: tuple[int, int, int], meter: MeterKey | None = None
    ) -> bytes:
        """Sign what a gateway measured of a session: begin and end in Wh, and when it ended."""
        values = dict(zip(("beginWh", "endWh", "endedAt"), reading, strict=True))
        values |= {"sessionId": session_id(terms), "meterId": bytes.fromhex(terms.meter_id[2:])}
        return self.signature(meter or self.meter_of(terms), "SessionReading", values)

    def open_arguments(self, terms: SessionTerms, payee: str | None = None) -> tuple[object, ...]:
        """Return terms, validity and the driver's signature."""
        signature = self.authorization(
            self.wallet(terms.driver),
            payee or self.vault.address,
            terms.deposit_micros,
            session_id(terms),
        )
        return (contract_tuple(terms), signature)

    def wallet(self, address: str) -> Wallet:
        people = (*self.drivers, *self.members, self.owner, self.operator, self.institution)
        return next(one for one in people if one.address_hex == address)

    def join_arguments(self, member: Wallet, *, cap: int, amount: int) -> tuple[object, ...]:
        """Return member, cap, amount, salt, validity and the member's signature."""
        nonce = membership(member, cap, amount, ZERO)
        signature = self.authorization(member, self.trade.address, amount, nonce)
        return (member.address, cap, amount, ZERO, *signature)

    def authorization(self, payer: Wallet, payee: str, amount: int, nonce: bytes) -> tuple:
        """Return validity and signature of an ERC-3009 authorization: after, before, v, r, s."""
        leave = Authorization(payer.address_hex, payee, Micros(amount), 0, FAR_S, nonce)
        signed = authorize(leave, payer, self.places)
        return (0, FAR_S, signed[64], signed[:32], signed[32:64])


NOBODY_WALLET = wallet_of(SEED, "relayer")


def membership(member: Wallet, cap: int, amount: int, salt: bytes) -> bytes:
    """Return the hash of a membership, the ERC-3009 nonce of joining."""
    values = {"member": member.address, "capMicros": cap, "amountMicros": amount, "salt": salt}
    return hash_struct("Membership", values)


def enrol_arguments(
    meter: MeterKey, *, valid_from: int = 0, valid_until: int = FAR_S, kind: int | None = None
) -> tuple[object, ...]:
    """Return what ``MeterRegistry.enrol`` takes."""
    x, y = meter.public_key[:32], meter.public_key[32:]
    kind = int(meter.kind) if kind is None else kind
    curve, power = int(meter.curve), meter.rated_power_w
    return (meter.meter_id, kind, curve, x, y, power, valid_from, valid_until)
