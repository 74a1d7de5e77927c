"""
Measure the gas of the TradeLedger: exact, from receipts, whole transactions.

Every account has money already, and the ring of runs has been filled once, so that a run writes
over an older one as it does for ever after the first week.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.typed_data import hash_struct
from devnet.field.keys import wallet_of
from devnet.store.history import Mined
from ledger.proofs import Checkpoint
from ledger.units import Micros, UnixSeconds
from scripts.benchmarks.stage import FOREVER_S, INTERVAL_S, NOBODY, START_S, Stage, split
from scripts.benchmarks.volume.gas_parts import NOTHING, Act
from settlement.chain.lanes import CENT, pack

_CAP_MICROS: Final = Micros(2_000 * CENT)
_DEPOSIT_MICROS: Final = Micros(100_000_000)
_DELTA_MICROS_MAX: Final = 1_000_000
_WEEK_S: Final = 7 * 86_400
_RUNS_KEPT: Final = 2 * _WEEK_S // INTERVAL_S
_TRADES: Final = 1_000
_MEMBERS, _TRADERS, _STREET = 1_000, 100, 20
_ORIGIN: Final = "voisin/bench"


def acts(stage: Stage) -> Iterator[Act]:
    """Settle runs of many sizes and anchor a checkpoint; yield what each is measured by."""
    trade, run = stage.trade.address, _RUNS_KEPT
    settle = settlement(stage, _MEMBERS)
    for number in range(1, run + 1):
        stage.send(trade, _settling(stage, number, {}))
    transfer = _transfer(stage)
    rival = "one transfer of the token between two who have some, as each trade would be"
    yield Act("member_run", (stage.send(trade, settle(run + 1)),), transfer, rival, _MEMBERS)
    traded = stage.send(trade, _settling(stage, run + 2, _moved(_TRADERS)))
    yield Act("trade_at_1000", (traded,), transfer, rival, _TRADES)
    street = stage.send(trade, _settling(stage, run + 3, _moved(_STREET)))
    yield Act("settle_20_members", (street,), stage.nothing(), NOTHING)
    stage.send(trade, _anchoring(stage, 1))
    anchored = stage.send(trade, _anchoring(stage, 2))
    yield Act("root_anchor", (anchored,), stage.nothing(), NOTHING)


def _transfer(stage: Stage) -> Mined:
    """Return a transfer of the token to somebody who has some."""
    token = stage.token.address
    sender = stage.nothing().transaction.sender
    stage.send(token, stage.token.encode("mint", sender, _DEPOSIT_MICROS))
    transfer = stage.token.encode("transfer", NOBODY, 1)
    stage.send(token, transfer)
    return stage.send(token, transfer)


def settlement(stage: Stage, members: int) -> Callable[[int], bytes]:
    """Let ``members`` join; return what gives the call data of a run by its number, from 1."""
    _join(stage, members)
    stage.pass_time(_WEEK_S * 3)
    moved = _moved(members)
    return lambda run: _settling(stage, run, moved)


def _moved(members: int) -> dict[int, int]:
    """Return what a run moves, by lane: half of the members pay the other half."""
    half = members // 2
    amounts = [_draw(number) for number in range(half)]
    signed = [*(-amount for amount in amounts), *amounts]
    # Payers and payees are neighbours in a slot, as they are in a street.
    return {(lane % half) * 2 + lane // half: micros for lane, micros in enumerate(signed)}


def _draw(number: int) -> int:
    drawn = int.from_bytes(hashlib.sha256(b"amount %d" % number).digest())
    return drawn % _DELTA_MICROS_MAX + 1


def _settling(stage: Stage, run: int, moved: dict[int, int]) -> bytes:
    interval = START_S // INTERVAL_S + run
    root = hashlib.sha256(b"run %d" % run).digest()
    return stage.trade.encode("settle", run, interval, interval, 0, 0, root, pack(moved))


def _anchoring(stage: Stage, number: int) -> bytes:
    """Return the call that anchors a checkpoint, signed as the service does."""
    root = hashlib.sha256(b"log %d" % number).digest()
    signed_s = UnixSeconds(START_S + number)
    made = Checkpoint(_ORIGIN, 1_000 * number, root, signed_s)
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signature = key.sign(made.text().encode())
    halves = (signature[:32], signature[32:])
    return stage.trade.encode("anchorCheckpoint", made.size, root, signed_s, halves)


def _join(stage: Stage, members: int) -> None:
    """Let members join, one lane after the other."""
    for number in range(members):
        wallet = wallet_of(1, f"member-{number}")
        stage.fund(wallet)
        salt = hashlib.sha256(b"member %d" % number).digest()
        values: dict[str, object] = {
            "member": wallet.address_hex,
            "capMicros": _CAP_MICROS,
            "amountMicros": _DEPOSIT_MICROS,
            "salt": salt,
        }
        membership = hash_struct("Membership", values)
        seal = stage.authorize(wallet, stage.trade, _DEPOSIT_MICROS, membership)
        data = stage.trade.encode(
            "join",
            wallet.address_hex,
            _CAP_MICROS,
            _DEPOSIT_MICROS,
            salt,
            0,
            FOREVER_S,
            *split(seal),
        )
        stage.send(stage.trade.address, data)
