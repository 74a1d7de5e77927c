"""The S.A.F.E. file alone is enough to check the meter's signature."""

from dataclasses import replace

import pytest
from defusedxml.ElementTree import fromstring

from settlement.charging.documents.facts import Evidence
from settlement.charging.documents.signed_xml import NoRecordError, signed_xml
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import public_key_of, verify_record_der
from tests.unit.settlement.documents.samples import KEY, evidence, facts, record_of

NASTY = "a < b & c > d ]]&gt; ' é \r \r\n \t <![CDATA[ &#13;"


@pytest.mark.parametrize("vendor", ["Voisin", NASTY])
def test_gives_the_record_back_byte_for_byte(vendor):
    record = record_of(vendor)
    text = signed_xml(facts(evidence=replace(evidence(record_of()), record=record)))
    root = fromstring(text.encode())
    assert [one.tag for one in root.iter()] == ["values", "value", "publicKey", "signedData"]
    assert root[0].attrib == {"transactionId": "7", "context": "Transaction.End"}
    assert root[0][1].attrib == {"format": "OCMF", "encoding": "plain"}
    assert root[0][1].text == record


def test_holds_the_key_that_checks_it():
    root = fromstring(signed_xml(facts()).encode())
    key = public_key_of(root[0][0].text)
    verify_record_der(parse_record(root[0][1].text), key)


def test_names_no_transaction_where_none_was_numbered():
    root = fromstring(signed_xml(facts(transaction_id=None)).encode())
    assert root[0].attrib == {"context": "Transaction.End"}


@pytest.mark.parametrize(("key", "record"), [(KEY, None), (None, record_of())])
def test_is_refused_where_nothing_can_be_checked(key, record):
    with pytest.raises(NoRecordError):
        signed_xml(facts(evidence=Evidence("0x" + "aa" * 32, "M1", key, record, None, None)))
