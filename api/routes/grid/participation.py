"""Parties that join and leave, with effect from an interval."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from settlement.engine.grid.participating import StepNotice, record_step, states_at

router = APIRouter(prefix="/api/grid/participation", tags=["grid operator"])
Here = Annotated[Context, Depends(context)]

_SIGNATURE: Final = r"^0x[0-9a-f]{130}$"
_INT64_MAX: Final = 2**63 - 1
_INTERVAL_MAX: Final = 2**40
_NAME_MAX: Final = 64


class StepRequest(BaseModel):
    """A step of joining or leaving, signed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    party: str = Field(min_length=1, max_length=_NAME_MAX)
    step: str = Field(max_length=16, examples=["request", "confirm", "refuse", "leave"])
    first_interval: int = Field(ge=0, le=_INTERVAL_MAX)
    nonce: int = Field(ge=0, le=_INT64_MAX)
    signature: str = Field(pattern=_SIGNATURE)


@router.post("", status_code=201)
async def record(request: StepRequest, raw: Request, here: Here) -> dict[str, Any]:
    """Take a step of a party."""
    body = await raw.body()
    given = StepNotice(request.party, request.step, request.first_interval, request.nonce)
    return await here.desk.run(
        lambda: record_step(
            here.service,
            given=given,
            signature=bytes.fromhex(request.signature[2:]),
            body=body,
        )
    )


@router.get("")
def states(
    here: Here, interval: Annotated[int | None, Query(ge=0, le=_INTERVAL_MAX)] = None
) -> dict[str, Any]:
    """Return where every party stands in an interval, the current one by default."""
    service = here.service
    asked = service.rules.interval_of(service.clock.now_s()) if interval is None else interval
    with service.reading() as connection:
        found = dict(states_at(connection, asked))
    return {"interval": asked, "parties": {party: state.value for party, state in found.items()}}
