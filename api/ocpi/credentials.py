"""
Exchange credentials with an eMSP (OCPI 2.2.1, credentials module).

It comes with the token that the operator gave it, and brings its own and the address of its
versions. We look up where it takes charge detail records, and give it the token it is to use from
then on; the one it came with counts no more.
"""

import base64
import json
from typing import Annotated, Any, Final

import httpx2
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.delivery.addresses import located
from api.dependencies import Context, context
from api.ocpi.endpoints import VERSION, Known, OcpiRoute
from api.ocpi.envelope import answer
from ledger.errors import InvalidRequest
from settlement.charging.documents.exact import exact_json
from settlement.charging.documents.issuer import Issuer
from settlement.engine.charging.documents import partners

router = APIRouter(prefix=f"/ocpi/{VERSION}/credentials", tags=["OCPI"], route_class=OcpiRoute)
Here = Annotated[Context, Depends(context)]

_TIMEOUT_S: Final = 10
_ANSWER_BYTES_MAX: Final = 1 << 20
_RECEIVER: Final = "RECEIVER"


class PartnerUnreadableError(InvalidRequest):
    """The eMSP's own OCPI endpoints do not answer, or not as OCPI does."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__("partner_unreadable", f"{url}: {detail}")


class Credentials(BaseModel):
    """The eMSP's token and where its versions are; further fields are its own business."""

    model_config = ConfigDict(extra="ignore")

    token: str = Field(min_length=1, max_length=64)
    url: str = Field(max_length=255)


@router.get("", response_class=Response)
def current(request: Request, here: Here, known: Known) -> Response:
    """Return our credentials; the token in them is the one that was sent, never read back."""
    sent = base64.b64decode(request.headers["authorization"][6:]).decode()
    document = _document(here.issuer, sent if known.connected else "")
    return answer(request, here.service.clock, exact_json(document))


@router.post("", response_class=Response)
async def register(given: Credentials, request: Request, here: Here, known: Known) -> Response:
    """Connect an eMSP for the first time."""
    if known.connected:
        raise partners.AlreadyConnectedError(known.name)
    return await _connect(given, request, here, known)


@router.put("", response_class=Response)
async def renew(given: Credentials, request: Request, here: Here, known: Known) -> Response:
    """Change an eMSP's credentials, and ours with them."""
    if not known.connected:
        raise partners.NotConnectedError(known.name)
    return await _connect(given, request, here, known)


@router.delete("", response_class=Response)
async def unregister(request: Request, here: Here, known: Known) -> Response:
    """Forget an eMSP; its token counts no more."""
    await here.writer.run_soon(lambda connection: partners.disconnect(connection, known))
    return answer(request, here.service.clock, None)


async def _connect(
    given: Credentials, request: Request, here: Context, known: partners.Partner
) -> Response:
    async with httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
        asking = _Asking(client, given.token, private=here.private_addresses)
        receiver = await asking.receiver(given.url)
    token = await here.writer.run_soon(
        lambda connection: partners.connect(connection, known, url=receiver, send_token=given.token)
    )
    document = _document(here.issuer, token)
    return answer(request, here.service.clock, exact_json(document))


class _Asking:
    """Asks an eMSP for its versions and endpoints."""

    def __init__(self, client: httpx2.AsyncClient, token: str, *, private: bool) -> None:
        self._client: Final = client
        self._token: Final = base64.b64encode(token.encode()).decode()
        self._private: Final = private

    async def receiver(self, versions_url: str) -> str:
        """Return where it takes charge detail records; the empty string if it only asks."""
        spoken = _named(await self._data(versions_url), "version", VERSION)
        if not spoken:
            raise PartnerUnreadableError(versions_url, f"it does not speak {VERSION}")
        details = await self._data(str(spoken[0].get("url")))
        endpoints = details.get("endpoints") if isinstance(details, dict) else None
        found = [
            one for one in _named(endpoints, "identifier", "cdrs") if one.get("role") == _RECEIVER
        ]
        if not found:
            return ""
        await located(str(found[0].get("url")), private=self._private)
        return str(found[0].get("url"))

    async def _data(self, url: str) -> Any:  # noqa: ANN401 - what a stranger's JSON holds
        address = await located(url, private=self._private)
        content = bytearray()
        try:
            async with self._client.stream(
                "GET",
                address.url,
                headers={"host": address.host, "authorization": f"Token {self._token}"},
                extensions={"sni_hostname": address.name},
            ) as found:
                async for part in found.aiter_bytes():
                    content += part
                    if len(content) > _ANSWER_BYTES_MAX:
                        raise PartnerUnreadableError(url, "answers without an end")
        except httpx2.HTTPError as fault:
            raise PartnerUnreadableError(url, f"no answer: {fault!r}") from fault
        try:
            return json.loads(content)["data"]
        except (ValueError, TypeError, KeyError) as fault:
            raise PartnerUnreadableError(url, "no envelope of OCPI") from fault


def _named(found: object, name: str, value: str) -> list[dict[str, Any]]:
    """Return the objects of a stranger's list whose field ``name`` is ``value``."""
    if not isinstance(found, list):
        return []
    return [one for one in found if isinstance(one, dict) and one.get(name) == value]


def _document(issuer: Issuer, token: str) -> dict[str, Any]:
    return {
        "token": token,
        "url": f"{issuer.public_url}/ocpi/versions",
        "roles": [
            {
                "role": "CPO",
                "business_details": {"name": issuer.name},
                "party_id": issuer.party_id,
                "country_code": issuer.country_code,
            }
        ],
    }
