"""Plan the transaction that ends a session: by its meter's record, and by a signed total."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping

from ledger.units import Micros
from settlement.chain.outbox import Call
from settlement.charging.terms import contract_tuple
from settlement.engine.charging.running import opening_of, terms_of
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.engine.vault_postings import closing_key
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain

_CLOSE_GAS: Final = 900_000


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A total that the driver has signed (EIP-712 ``SessionTotal``)."""

    total_micros: Micros
    """The total, VAT included."""
    signature: bytes
    """r, s, v: 65 bytes."""


def plan_closing(service: Service, connection: Connection, found: RowMapping, call: Call) -> str:
    """Plan the closing of a session; return the transaction's hash. Idempotent by session."""
    return service.outbox.plan(
        connection,
        business_key=closing_key(found["session_id"]),
        trace_id=found["session_id"],
        call=call,
    )


def closing_call(
    service: Service,
    connection: Connection,
    found: RowMapping,
    text: str,
    cosigned: Cosignature | None = None,
) -> Call:
    """
    Return the call that closes a session with the signed record ``text``.

    Raises
    ------
    UnknownMeterError
        If the meter's key is not valid now.
    """
    terms, record = terms_of(found), parse_record(text)
    key = meter_key(connection, terms.meter_id, service.clock.now_s())
    vault = service.contracts.vault
    evidence = (
        contract_tuple(terms),
        opening_of(found).contract_tuple(),
        record.payload,
        signature_for_chain(record, key),
    )
    if cosigned is None:
        data = vault.encode("closeWithOcmf", *evidence)
        return Call(vault.address, data, "ChargeVault.closeWithOcmf", _CLOSE_GAS)
    data = vault.encode("closeCosigned", *evidence, cosigned.total_micros, cosigned.signature)
    return Call(vault.address, data, "ChargeVault.closeCosigned", _CLOSE_GAS)
