"""Signed meter readings of homes and of the feeder head."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from ledger.units import UnixSeconds, WattHours
from settlement.engine.market import readings
from settlement.metering.readings import Quality, Reading, Register

router = APIRouter(tags=["metering"])
Here = Annotated[Context, Depends(context)]

_UINT64_MAX = 2**63 - 1
_REGISTERS = {one.name.lower(): one for one in Register}
_QUALITIES = {one.name.lower(): one for one in Quality}


class SignedReading(BaseModel):
    """One register at one instant, signed by the meter's gateway (decision 0003)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    meter_id: str = Field(pattern=r"^0x[0-9a-f]{64}$")
    register_name: Literal["import", "export", "generation"] = Field(alias="register")
    at_s: int = Field(ge=0, le=_UINT64_MAX)
    sequence: int = Field(ge=0, le=_UINT64_MAX)
    energy_wh: int = Field(ge=0, le=_UINT64_MAX)
    quality: Literal["measured", "estimated", "substituted"]
    signature: str = Field(pattern=r"^0x[0-9a-f]{130}$")

    def domain(self) -> readings.SignedReading:
        """Return the reading as the rules know it."""
        return readings.SignedReading(
            reading=Reading(
                meter_id=self.meter_id,
                register=_REGISTERS[self.register_name],
                at_s=UnixSeconds(self.at_s),
                sequence=self.sequence,
                energy_wh=WattHours(self.energy_wh),
                quality=_QUALITIES[self.quality],
            ),
            signature=bytes.fromhex(self.signature[2:]),
            body=self.canonical(),
        )

    def canonical(self) -> bytes:
        """
        Return the reading as JSON, its names in order: what is kept as evidence.

        The fields' patterns leave nothing that JSON would have to escape.
        """
        return (
            f'{{"at_s": {self.at_s}, "energy_wh": {self.energy_wh}, "meter_id": "{self.meter_id}", '
            f'"quality": "{self.quality}", "register": "{self.register_name}", '
            f'"sequence": {self.sequence}, "signature": "{self.signature}"}}'
        ).encode()


class Batch(BaseModel):
    """Readings sent together; each is judged on its own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    readings: list[SignedReading] = Field(min_length=1, max_length=1_000)


@router.post("/api/readings")
async def record(batch: Batch, here: Here) -> dict[str, Any]:
    """Judge each reading; answer one by one: accepted, replayed or refused with a code."""
    given = tuple(one.domain() for one in batch.readings)
    answers = await here.desk.run(lambda: readings.record_readings(here.service, given))
    here.readings_came.set()
    return {
        "readings": [
            {"status": one.status} | ({"code": one.code, "detail": one.detail} if one.code else {})
            for one in answers
        ]
    }
