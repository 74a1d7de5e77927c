"""Tolls and caps of zones, as the grid operator decides them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.engine.grid.ruling import record_rule, zones_at
from settlement.trading.grid.rules import ZoneRule

router = APIRouter(prefix="/api/grid", tags=["grid operator"])
Here = Annotated[Context, Depends(context)]

_SIGNATURE: Final = r"^0x[0-9a-f]{130}$"
_INT64_MAX: Final = 2**63 - 1
_INTERVAL_MAX: Final = 2**40


class RuleRequest(BaseModel):
    """Tolls and caps of a zone, signed by the grid operator; a cap of null is no cap."""

    model_config = ConfigDict(extra="forbid", strict=True)

    first_interval: int = Field(ge=0, le=_INTERVAL_MAX)
    zone: str = Field(min_length=1, max_length=64)
    local_toll: int
    edge_toll: int
    import_cap_wh: int | None
    export_cap_wh: int | None
    nonce: int = Field(ge=0, le=_INT64_MAX)
    signature: str = Field(pattern=_SIGNATURE)

    def domain(self) -> ZoneRule:
        """Return the rule as the market knows it."""
        return ZoneRule(
            first_interval=self.first_interval,
            zone=self.zone,
            local_toll=MicrosPerKilowattHour(self.local_toll),
            edge_toll=MicrosPerKilowattHour(self.edge_toll),
            import_cap_wh=_cap(self.import_cap_wh),
            export_cap_wh=_cap(self.export_cap_wh),
            nonce=self.nonce,
        )


def _cap(given: int | None) -> WattHours | None:
    return None if given is None else WattHours(given)


@router.post("/rules", status_code=201)
async def record(request: RuleRequest, raw: Request, here: Here) -> dict[str, Any]:
    """Take tolls and caps of a zone; they count from their first interval on."""
    body = await raw.body()
    return await here.desk.run(
        lambda: record_rule(
            here.service,
            given=request.domain(),
            signature=bytes.fromhex(request.signature[2:]),
            body=body,
        )
    )


@router.get("/zones")
def zones(
    here: Here,
    interval: Annotated[int | None, Query(ge=0, le=_INTERVAL_MAX)] = None,
) -> dict[str, Any]:
    """Return the zones with their tolls and caps in an interval, the current one by default."""
    service = here.service
    asked = service.rules.interval_of(service.clock.now_s()) if interval is None else interval
    with service.reading() as connection:
        tree = zones_at(connection, service.rules.tree, asked)
    return {
        "interval": asked,
        "begin_s": service.rules.start_s(asked),
        "zones": [
            {
                "name": zone.name,
                "parent": zone.parent,
                "local_toll": zone.local_toll,
                "edge_toll": zone.edge_toll,
                "import_cap_wh": zone.import_cap_wh,
                "export_cap_wh": zone.export_cap_wh,
            }
            for zone in tree.zones
        ],
    }
