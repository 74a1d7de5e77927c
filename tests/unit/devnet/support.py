"""A small chain, a wallet and tiny contracts for the tests of the devnet."""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from devnet.store.history import Mined
from ledger.units import UnixSeconds

START_S = UnixSeconds(1_494_230_400)
CHAIN_ID = 1_337
GENESIS = Genesis(chain_id=CHAIN_ID, timestamp_s=START_S)

# Stores the first word of its input in slot 0 and logs it, with topic 7.
KEEPER = bytes.fromhex("5f355f555f355f52600760205fa100")
# Reverts with one word holding 42.
REFUSER = bytes.fromhex("602a5f5260205ffd")
# Answers with slot 0.
TELLER = bytes.fromhex("5f545f5260205ff3")
# Answers with the block's time.
TIMER = bytes.fromhex("425f5260205ff3")


def init_code(runtime: bytes) -> bytes:
    """Return the code whose execution leaves ``runtime`` as the contract."""
    return (
        bytes([0x60, len(runtime), 0x60, 10, 0x5F, 0x39, 0x60, len(runtime), 0x5F, 0xF3]) + runtime
    )


@dataclass
class Wallet:
    node: Devnet
    account: LocalAccount

    @property
    def address(self) -> bytes:
        return bytes.fromhex(self.account.address[2:])

    def nonce(self) -> int:
        return self.node.next_nonce(self.address)

    def sign(self, **fields: object) -> bytes:
        """Sign a transaction of type 2 with sensible fields, changed by ``fields``."""
        transaction = {
            "chainId": CHAIN_ID,
            "nonce": self.nonce(),
            "gas": 1_000_000,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "value": 0,
            "data": b"",
            "to": bytes(19) + b"\x77",
        } | fields
        return bytes(
            self.account.sign_transaction(
                {name: value for name, value in transaction.items() if value is not None}
            ).raw_transaction
        )

    def send(self, **fields: object) -> Mined:
        """Send such a transaction and return its outcome."""
        mined = self.node.mined(bytes.fromhex(self.node.send_raw(self.sign(**fields))[2:]))
        assert mined is not None
        return mined

    def deploy(self, runtime: bytes) -> bytes:
        """Make a contract and return its address."""
        mined = self.send(to=None, data=init_code(runtime))
        assert mined.succeeded
        assert mined.contract_address is not None
        return mined.contract_address
