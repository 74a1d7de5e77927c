"""What a wallet holds."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path
from starlette.concurrency import run_in_threadpool

from api.dependencies import Context, context
from settlement.engine.live.street import held_micros

router = APIRouter(tags=["charging"])
Here = Annotated[Context, Depends(context)]
ADDRESS: Final = r"^0x[0-9a-f]{40}$"


@router.get("/api/wallets/{address}")
async def wallet(address: Annotated[str, Path(pattern=ADDRESS)], here: Here) -> dict[str, str]:
    """Return what a wallet holds of the settlement token now, in micros, read from the chain."""
    held = await run_in_threadpool(held_micros, here.service, address)
    return {"address": address, "held_micros": str(held)}
