"""What was refused: for the operator to see, and to have judged again after a fix."""

from time import perf_counter_ns
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from api.dependencies import Context, context
from settlement.engine.quarantine.replaying import Wanted, refusals, replay

router = APIRouter(tags=["operations"])
Here = Annotated[Context, Depends(context)]

_LIMIT_MAX: Final = 200
_LIMIT: Final = 50
_NAME_MAX: Final = 128
_SEQ_MAX: Final = 2**63 - 1


@router.get("/api/quarantine")
def quarantine(
    here: Here,
    *,
    limit: Annotated[int, Query(ge=1, le=_LIMIT_MAX)] = _LIMIT,
    before: Annotated[int | None, Query(ge=0, le=_SEQ_MAX)] = None,
    station: Annotated[str | None, Query(max_length=_NAME_MAX)] = None,
    code: Annotated[str | None, Query(max_length=_NAME_MAX)] = None,
) -> dict[str, Any]:
    """Return what was refused, the newest first; ``next_before`` asks for the page after."""
    wanted = Wanted(limit=limit, before_seq=before, source=station, code=code)
    found = refusals(here.service, wanted)
    more = len(found) == limit
    return {"refusals": found, "next_before": found[-1]["seq"] if more else None}


@router.post("/api/quarantine/{seq}/replay")
async def judge_again(seq: int, here: Here) -> dict[str, Any]:
    """Judge a refused message again; once it is accepted, the answer stays the same."""
    began_ns = perf_counter_ns()
    outcome = await here.desk.run(
        lambda: replay(here.service, seq, elapsed_ns=lambda: perf_counter_ns() - began_ns)
    )
    return dict(outcome)
