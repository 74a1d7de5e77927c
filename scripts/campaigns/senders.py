"""Who sends in a campaign, on which chain."""

from dataclasses import dataclass
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

from devnet.genesis import Genesis
from ledger.units import UnixSeconds

GENESIS: Final = Genesis(chain_id=31_337, timestamp_s=UnixSeconds(1_767_225_600))
"""The chain; its blocks never wait for the clock."""

_GAS: Final = 100_000
_DATA_BYTES: Final = 50
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Sender:
    """An account with its key."""

    account: LocalAccount
    """The key; public, for these chains alone."""

    @property
    def address(self) -> bytes:
        """Return its address, 20 bytes."""
        return bytes.fromhex(self.account.address[2:])

    def sign(self, nonce: int) -> bytes:
        """Return a signed transaction that costs nothing and calls the sender itself."""
        signed = self.account.sign_transaction(
            {
                "chainId": GENESIS.chain_id,
                "nonce": nonce,
                "gas": _GAS,
                "maxFeePerGas": 0,
                "maxPriorityFeePerGas": 0,
                "value": 0,
                "data": bytes(nonce % _DATA_BYTES),
                "to": self.account.address,
            }
        )
        return bytes(signed.raw_transaction)


def senders(count: int) -> tuple[Sender, ...]:
    """Return ``count`` senders, the same ones each time."""
    return tuple(
        Sender(Account.from_key(number.to_bytes(_KEY_BYTES, "big")))
        for number in range(1, count + 1)
    )
