"""Why a member's orders were served, in part, or not."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from api.dependencies import Context, context
from settlement.engine.market.runs.explaining import explained

router = APIRouter(tags=["orders"])
Here = Annotated[Context, Depends(context)]
Wallet = Annotated[str, Path(pattern=r"^0x[0-9a-f]{40}$")]
Interval = Annotated[int, Path(ge=0, le=2**62)]


@router.get("/api/members/{wallet}/explanations/{interval}")
def explanations(wallet: Wallet, interval: Interval, here: Here) -> dict[str, Any]:
    """
    Return the reason of each of a member's orders in an interval, in English and French.

    Limits of bids are energy prices: levy, platform fee and local toll are taken off.
    """
    with here.service.reading() as connection:
        return explained(here.service, connection, wallet, interval)
