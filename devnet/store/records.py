"""What the records of the block log say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from devnet.engine.blocks import Block, Header, Receipt, decode_block
from devnet.engine.encoding import first_item, integer, keccak, rlp_decode, rlp_encode


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block was added."""

    raw: bytes
    """The block in RLP."""
    receipts: tuple[bytes, ...]
    """Its receipts in RLP, in order."""
    changes: bytes
    """What it did to the state, encoded."""
    senders: Mapping[int, bytes] = field(default_factory=dict)
    """By place in the block: senders that did not sign, because a test impersonated them."""

    def encode(self) -> bytes:
        """Return the payload of the record."""
        senders = [(integer(index), sender) for index, sender in self.senders.items()]
        return rlp_encode((self.raw, self.receipts, self.changes, senders))

    @staticmethod
    def decode(payload: bytes) -> "BlockRecord":
        """Return what ``encode`` wrote."""
        raw, receipts, changes, senders = cast("list[Any]", rlp_decode(payload))
        named = {int.from_bytes(index, "big"): sender for index, sender in senders}
        return BlockRecord(raw, tuple(receipts), changes, named)

    def block(self) -> Block:
        """Return the block."""
        return decode_block(self.raw, self.senders)

    def decoded_receipts(self) -> tuple[Receipt, ...]:
        """Return its receipts."""
        return tuple(Receipt.decode(receipt) for receipt in self.receipts)

    def header(self) -> tuple[bytes, Header]:
        """Return hash and header of the block, without reading its transactions."""
        encoded = first_item(self.raw)
        return keccak(encoded), Header.decode(cast("list[bytes]", rlp_decode(encoded)))


@dataclass(frozen=True, slots=True)
class RewindRecord:
    """The chain went back."""

    number: int
    """The newest block from here on."""
    steps: int
    """How many changes of its state stay: its own, and those by hand."""

    def encode(self) -> bytes:
        """Return the payload of the record."""
        return rlp_encode((integer(self.number), integer(self.steps)))

    @staticmethod
    def decode(payload: bytes) -> "RewindRecord":
        """Return what ``encode`` wrote."""
        number, steps = cast("list[bytes]", rlp_decode(payload))
        return RewindRecord(int.from_bytes(number, "big"), int.from_bytes(steps, "big"))
