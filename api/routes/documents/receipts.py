"""Receipts of sessions: JSON, PDF, and the signed record for the S.A.F.E. transparency software."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Response

from api.dependencies import Context, context
from api.documents.receipt_pdf import PDF_TYPE, receipt_pdf
from settlement.charging.documents.facts import SessionFacts
from settlement.charging.documents.receipt import receipt
from settlement.charging.documents.signed_xml import MEDIA_TYPE, signed_xml
from settlement.engine.charging.documents.gathering import facts_of

router = APIRouter(prefix="/api/sessions/{session_id}", tags=["after a session"])
Here = Annotated[Context, Depends(context)]
Language = Annotated[Literal["en", "fr"] | None, Query(description="Language; else the reader's.")]

# A receipt says more while its transaction becomes final.
_NOW: Final = {"Cache-Control": "no-cache"}
_NAME_CHARACTERS: Final = 10


@router.get("/receipt.json")
def receipt_json(session_id: str, here: Here, response: Response) -> dict[str, Any]:
    """Return what was measured, what it cost, what came back, and how to check all of it."""
    response.headers.update(_NOW)
    return receipt(_facts(here, session_id))


@router.get("/receipt.pdf", response_class=Response)
def receipt_paper(
    session_id: str,
    here: Here,
    lang: Language = None,
    accept_language: Annotated[str, Header()] = "",
) -> Response:
    """Return the same on paper, with record, S.A.F.E. file and JSON attached."""
    french = accept_language.lower().lstrip().startswith("fr")
    content = receipt_pdf(_facts(here, session_id), lang or ("fr" if french else "en"))
    headers = _NOW | _named(session_id, "pdf", "inline") | {"Vary": "Accept-Language"}
    return Response(content, media_type=PDF_TYPE, headers=headers)


@router.get("/signed.xml", response_class=Response)
def signed_values(session_id: str, here: Here) -> Response:
    """Return the meter's signed record and key in the form of the transparency software."""
    content = signed_xml(_facts(here, session_id))
    headers = _NOW | _named(session_id, "xml", "attachment")
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


def _facts(here: Context, session_id: str) -> SessionFacts:
    with here.service.reading() as connection:
        return facts_of(here.service, connection, session_id)


def _named(session_id: str, ending: str, how: str) -> dict[str, str]:
    """Return the header that names a file after its session; only a session's id gets here."""
    name = session_id[:_NAME_CHARACTERS]
    return {"Content-Disposition": f'{how}; filename="voisin-{name}.{ending}"'}
