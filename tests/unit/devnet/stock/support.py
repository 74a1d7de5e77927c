"""A chain by stock py-evm, and transactions for it."""

from coincurve import PrivateKey
from eth.db.atomic import AtomicDB
from eth_account import Account

from devnet.engine.encoding import integer, keccak, rlp_encode
from devnet.engine.transactions import Transaction, decode
from devnet.genesis import Genesis, new_chain
from devnet.stock.engine import StockEngine
from ledger.units import UnixSeconds

CHAIN_ID = 1_337
START_S = UnixSeconds(1_494_230_400)
GENESIS = Genesis(chain_id=CHAIN_ID, timestamp_s=START_S)
KEY = Account.from_key(b"\x11" * 32)
ADDRESS = bytes.fromhex(KEY.address[2:])
# Stores the first word of its input in slot 0 and logs it, with topic 7.
KEEPER = bytes.fromhex("5f355f555f355f52600760205fa100")
KEEPER_INIT = bytes([0x60, len(KEEPER), 0x60, 10, 0x5F, 0x39, 0x60, len(KEEPER), 0x5F, 0xF3])


def engine(genesis: Genesis = GENESIS) -> StockEngine:
    return StockEngine(new_chain(genesis, AtomicDB()))


def signed(nonce: int, **fields: object) -> Transaction:
    """Return a transaction of type 2 that costs nothing, changed by ``fields``."""
    transaction = {
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": 1_000_000,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "value": 0,
        "data": b"",
        "to": bytes(19) + b"\x77",
    } | fields
    given = {name: value for name, value in transaction.items() if value is not None}
    return decode(bytes(KEY.sign_transaction(given).raw_transaction))


def carrying_blobs(nonce: int, blobs: int) -> Transaction:
    """Return a transaction of type 3; what its blobs hold is nobody's business here."""
    hashes = [b"\x01" + bytes((at,)) * 31 for at in range(blobs)]
    numbers = [integer(number) for number in (CHAIN_ID, nonce, 0, 0, 100_000)]
    fields = [*numbers, ADDRESS, b"", b"", [], integer(1), hashes]
    digest = keccak(b"\x03" + rlp_encode(fields))
    signature = PrivateKey(bytes(KEY.key)).sign_recoverable(digest, hasher=None)
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    return decode(b"\x03" + rlp_encode([*fields, *map(integer, (signature[64], r, s))]))


def keeper(nonce: int) -> Transaction:
    """Return the transaction that makes a keeper."""
    return signed(nonce, to=None, data=KEEPER_INIT + KEEPER)


def mine(node: StockEngine, *transactions: Transaction) -> bytes:
    """Make the next block of ``transactions``, all of which must go through; return its RLP."""
    header = node.next_header(node.block(node.number).header.timestamp + 5)
    built = node.build(header, transactions)
    assert built.refused == ()
    node.commit(built.block)
    return built.block.raw
