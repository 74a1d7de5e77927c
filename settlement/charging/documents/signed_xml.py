"""
Write a session's signed record so that the S.A.F.E. transparency software opens it.

The form is that software's ``values.xsd``: ``values`` holds a ``value`` per record, with the
meter's public key and the record, not a byte of it changed.
"""

from typing import Final
from xml.sax.saxutils import escape

from ledger.errors import NotFound
from settlement.charging.documents.facts import SessionFacts
from settlement.charging.documents.receipt import public_key_der

MEDIA_TYPE: Final = "application/xml"
_CARRIAGE_RETURN: Final = {"\r": "&#13;"}


class NoRecordError(NotFound):
    """No meter's record is kept of the session: none has come yet, or a gateway signed."""

    def __init__(self, session_id: str) -> None:
        super().__init__("no_record", f"no signed record is kept of session {session_id}")


def signed_xml(facts: SessionFacts) -> str:
    """
    Return the record and the meter's key in the transparency software's XML.

    A reader of XML gives the record back byte for byte: what XML would take for markup is escaped,
    and so are carriage returns, which it would drop.

    Raises
    ------
    NoRecordError
        If there is no record, or nobody's key to check it with.
    """
    record, key = facts.evidence.record, facts.evidence.key
    if record is None or key is None:
        raise NoRecordError(facts.session_id)
    number = "" if facts.transaction_id is None else f' transactionId="{facts.transaction_id}"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<values>\n  <value{number} context="Transaction.End">\n'
        f'    <publicKey encoding="hex">{public_key_der(key).hex().upper()}</publicKey>\n'
        f'    <signedData format="OCMF" encoding="plain">{escape(record, _CARRIAGE_RETURN)}'
        "</signedData>\n  </value>\n</values>\n"
    )
