"""Monthly statements of members, and the credit notes that amend them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from api.dependencies import Context, context
from settlement.engine.market.statements import documents

router = APIRouter(tags=["statements"])
Here = Annotated[Context, Depends(context)]
Wallet = Annotated[str, Path(pattern=r"^0x[0-9a-f]{40}$")]
Number = Annotated[str, Path(max_length=16, description="Such as S-000001 or C-000002")]


@router.get("/api/members/{wallet}/statements")
def statements(wallet: Wallet, here: Here) -> dict[str, Any]:
    """Return a member's statements and credit notes, oldest first; money in micros, as text."""
    with here.service.reading() as connection:
        return {"statements": documents.listed(connection, wallet)}


@router.get("/api/members/{wallet}/statements/{number}")
def statement(
    wallet: Wallet,
    number: Number,
    here: Here,
    *,
    lines: Annotated[bool, Query(description="Whether to return every line too.")] = False,
) -> dict[str, Any]:
    """Return one statement or credit note, which never changes; its lines if asked for."""
    with here.service.reading() as connection:
        return documents.fetched(here.service, connection, wallet, number, lines=lines)
