"""
Decode signed transactions in one pass and recover their sender once.

The result has the names that py-evm's executor reads, so nothing is decoded or recovered again.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

from eth.vm.forks.prague.transactions import Authorization
from eth_typing import Address

from contracts.typed_data import BadSignatureError, signer_of
from devnet.engine.encoding import HASH, BadRlpError, integer, keccak, rlp_decode, rlp_encode
from ledger.errors import InvalidRequest

LEGACY: Final = 0
ACCESS_LIST: Final = 1
DYNAMIC_FEE: Final = 2
BLOB: Final = 3
SET_CODE: Final = 4

GAS_TRANSACTION: Final = 21_000
"""Gas of every transaction (Yellow Paper, appendix G)."""
GAS_CREATION: Final = 32_000
"""Gas of making a contract, on top."""
GAS_ZERO_BYTE: Final = 4
"""Gas of a zero byte of data."""
GAS_OTHER_BYTE: Final = 16
"""Gas of any other byte of data (EIP-2028)."""
GAS_LISTED_ADDRESS: Final = 2_400
"""Gas of an address in an access list (EIP-2930)."""
GAS_LISTED_SLOT: Final = 1_900
"""Gas of a slot in an access list (EIP-2930)."""
GAS_AUTHORIZATION: Final = 25_000
"""Gas of an authorization (EIP-7702)."""

_ADDRESS: Final = 20
_FIRST_LIST_BYTE: Final = 0xC0
_V_OFFSET: Final = 27
_EIP155_OFFSET: Final = 35
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_UINT64_BYTES: Final = 8
_SIGNATURE_FIELDS: Final = 3
_FIELDS: Final = {LEGACY: 9, ACCESS_LIST: 11, DYNAMIC_FEE: 12, SET_CODE: 13}

AccessList = tuple[tuple[Address, tuple[int, ...]], ...]
"""Addresses, each with the slots that the transaction says it will use."""


class UndecodableTransactionError(InvalidRequest):
    """Bytes that are no transaction this chain knows; the texts are geth's."""

    def __init__(self, detail: str) -> None:
        super().__init__("undecodable_transaction", detail)


