"""Measure gas: exact, from receipts, of transactions whose counters and balances exist already."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.typed_data import hash_struct
from devnet.field.keys import Curve, wallet_of
from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from ledger.clock import ReplayClock
from ledger.proofs import Checkpoint, sign_checkpoint
from ledger.units import Micros
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.rows import Baseline, Row, Sense
from scripts.benchmarks.stage import FOREVER_S, INTERVAL_S, START_S, Stage, split

COMMAND: Final = "scripts/bench gas"

_CHAIN_ID: Final = 3_300
_MEMBERS: Final = 20
_CAP_MICROS: Final = Micros(20_000_000)
_DEPOSIT_MICROS: Final = Micros(100_000_000)
_NOBODY: Final = "0x" + "77" * 20
_ORIGIN: Final = "voisin/bench"


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of gas; what the first transaction of a kind pays extra is left out."""
    clock = ReplayClock(START_S)
    devnet = Devnet.open(trial.directory / "gas", Genesis(_CHAIN_ID, START_S), clock)
    try:
        stage = Stage(devnet, clock)
        floor = stage.send(_NOBODY, b"").gas_used
        opened, closed_p256 = _session(stage, Curve.SECP256R1)
        _, closed_k1 = _session(stage, Curve.SECP256K1)
        found = {
            "open": opened,
            "close_with_ocmf_p256": closed_p256,
            "close_with_ocmf_k1": closed_k1,
            "settle_20_members": _settled(stage),
            "root_anchor": _anchored(stage),
        }
    finally:
        devnet.close()
    return tuple(_row(name, gas, floor) for name, gas in found.items())


def _row(name: str, gas: int, floor: int) -> Row:
    what = "a transaction that does nothing, mined on the same chain"
    return Row(name, Decimal(gas), "gas", Baseline(Decimal(floor), what, Sense.COST), COMMAND)


def _session(stage: Stage, curve: Curve) -> tuple[int, int]:
    """Return the gas to open and to close the second session of a meter."""
    meter = stage.enrol(curve.name, curve)
    stage.send(stage.vault.address, stage.open_session(meter).data)
    closing = stage.open_session(meter)
    closed = stage.send(stage.vault.address, closing.data)
    return closing.opened.gas_used, closed.gas_used


def _settled(stage: Stage) -> int:
    """Return the gas of the second run that moves money of 20 members."""
    return _second(stage, settlement(stage, _MEMBERS))


def settlement(stage: Stage, members: int) -> Callable[[int], bytes]:
    """Let ``members`` join; return what gives the call data of a run by its number, from 1."""
    accounts = _join(stage, members)
    amounts = [1_000 * (number + 1) for number in range(members // 2)]
    moved = [*(-amount for amount in amounts), *amounts]

    def settle(run: int) -> bytes:
        return stage.trade.encode(
            "settle",
            run,
            START_S // INTERVAL_S + run,
            0,
            0,
            hashlib.sha256(b"run %d" % run).digest(),
            list(zip(accounts, moved, strict=True)),
        )

    stage.pass_time(24 * INTERVAL_S)
    return settle


def _join(stage: Stage, members: int) -> list[str]:
    """Let members join and return their accounts, ascending."""
    wallets = sorted(
        (wallet_of(1, f"member-{number}") for number in range(members)),
        key=lambda wallet: wallet.address,
    )
    for number, wallet in enumerate(wallets):
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
    return [wallet.address_hex for wallet in wallets]


def _anchored(stage: Stage) -> int:
    """Return the gas of the second checkpoint."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

    def anchor(number: int) -> bytes:
        made = Checkpoint(_ORIGIN, 1_000 * number, hashlib.sha256(b"log").digest(), START_S)
        note = sign_checkpoint(made, _ORIGIN, key)
        return stage.trade.encode("anchorCheckpoint", made.size, made.root, note.encode())

    return _second(stage, anchor)


def _second(stage: Stage, data: Callable[[int], bytes]) -> int:
    """Send a first call to the TradeLedger, then return the gas of the second."""
    stage.send(stage.trade.address, data(1))
    return stage.send(stage.trade.address, data(2)).gas_used
