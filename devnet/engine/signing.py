"""Sign transactions with keys that the node has, and make ones that nobody signed."""

from coincurve import PrivateKey

from devnet.engine.encoding import integer, joined_list, keccak, rlp_encode
from devnet.engine.transactions import DYNAMIC_FEE, Transaction, decode

_TYPE = bytes((DYNAMIC_FEE,))


def sign(wanted: Transaction, key: bytes) -> bytes:
    """Return ``wanted``, of type 2, signed with a key of 32 bytes, as it is sent."""
    fields = _fields(wanted)
    signature = PrivateKey(key).sign_recoverable(keccak(_TYPE + joined_list(fields)), hasher=None)
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    return _TYPE + joined_list([*fields, *_numbers(signature[64], r, s)])


def unsigned(wanted: Transaction) -> Transaction:
    """
    Return ``wanted``, of type 2, with its sender and nothing that proves him.

    Where a signature stands, r names the sender, so that no two senders have the same hash.
    """
    fields = _fields(wanted)
    r, s = _stand_in(wanted.sender)
    return decode(_TYPE + joined_list([*fields, *_numbers(0, r, s)]), wanted.sender)


def is_unsigned(transaction: Transaction) -> bool:
    """Say whether ``unsigned`` made it: no key comes to such a signature."""
    return (transaction.r, transaction.s) == _stand_in(transaction.sender)


def _stand_in(sender: bytes) -> tuple[int, int]:
    """Return what stands in the place of r and s."""
    return int.from_bytes(sender, "big") or 1, 1


def _fields(wanted: Transaction) -> list[bytes]:
    slots = [
        (address, [slot.to_bytes(32, "big") for slot in named])
        for address, named in wanted.access_list
    ]
    numbers = (
        wanted.chain_id or 0,
        wanted.nonce,
        wanted.max_priority_fee_per_gas,
        wanted.max_fee_per_gas,
        wanted.gas,
    )
    rest = (wanted.to, integer(wanted.value), wanted.data, slots)
    return [*_numbers(*numbers), *(rlp_encode(part) for part in rest)]


def _numbers(*numbers: int) -> list[bytes]:
    return [rlp_encode(integer(number)) for number in numbers]
