"""Measure readings and intervals: digests, signatures, settlement, and what is recorded."""

import hashlib
from functools import partial
from typing import Any, Final

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data

from contracts.typed_data import Domain, address_of, keccak, sign
from devnet.field.keys import Curve as FieldCurve
from devnet.field.keys import Role, meter_key
from ledger.units import BasisPoints, Micros, MicrosPerKilowattHour, UnixSeconds, WattHours, Watts
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.measuring import NS_PER_MS, NS_PER_US, each, in_turn, medians_ns
from scripts.benchmarks.recording import recording_row
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from settlement.metering.readings import Quality, Reading, Register, reading_digest
from settlement.metering.signatures import Curve, MeterKey, MeterKind, verify_reading
from settlement.trading.auction import Auction
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions
from settlement.trading.orders.applying import Limits
from settlement.trading.settle import IntervalInputs, Member, settle
from settlement.trading.zones import ZoneTree

COMMAND: Final = "scripts/bench settlement"

_SEED: Final = 1
_READINGS: Final = 200
_MEMBERS: Final = 18
_TIMES: Final = 10
_ROUNDS: Final = 9
_START_S: Final = UnixSeconds(1_494_230_400)
_INTERVAL_S: Final = 3_600
_DOMAIN: Final = Domain("Voisin", "1", 3_300, "0x" + "c0" * 20)
_TYPES: Final = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "Reading": [
        {"name": "meterId", "type": "bytes32"},
        {"name": "register", "type": "uint8"},
        {"name": "at", "type": "uint64"},
        {"name": "sequence", "type": "uint64"},
        {"name": "energyWh", "type": "uint64"},
        {"name": "quality", "type": "uint8"},
    ],
}


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of settlement."""
    return (*_reading_rows(), _interval_row(), recording_row(trial.directory, COMMAND))


def _reading_rows() -> tuple[Row, Row]:
    field_key = meter_key(_SEED, Role.GATEWAY, "bench", FieldCurve.SECP256K1, Watts(12_000))
    key = MeterKey(
        curve=Curve.SECP256K1,
        public_key=field_key.public_key,
        kind=MeterKind.GATEWAY,
        rated_power_w=field_key.rated_power_w,
        valid_from_s=_START_S,
        valid_until_s=UnixSeconds(_START_S + _READINGS * _INTERVAL_S),
    )
    readings = [_reading(field_key.meter_id_hex, number) for number in range(_READINGS)]
    signed = [(one, sign(reading_digest(_DOMAIN, one), field_key.private_key)) for one in readings]
    messages = [_message(one) for one in readings]
    _check_agreement(readings, messages, address_of(field_key.private_key), signed[0][1])
    return (
        _per_reading(
            "reading_digest_us",
            medians_ns(
                in_turn(
                    lambda: [reading_digest(_DOMAIN, one) for one in readings],
                    lambda: [encode_typed_data(full_message=one) for one in messages],
                ),
                _ROUNDS,
            ),
            "eth_account.messages.encode_typed_data of the same reading",
        ),
        _per_reading(
            "reading_verified_us",
            medians_ns(
                in_turn(
                    lambda: [verify_reading(_DOMAIN, one, seal, key) for one, seal in signed],
                    lambda: [
                        Account.recover_message(
                            encode_typed_data(full_message=one), signature=signed[n][1]
                        )
                        for n, one in enumerate(messages)
                    ],
                ),
                _ROUNDS,
            ),
            "eth_account's encode_typed_data and recover_message of the same reading",
        ),
    )


def _per_reading(name: str, times_ns: tuple[int, int], rival: str) -> Row:
    ours, theirs = (each(total_ns, _READINGS, NS_PER_US) for total_ns in times_ns)
    return Row(name, ours, "us", Baseline(theirs, rival, Sense.FASTER), COMMAND)


def _reading(meter_id: str, number: int) -> Reading:
    return Reading(
        meter_id=meter_id,
        register=Register.IMPORT,
        at_s=UnixSeconds(_START_S + number * _INTERVAL_S),
        sequence=number + 1,
        energy_wh=WattHours(1_000_000 + 1_234 * number),
        quality=Quality.MEASURED,
    )


def _message(one: Reading) -> dict[str, Any]:
    return {
        "types": _TYPES,
        "primaryType": "Reading",
        "domain": {
            "name": _DOMAIN.name,
            "version": _DOMAIN.version,
            "chainId": _DOMAIN.chain_id,
            "verifyingContract": _DOMAIN.verifying_contract,
        },
        "message": {
            "meterId": bytes.fromhex(one.meter_id[2:]),
            "register": int(one.register),
            "at": one.at_s,
            "sequence": one.sequence,
            "energyWh": one.energy_wh,
            "quality": int(one.quality),
        },
    }


def _check_agreement(
    readings: list[Reading], messages: list[dict[str, Any]], signer: bytes, signature: bytes
) -> None:
    """Both sides must come to the same digest and the same signer, or the race is none."""
    for one, message in zip(readings, messages, strict=True):
        if _digest(encode_typed_data(full_message=message)) != reading_digest(_DOMAIN, one):
            raise BenchmarkInvalidError("eth_account hashes a reading to another digest")
    found = Account.recover_message(
        encode_typed_data(full_message=messages[0]), signature=signature
    )
    if found.lower() != "0x" + signer.hex():
        raise BenchmarkInvalidError("eth_account recovers another signer")


def _digest(message: SignableMessage) -> bytes:
    return keccak(b"\x19" + message.version + message.header + message.body)


def _interval_row() -> Row:
    small, large = _interval(_MEMBERS), _interval(_MEMBERS * _TIMES)
    one_round = in_turn(
        lambda: [settle(small) for _ in range(_TIMES)],
        partial(settle, large),
    )
    small_ns, large_ns = medians_ns(one_round, _ROUNDS)
    members = _MEMBERS * _TIMES
    each_small, each_large = (each(total, members, NS_PER_US) for total in (small_ns, large_ns))
    what = (
        f"a tenth of an interval of {members} members: {each_large:.0f} us a member, "
        f"{each_small:.0f} us with {_MEMBERS}"
    )
    return Row(
        "interval_settle_ms",
        each(small_ns, _TIMES, NS_PER_MS),
        "ms",
        Baseline(each(large_ns, _TIMES, NS_PER_MS), what, Sense.COST),
        COMMAND,
    )


def _interval(members: int) -> IntervalInputs:
    """Return an interval around noon: about half of the members have more sun than they use."""
    return IntervalInputs(
        run=1,
        interval=_START_S // _INTERVAL_S,
        members=tuple(_member(number) for number in range(members)),
        fees=Fees(
            levy=MicrosPerKilowattHour(5_000),
            vat_bp=BasisPoints(2_000),
        ),
        institutions=Institutions("0x" + "f1" * 20, "0x" + "f2" * 20, "supplier"),
        residual=(MicrosPerKilowattHour(60_000), MicrosPerKilowattHour(300_000)),
        salt_key=bytes(range(32)),
        tree=ZoneTree.single(local_toll=MicrosPerKilowattHour(30_000)),
        mechanism=Auction(),
    )


def _member(number: int) -> Member:
    seed = hashlib.sha256(number.to_bytes(8)).digest()
    return Member(
        account="0x" + seed[:20].hex(),
        import_wh=WattHours(200 + seed[20] * 10),
        export_wh=WattHours(seed[21] * 20 if number % 2 else 0),
        limits=Limits(
            MicrosPerKilowattHour(60_000 + seed[22] * 100),
            MicrosPerKilowattHour(180_000 + seed[23] * 100),
        ),
        spendable_micros=Micros(10_000_000),
        order_hash=hashlib.sha256(seed).digest(),
        digests=tuple(hashlib.sha256(seed + bytes([register])).digest() for register in range(4)),
        estimated=False,
        zone="feeder",
    )
