"""
Name the accounts whose private keys the whole world has, and keep coins away from them.

They are the ten accounts that anvil and hardhat show at their start, useful for trials on one
machine. A chain that others can reach must not give them anything.
"""

import ipaddress
from dataclasses import dataclass
from functools import cache
from typing import Final

from eth_account import Account

from devnet.genesis import Genesis
from ledger.errors import NotPermitted

PUBLIC_MNEMONIC: Final = "test test test test test test test test test test test junk"
"""The BIP-39 words of anvil and hardhat."""

_ACCOUNTS: Final = 10


class PublicKeysExposedError(NotPermitted):
    """Accounts with public keys hold coins, and the node would be reachable from elsewhere."""

    def __init__(self, addresses: tuple[str, ...], host: str) -> None:
        super().__init__(
            "public_keys_exposed",
            f"anybody has the keys of {', '.join(addresses)}; not served on {host}",
        )
        self.addresses: Final = addresses
        self.host: Final = host


@dataclass(frozen=True, slots=True)
class PublicAccount:
    """An account whose key is no secret."""

    address: str
    """Its address, 0x hex with checksum."""
    private_key: bytes
    """Its key, 32 bytes."""


@cache
def public_accounts() -> tuple[PublicAccount, ...]:
    """Return anvil's ten accounts, in their order (BIP-44, m/44'/60'/0'/0/n)."""
    Account.enable_unaudited_hdwallet_features()
    found = (
        Account.from_mnemonic(PUBLIC_MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
        for number in range(_ACCOUNTS)
    )
    return tuple(PublicAccount(one.address, bytes(one.key)) for one in found)


def check_exposure(genesis: Genesis, host: str) -> None:
    """
    Refuse to serve a chain beyond this machine if it gives coins to public keys.

    Raises
    ------
    PublicKeysExposedError
        If it does and ``host`` is not a loopback address.
    """
    if is_loopback(host):
        return
    public = {account.address.lower() for account in public_accounts()}
    rich = tuple(who for who, wei in genesis.balances if wei > 0 and who.lower() in public)
    if rich:
        raise PublicKeysExposedError(rich, host)


def is_loopback(host: str) -> bool:
    """Say whether ``host`` can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
