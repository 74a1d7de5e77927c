"""Give demonstration money to whoever asks; a street of the demonstration alone has this route."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from ledger.units import Micros
from settlement.engine.roll import fund_wallets

GIFT_MICROS: Final = Micros(100_000_000)
"""What a wallet is given once a day."""

router = APIRouter(tags=["demonstration"])
Here = Annotated[Context, Depends(context)]
_DAY_S: Final = 86_400


class Thirst(BaseModel):
    """Who asks."""

    model_config = ConfigDict(extra="forbid", strict=True)

    address: str = Field(pattern=r"^0x[0-9a-f]{40}$")


@router.post("/api/faucet")
async def pour(asked: Thirst, here: Here) -> dict[str, str]:
    """Mint demonstration money into a wallet, once a day each."""
    service = here.service
    day = service.clock.now_s() // _DAY_S
    await here.desk.run(
        lambda: fund_wallets(
            service, {asked.address: GIFT_MICROS}, purpose=f"faucet/{asked.address}/{day}"
        )
    )
    return {"address": asked.address, "given_micros": str(GIFT_MICROS)}
