"""
Decode signed transactions in one pass and recover their sender once.

The result has the names that py-evm's executors read, so nothing is decoded or recovered again.
"""

from dataclasses import dataclass
from typing import Any, Final

from coincurve import PublicKey
from eth.vm.forks.prague.transactions import Authorization
from eth_typing import Address

from devnet.engine.encoding import (
    HASH,
    BadRlpError,
    integer,
    joined_list,
    keccak,
    rlp_decode,
    rlp_encode,
)
from ledger.errors import InvalidRequest

LEGACY: Final = 0
ACCESS_LIST: Final = 1
DYNAMIC_FEE: Final = 2
BLOB: Final = 3
SET_CODE: Final = 4

# Yellow Paper, appendix G; EIP-2028, 2930, 3860, 7702.
_TRANSACTION_GAS: Final = 21_000
_CREATION_GAS: Final = 32_000
_ZERO_BYTE_GAS: Final = 4
_OTHER_BYTE_GAS: Final = 16
_LISTED_ADDRESS_GAS: Final = 2_400
_LISTED_SLOT_GAS: Final = 1_900
_AUTHORIZATION_GAS: Final = 25_000

_ADDRESS: Final = 20
_FIRST_LIST_BYTE: Final = 0xC0
_V_OFFSET: Final = 27
_EIP155_OFFSET: Final = 35
_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER: Final = _ORDER // 2
_UINT64_BITS: Final = 64
_SIGNATURE_FIELDS: Final = 3
_FIELDS: Final = {LEGACY: 9, ACCESS_LIST: 11, DYNAMIC_FEE: 12, BLOB: 14, SET_CODE: 13}
_EMPTY: Final = Address(b"")

Slots = tuple[tuple[Address, tuple[int, ...]], ...]
"""Addresses, each with the slots that the transaction says it will use."""


class UndecodableTransactionError(InvalidRequest):
    """Bytes that are no transaction this chain knows; the texts are geth's."""

    def __init__(self, detail: str) -> None:
        super().__init__("undecodable_transaction", detail)


