"""Open a chain that others made, for reading and for what may be sent to it."""

from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from devnet.stock.foreign import read_foreign_genesis
from devnet.store.faults import Faults
from devnet.store.foreign import ForeignStorage
from ledger.clock import SystemClock
from ledger.units import UnixSeconds


def open_foreign(genesis_json: bytes, chain_rlp: bytes) -> Devnet:
    """
    Return a node that answers for a foreign chain; its pool takes transactions, no block comes.

    Parameters
    ----------
    genesis_json
        A genesis in geth's layout, forks included.
    chain_rlp
        Its blocks in RLP, one behind the other.

    Raises
    ------
    ForeignGenesisError
        If no chain can start from it.
    BlockInvalidError
        If a block breaks the rules of its fork.
    """
    storage = ForeignStorage(genesis_json, chain_rlp)
    head = storage.head.block.header
    genesis = Genesis(
        chain_id=read_foreign_genesis(genesis_json).chain_id,
        timestamp_s=UnixSeconds(head.timestamp),
        gas_limit=head.gas_limit,
    )
    devnet = Devnet(genesis, storage, SystemClock(), Faults())
    devnet.miner.set_automatic(automatic=False)
    return devnet
