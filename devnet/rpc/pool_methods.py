"""Take transactions in, and show what waits for a block."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final

from devnet.engine.transactions import BLOB, Transaction
from devnet.node.chain import Devnet
from devnet.node.submissions import Submission
from devnet.rpc import params, views
from devnet.rpc.chain_methods import receipt_view
from devnet.rpc.errors import STILL_PENDING, Method, RpcFault, Sent
from devnet.rpc.params import Json

_SYNC_TIMEOUT_MS: Final = 30_000
_MS: Final = 1_000

_Content = Mapping[bytes, Mapping[int, Transaction]]


def sent(submission: Submission) -> Sent:
    """Return the answer for a transaction that was accepted."""
    mined = submission.mined if submission.at_once else None
    return Sent(views.data(submission.hash), mined)


def _send_raw(devnet: Devnet, raw: Json) -> Sent:
    return sent(devnet.submit(params.data(raw, 0)))


def _send_raw_sync(devnet: Devnet, raw: Json, timeout_ms: Json = None) -> Any:
    limit_ms = _SYNC_TIMEOUT_MS if timeout_ms is None else params.number(timeout_ms, 1)
    submission = devnet.submit(params.data(raw, 0))
    if not _comes(submission.mined, min(limit_ms, _SYNC_TIMEOUT_MS) / _MS):
        raise RpcFault(
            STILL_PENDING,
            "the transaction was added to the pool but not mined in time",
            views.data(submission.hash),
        )
    found = devnet.mined(submission.hash)
    return None if found is None else receipt_view(found)


def _comes(mined: "Future[None]", timeout_s: float) -> bool:
    """Wait for a block; say whether it came in time."""
    try:
        mined.result(timeout_s)
    except TimeoutError:
        return False
    return True


def _status(devnet: Devnet) -> dict[str, str]:
    pending, queued = devnet.pool.status()
    return {"pending": views.quantity(pending), "queued": views.quantity(queued)}


def _content(devnet: Devnet) -> dict[str, Any]:
    pending, queued = _listed(devnet)
    return {"pending": _by_sender(pending), "queued": _by_sender(queued)}


def _content_from(devnet: Devnet, who: Json) -> dict[str, Any]:
    where = params.address(who, 0)
    pending, queued = _listed(devnet)
    return {
        "pending": _by_nonce(pending.get(where, {})),
        "queued": _by_nonce(queued.get(where, {})),
    }


def _inspect(devnet: Devnet) -> dict[str, Any]:
    def told(part: _Content) -> dict[str, Any]:
        return {
            views.checksum(sender): {str(nonce): _told(one) for nonce, one in by_nonce.items()}
            for sender, by_nonce in part.items()
        }

    pending, queued = _listed(devnet)
    return {"pending": told(pending), "queued": told(queued)}


def _listed(devnet: Devnet) -> tuple[_Content, _Content]:
    """Return what waits; transactions with blobs are not listed, as in geth."""
    pending, queued = devnet.pool.content()
    return _without_blobs(pending), _without_blobs(queued)


def _without_blobs(part: _Content) -> _Content:
    kept = {
        sender: {nonce: one for nonce, one in by_nonce.items() if one.type_id != BLOB}
        for sender, by_nonce in part.items()
    }
    return {sender: by_nonce for sender, by_nonce in kept.items() if by_nonce}


def _told(one: Transaction) -> str:
    to = views.checksum(one.to) if one.to else "contract creation"
    return f"{to}: {one.value} wei + {one.gas} gas x {one.max_fee_per_gas} wei"


def _by_sender(part: _Content) -> dict[str, Any]:
    return {views.checksum(sender): _by_nonce(by_nonce) for sender, by_nonce in part.items()}


def _by_nonce(by_nonce: Mapping[int, Transaction]) -> dict[str, Any]:
    return {str(nonce): views.pending(one) for nonce, one in by_nonce.items()}


METHODS: Final[dict[str, Method]] = {
    "eth_sendRawTransaction": Method(_send_raw, 1, 1),
    "eth_sendRawTransactionSync": Method(_send_raw_sync, 1, 2, waits=True),
    "txpool_status": Method(_status, 0, 0),
    "txpool_content": Method(_content, 0, 0),
    "txpool_contentFrom": Method(_content_from, 1, 1),
    "txpool_inspect": Method(_inspect, 0, 0),
}
"""What this module answers."""