class UnrecoverableSenderError(InvalidRequest):
    """A transaction that no key can have signed, or whose signature is malleable (EIP-2)."""

    def __init__(self) -> None:
        super().__init__(
            "unrecoverable_sender", "invalid sender: invalid transaction v, r, s values"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A signed transaction, or a call that pretends to be one."""

    raw: bytes = b""
    """As it stands in a block: without the sidecar of blobs. Empty for a call."""
    hash: bytes = b""
    """Keccak-256 of ``raw``; empty for a call."""
    type_id: int = DYNAMIC_FEE
    """EIP-2718 type; 0 for a legacy transaction."""
    chain_id: int | None = None
    """EIP-155 chain id; None if the signature binds none."""
    sender: Address
    """Who signed it."""
    nonce: int
    """How many transactions its sender sent before it."""
    max_priority_fee_per_gas: int = 0
    """Most that its sender tips, in wei per gas."""
    max_fee_per_gas: int = 0
    """Most that its sender pays, tip included, in wei per gas."""
    gas: int
    """Most gas it may use."""
    to: Address
    """Whom it calls; empty to make a contract."""
    value: int = 0
    """Coins it carries, in wei."""
    data: bytes = b""
    """What it says: call data, or the code that makes the contract."""
    access_list: Slots = ()
    """Addresses and slots that are warm from its beginning (EIP-2930)."""
    authorization_list: tuple[Authorization, ...] = ()
    """Code delegations that it carries (EIP-7702)."""
    max_fee_per_blob_gas: int = 0
    """Most that its sender pays for blobs, in wei per blob gas (EIP-4844)."""
    blob_versioned_hashes: tuple[bytes, ...] = ()
    """Which blobs it carries (EIP-4844)."""
    y_parity: int = 0
    """Which of two points the signature means."""
    r: int = 0
    """First half of the signature."""
    s: int = 0
    """Second half of the signature."""

    @property
    def v(self) -> int:
        """Return what the signature's third value is called outside: v, or the parity."""
        if self.type_id != LEGACY:
            return self.y_parity
        if self.chain_id is None:
            return self.y_parity + _V_OFFSET
        return self.y_parity + _EIP155_OFFSET + 2 * self.chain_id

    @property
    def gas_price(self) -> int:
        """Return the price that a transaction of type 0 or 1 names; the cap of later ones."""
        return self.max_fee_per_gas

    @property
    def intrinsic_gas(self) -> int:
        """Return the gas that it costs before any code runs, words of init code aside."""
        zeros = self.data.count(0)
        gas = (
            _TRANSACTION_GAS
            + _ZERO_BYTE_GAS * zeros
            + _OTHER_BYTE_GAS * (len(self.data) - zeros)
            + _AUTHORIZATION_GAS * len(self.authorization_list)
        )
        if not self.to:
            gas += _CREATION_GAS
        if self.access_list:
            gas += _LISTED_ADDRESS_GAS * len(self.access_list)
            gas += _LISTED_SLOT_GAS * sum(len(slots) for _, slots in self.access_list)
        return gas

    def validate(self) -> None:
        """Do nothing: what py-evm would check here was checked when it was decoded."""


def decode(raw: bytes, sender: bytes | None = None) -> Transaction:
    """
    Return the transaction that ``raw`` is, with its sender.

    Parameters
    ----------
    sender
        Who sent it, if that is known without a signature.

    Raises
    ------
    UndecodableTransactionError
        If it is no transaction of type 0 to 4.
    BadRlpError
        If it is not canonical RLP.
    UnrecoverableSenderError
        If its signature is impossible, or malleable (EIP-2).
    """
    if not raw:
        raise UndecodableTransactionError("typed transaction too short")
    type_id = LEGACY if raw[0] >= _FIRST_LIST_BYTE else raw[0]
    if type_id not in _FIELDS or raw[0] == LEGACY:
        raise UndecodableTransactionError("transaction type not supported")
    fields = rlp_decode(raw if type_id == LEGACY else raw[1:])
    if not isinstance(fields, list) or len(fields) != _FIELDS[type_id]:
        raise UndecodableTransactionError("rlp: wrong number of transaction fields")
    return _legacy(raw, fields, sender) if type_id == LEGACY else _typed(raw, fields, sender)


def _legacy(raw: bytes, fields: list[Any], sender: bytes | None) -> Transaction:
    nonce, price, gas, value, v, r, s = (_integer(fields[i]) for i in (0, 1, 2, 4, 6, 7, 8))
    signed = fields[:-_SIGNATURE_FIELDS]
    chain_id = None
    parity = v - _V_OFFSET
    if v >= _EIP155_OFFSET:
        chain_id, parity = divmod(v - _EIP155_OFFSET, 2)
        signed = [*signed, integer(chain_id), b"", b""]
    return Transaction(
        raw=raw,
        hash=keccak(raw),
        type_id=LEGACY,
        chain_id=chain_id,
        sender=_sender(sender, rlp_encode(signed), (parity, r, s)),
        nonce=_small(nonce),
        max_priority_fee_per_gas=price,
        max_fee_per_gas=price,
        gas=_small(gas),
        to=_recipient(fields[3]),
        value=value,
        data=_bytes(fields[5]),
        y_parity=parity,
        r=r,
        s=s,
    )


def _typed(raw: bytes, fields: list[Any], sender: bytes | None) -> Transaction:
    type_id = raw[0]
    parity, r, s = (_integer(field) for field in fields[-_SIGNATURE_FIELDS:])
    chain_id, nonce, tip = (_integer(field) for field in fields[:3])
    # A type 1 transaction has one price where later ones have a tip and a cap.
    rest = fields[3:] if type_id != ACCESS_LIST else fields[2:]
    fee, gas, value = (_integer(rest[i]) for i in (0, 1, 3))
    signed = raw[:1] + joined_list([rlp_encode(part) for part in fields[:-_SIGNATURE_FIELDS]])
    is_blob = type_id == BLOB
    return Transaction(
        raw=raw,
        hash=keccak(raw),
        type_id=type_id,
        chain_id=chain_id,
        sender=_sender(sender, signed, (parity, r, s)),
        nonce=_small(nonce),
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=fee,
        gas=_small(gas),
        to=_recipient(rest[2]),
        value=value,
        data=_bytes(rest[4]),
        access_list=_access_list(rest[5]) if rest[5] else (),
        authorization_list=_authorizations(rest[6]) if type_id == SET_CODE else (),
        max_fee_per_blob_gas=_integer(rest[6]) if is_blob else 0,
        blob_versioned_hashes=_hashes(rest[7]) if is_blob else (),
        y_parity=parity,
        r=r,
        s=s,
    )


def _sender(known: bytes | None, signed: bytes, signature: tuple[int, int, int]) -> Address:
    return Address(known) if known else _recover(keccak(signed), *signature)


def _recover(digest: bytes, parity: int, r: int, s: int) -> Address:
    if parity not in (0, 1) or not 0 < s <= _HALF_ORDER or not 0 < r < _ORDER:
        raise UnrecoverableSenderError
    signature = r.to_bytes(HASH, "big") + s.to_bytes(HASH, "big") + bytes((parity,))
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError as fault:
        raise UnrecoverableSenderError from fault
    return Address(keccak(key.format(compressed=False)[1:])[-_ADDRESS:])


def _bytes(field: object) -> bytes:
    if not isinstance(field, bytes):
        raise BadRlpError("expected input string or byte")
    return field


def _integer(field: object) -> int:
    text = _bytes(field)
    if text[:1] == b"\0":
        raise BadRlpError("non-canonical integer (leading zero bytes)")
    if len(text) > HASH:
        raise BadRlpError("input string too long for uint256")
    return int.from_bytes(text, "big")


def _small(value: int) -> int:
    if value.bit_length() > _UINT64_BITS:
        raise BadRlpError("input string too long for uint64")
    return value


def _recipient(field: object) -> Address:
    address = _bytes(field)
    if len(address) not in (0, _ADDRESS):
        raise BadRlpError("input string has the wrong length for common.Address")
    return Address(address) if address else _EMPTY


def _hashes(field: object) -> tuple[bytes, ...]:
    found = tuple(_bytes(one) for one in _list(field))
    if any(len(one) != HASH for one in found):
        raise BadRlpError("input string has the wrong length for common.Hash")
    return found


def _access_list(field: object) -> Slots:
    entries = []
    for entry in _list(field):
        pair = _list(entry)
        if len(pair) != len(("address", "slots")):
            raise BadRlpError("too few elements for types.AccessTuple")
        address, slots = _bytes(pair[0]), _hashes(pair[1])
        if len(address) != _ADDRESS:
            raise BadRlpError("input string has the wrong length for common.Address")
        entries.append((Address(address), tuple(int.from_bytes(slot, "big") for slot in slots)))
    return tuple(entries)


def _authorizations(field: object) -> tuple[Authorization, ...]:
    entries = []
    for entry in _list(field):
        parts = [_bytes(part) for part in _list(entry)]
        if len(parts) != len(("chain", "address", "nonce", "parity", "r", "s")):
            raise BadRlpError("too few elements for types.SetCodeAuthorization")
        if len(parts[1]) != _ADDRESS:
            raise BadRlpError("input string has the wrong length for common.Address")
        chain_id, nonce, parity, r, s = (_integer(parts[at]) for at in (0, 2, 3, 4, 5))
        entries.append(Authorization(chain_id, Address(parts[1]), _small(nonce), parity, r, s))
    return tuple(entries)


def _list(field: object) -> list[Any]:
    if not isinstance(field, list):
        raise BadRlpError("expected input list")
    return field
