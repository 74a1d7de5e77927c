"""The log for everybody (C2SP tlog-tiles): checkpoint, tiles of hashes, proofs; no entry itself."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Context, context
from ledger.proofs import NoteKey
from settlement.engine.checkpoints import origin_of
from settlement.engine.checkpoints.published import prove_entry, published_tile, signed_head

router = APIRouter(prefix="/log", tags=["log"])
Here = Annotated[Context, Depends(context)]

_INT64_MAX: Final = 2**63 - 1
_TEXT: Final = "text/plain; charset=utf-8"
# Whatever a path names never changes, a partial tile included: its width is in the path.
_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_NOW: Final = {"Cache-Control": "no-cache"}
# Anybody's page may check the log: nothing here depends on who asks.
_ANYWHERE: Final = {"Access-Control-Allow-Origin": "*"}


@router.get("/checkpoint")
def checkpoint(here: Here) -> Response:
    """Return the newest checkpoint, a note signed by the log and by its witnesses."""
    with here.service.reading() as connection:
        head = signed_head(connection)
    return Response(head.note, media_type=_TEXT, headers=_NOW | _ANYWHERE)


@router.get("/key")
def key(here: Here) -> Response:
    """Return the key of the log's checkpoints; compare it with what you have from elsewhere."""
    found = NoteKey(origin_of(here.service), here.service.log_key.public_key())
    return Response(f"{found.encoded()}\n", media_type=_TEXT, headers=_NOW | _ANYWHERE)


@router.get("/tile/{path:path}")
def tile(path: str, here: Here) -> Response:
    """Return 1 to 256 hashes of the tree, 32 bytes each: ``<level>/<index>[.p/<width>]``."""
    with here.service.reading() as connection:
        hashes = published_tile(connection, f"tile/{path}")
    return Response(hashes, media_type="application/octet-stream", headers=_FOREVER | _ANYWHERE)


@router.get("/proof/{seq}")
def proof(
    seq: Annotated[int, Path(ge=0, le=_INT64_MAX)], here: Here, response: Response
) -> dict[str, Any]:
    """Return what proves entry ``seq``: its leaf hash, the inclusion proof, the checkpoint."""
    with here.service.reading() as connection:
        found = prove_entry(connection, seq)
    response.headers.update(_NOW | _ANYWHERE)
    return {
        "index": found.index,
        "size": found.head.size,
        "leaf_hash": f"0x{found.leaf.hex()}",
        "proof": [f"0x{one.hex()}" for one in found.proof],
        "checkpoint": found.head.note,
    }
