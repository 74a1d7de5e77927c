"""A session that is over, its record signed for real; tests change what they look at."""

import hashlib
from dataclasses import replace

import coincurve

from settlement.charging.documents.facts import (
    AgreedTariff,
    Evidence,
    Finality,
    LogEntry,
    Money,
    SessionFacts,
    Stretch,
    Times,
    Transaction,
)
from settlement.charging.documents.lines import simple_lines
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_energy import register_pair
from settlement.metering.signatures import Curve, MeterKey, MeterKind
from settlement.pricing.tariffs import Tariff

PRIVATE = coincurve.PrivateKey(b"m" * 32)
KEY = MeterKey(
    curve=Curve.SECP256K1,
    public_key=PRIVATE.public_key.format(compressed=False)[1:],
    kind=MeterKind.STATION,
    rated_power_w=22_000,
    valid_from_s=0,
    valid_until_s=2**40,
)
START_S = 1_494_252_000
"""2017-05-08T14:00:00Z."""
TARIFF = Tariff("sierra-ac", "EUR", 391_700, 350_000, 2_000)


def record_of(vendor="Voisin", begin="4430.127", end="4448.856"):
    """Sign a record; ``vendor`` is free text of the meter."""
    payload = (
        f'{{"FV":"1.4","GI":"{vendor}","PG":"T7","MS":"M1","ID":"AB12","RD":['
        f'{{"TM":"2017-05-08T14:00:00,000+0000 S","TX":"B","RV":{begin},"RI":"1-b:1.8.0",'
        f'"RU":"kWh","ST":"G"}},{{"TM":"2017-05-08T16:30:00,000+0000 S","TX":"E","RV":{end},'
        f'"RI":"1-b:1.8.0","RU":"kWh","ST":"G"}}]}}'
    )
    signature = PRIVATE.sign(hashlib.sha256(payload.encode()).digest(), hasher=None).hex()
    return f'OCMF|{payload}|{{"SA":"ECDSA-secp256k1-SHA256","SD":"{signature}"}}'


def agreed(**changes):
    found = AgreedTariff(
        fingerprint=f"0x{TARIFF.fingerprint.hex()}",
        tariff_id=TARIFF.tariff_id,
        text=TARIFF.canonical.decode(),
        price_micros_per_kwh=TARIFF.price_micros_per_kwh,
        flat_micros=TARIFF.flat_micros,
        vat_bp=TARIFF.vat_rate_bp,
    )
    return replace(found, **changes)


def money(deposit=10_000_000, charge=7_686_149, energy=18_729, tariff=None):
    return Money(
        deposit_micros=deposit,
        charge_micros=charge,
        refund_micros=deposit - charge,
        overrun_micros=0,
        lines=simple_lines(energy, charge, tariff or agreed()),
    )


def evidence(record):
    begin, end = register_pair(parse_record(record))
    return Evidence("0x" + "aa" * 32, "M1", KEY, record, begin, end)


def facts(**changes):
    """Return a session of 18,729 Wh in two and a half hours, the last half of one idle."""
    found = SessionFacts(
        session_id="0x" + "0123456789abcdef" * 4,
        state="closed",
        station_id="CA-314",
        community="Sierra Crest",
        operator="operator",
        driver="0x" + "bb" * 20,
        id_tag="AB12",
        transaction_id=7,
        currency="EUR",
        times=Times(START_S - 60, START_S, START_S + 9_000, START_S + 9_001, -420),
        energy_wh=18_729,
        money=money(),
        tariff=agreed(),
        evidence=evidence(record_of()),
        stretches=(
            Stretch(START_S, START_S + 3_600, 10_000, parking=False),
            Stretch(START_S + 3_600, START_S + 7_200, 8_729, parking=False),
            Stretch(START_S + 7_200, START_S + 9_000, 0, parking=True),
        ),
        opening=Transaction("0x" + "01" * 32, 10, Finality.FINAL),
        settlement=Transaction("0x" + "02" * 32, 20, Finality.FINAL),
        entries=(LogEntry("s/hold", "hold", 3), LogEntry("s/charge", "charge", 9)),
        sun_wh=None,
    )
    return replace(found, **changes)