class UnrecoverableSenderError(InvalidRequest):
    """A transaction that no key can have signed."""

    def __init__(self) -> None:
        super().__init__(
            "unrecoverable_sender", "invalid sender: invalid transaction v, r, s values"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A signed transaction, or a call that pretends to be one."""

    raw: bytes = b""
    """As it was signed and sent; empty for a call."""
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
    """Money it carries, in wei."""
    data: bytes = b""
    """What it says: call data, or the code that makes the contract."""
    access_list: AccessList = ()
    """Addresses and slots that are warm from its beginning."""
    authorization_list: tuple[Authorization, ...] = ()
    """Code delegations that it carries (EIP-7702)."""
    y_parity: int = 0
    """Which of two points the signature means."""
    r: int = 0
    """First half of the signature."""
    s: int = 1
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
    def intrinsic_gas(self) -> int:
        """Return the gas that it costs before any code runs, code words of a creation aside."""
        zeros = self.data.count(0)
        return (
            GAS_TRANSACTION
            + (0 if self.to else GAS_CREATION)
            + GAS_ZERO_BYTE * zeros
            + GAS_OTHER_BYTE * (len(self.data) - zeros)
            + GAS_LISTED_ADDRESS * len(self.access_list)
            + GAS_LISTED_SLOT * sum(len(slots) for _, slots in self.access_list)
            + GAS_AUTHORIZATION * len(self.authorization_list)
        )

    def validate(self) -> None:
        """Do nothing: what py-evm would check here, ``decode`` and ``devnet.engine.rules`` have."""


def decode(raw: bytes, sender: bytes | None = None) -> Transaction:
    """
    Return the transaction that ``raw`` is, its sender recovered unless it is known already.

    Raises
    ------
    UndecodableTransactionError
        If it is no transaction of type 0, 1, 2 or 4.
    BadRlpError
        If it is not canonical RLP.
    UnrecoverableSenderError
        If its signature is impossible, or malleable (EIP-2).
    """
    if not raw:
        raise UndecodableTransactionError("typed transaction too short")
    legacy = raw[0] >= _FIRST_LIST_BYTE
    type_id = LEGACY if legacy else raw[0]
    if not legacy and type_id not in {ACCESS_LIST, DYNAMIC_FEE, SET_CODE}:
        raise UndecodableTransactionError("transaction type not supported")
    fields = rlp_decode(raw if legacy else raw[1:])
    if not isinstance(fields, list) or len(fields) != _FIELDS[type_id]:
        raise UndecodableTransactionError("rlp: wrong number of transaction fields")
    if legacy:
        return _legacy(raw, fields, sender)
    return _typed(raw, fields, sender)


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
        sender=Address(sender or _recover(keccak(rlp_encode(signed)), parity, r, s)),
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
    signed = raw[:1] + rlp_encode(fields[:-_SIGNATURE_FIELDS])
    authorizations = _authorizations(rest[6]) if type_id == SET_CODE else ()
    return Transaction(
        raw=raw,
        hash=keccak(raw),
        type_id=type_id,
        chain_id=chain_id,
        sender=Address(sender or _recover(keccak(signed), parity, r, s)),
        nonce=_small(nonce),
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=fee,
        gas=_small(gas),
        to=_recipient(rest[2]),
        value=value,
        data=_bytes(rest[4]),
        access_list=_access_list(rest[5]),
        authorization_list=authorizations,
        y_parity=parity,
        r=r,
        s=s,
    )


def _recover(digest: bytes, parity: int, r: int, s: int) -> bytes:
    if parity not in {0, 1} or not 0 < s <= _HALF_ORDER or not r:
        raise UnrecoverableSenderError
    signature = r.to_bytes(HASH, "big") + s.to_bytes(HASH, "big") + bytes((parity + _V_OFFSET,))
    try:
        return signer_of(digest, signature)
    except BadSignatureError as fault:
        raise UnrecoverableSenderError from fault


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
    if value.bit_length() > 8 * _UINT64_BYTES:
        raise BadRlpError("input string too long for uint64")
    return value


def _recipient(field: object) -> Address:
    address = _bytes(field)
    if len(address) not in {0, _ADDRESS}:
        raise BadRlpError("input string has the wrong length for common.Address")
    return Address(address)


def _access_list(field: object) -> AccessList:
    entries = []
    for entry in _list(field):
        address, slots = _pair(entry)
        if len(_bytes(address)) != _ADDRESS or any(len(_bytes(s)) != HASH for s in _list(slots)):
            raise BadRlpError("input string has the wrong length for an access list")
        entries.append((Address(address), tuple(int.from_bytes(slot, "big") for slot in slots)))
    return tuple(entries)


def _authorizations(field: object) -> tuple[Authorization, ...]:
    entries = []
    for entry in _list(field):
        chain_id, address, *rest = _list(entry) + [None] * (6 - len(_list(entry)))
        if len(rest) != len(("nonce", "y_parity", "r", "s")) or len(_bytes(address)) != _ADDRESS:
            raise BadRlpError("wrong fields of types.SetCodeAuthorization")
        nonce, parity, r, s = (_integer(value) for value in rest)
        entries.append(
            Authorization(_integer(chain_id), cast("Address", address), _small(nonce), parity, r, s)
        )
    return tuple(entries)


def _list(field: object) -> list[Any]:
    if not isinstance(field, list):
        raise BadRlpError("expected input list")
    return field


def _pair(field: object) -> list[Any]:
    pair = _list(field)
    if len(pair) != len(("address", "slots")):
        raise BadRlpError("too few elements for types.AccessTuple")
    return pair
