"""
Hold a database to one chain: its number, its block 0, and the code of our contracts on it.

A devnet that was restarted empty answers as readily as before, with the same number. Bytes that
were signed for the chain before it would be taken by the new one, so nothing may be sent until the
two were compared. Kept at the first start, compared at every later one and whenever the chain no
longer contains the block that was read last.
"""

from typing import Final

from sqlalchemy import Connection, select

from contracts.typed_data import keccak
from ledger.errors import Integrity
from settlement.chain.gateway import ChainGateway, ChainIdentity
from settlement.tables import meta

_CHAIN: Final = "chain"
_CODE: Final = "code/"


class ChainReplacedError(Integrity):
    """Another chain answers than the one that the database follows; nothing was sent to it."""

    def __init__(self, what: str, ours: str, theirs: str) -> None:
        super().__init__(
            "chain_replaced", f"{what}: the database follows {ours}, the node serves {theirs}"
        )


def hold_chain(connection: Connection, gateway: ChainGateway) -> ChainIdentity:
    """
    Bind the database to the chain that answers, or see that it is the one it was bound to.

    Raises
    ------
    ChainReplacedError
        If the chain's number, its block 0 or the code of one of our contracts is another.
    """
    identity = gateway.identity()
    theirs = f"{identity.chain_id}/{identity.genesis_hash}"
    ours = _kept(connection, _CHAIN)
    if ours is None:
        connection.execute(meta.insert().values(key=_CHAIN, value=theirs))
    elif ours != theirs:
        raise ChainReplacedError("chain id and genesis", ours, theirs)
    _compare_codes(connection, gateway)
    return identity


def kept_identity(connection: Connection) -> ChainIdentity | None:
    """Return the chain that the database is bound to, without asking anybody; None if to none."""
    kept = _kept(connection, _CHAIN)
    if kept is None:
        return None
    chain_id, _, genesis_hash = kept.partition("/")
    return ChainIdentity(int(chain_id), genesis_hash)


def compare_chain(connection: Connection, gateway: ChainGateway) -> None:
    """
    See that the chain that answers is the one that the database was bound to, if it was.

    Raises
    ------
    ChainReplacedError
        If the chain's number or its block 0 is another.
    """
    ours = _kept(connection, _CHAIN)
    if ours is None:
        return
    identity = gateway.identity()
    theirs = f"{identity.chain_id}/{identity.genesis_hash}"
    if ours != theirs:
        raise ChainReplacedError("chain id and genesis", ours, theirs)


def keep_code(connection: Connection, address: str, code: bytes) -> None:
    """Keep the hash of the code at ``address``, where a contract of ours is final."""
    value = "0x" + keccak(code).hex()
    connection.execute(meta.insert().values(key=_CODE + address, value=value))


def _compare_codes(connection: Connection, gateway: ChainGateway) -> None:
    kept = connection.execute(
        select(meta.c.key, meta.c.value).where(meta.c.key.startswith(_CODE)).order_by(meta.c.key)
    ).all()
    if not kept:
        return
    addresses = [row.key.removeprefix(_CODE) for row in kept]
    for row, code in zip(kept, gateway.codes(addresses), strict=True):
        theirs = "0x" + keccak(code).hex()
        if row.value != theirs:
            raise ChainReplacedError(row.key, row.value, theirs)


def _kept(connection: Connection, key: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
