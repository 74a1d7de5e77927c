"""A session at a station, and what its meter says."""

from settlement.charging.reports import MeterValue, Phase, TransactionReport
from settlement.engine.live.facts import Facts
from settlement.pricing.tariffs import Tariff

PRICE = 500_000
CHARGING = Facts(
    session_id="0x" + "5e" * 32,
    state="charging",
    station_id="CA-314",
    driver="0x" + "11" * 20,
    id_tag="TAG",
    transaction="7",
    deposit_micros=1_000_000,
    opened_s=0,
    deadline_s=10**6,
    requested_wh=2_000,
    rated_power_w=150_000,
    begin=(1_000, 0),
    tariff=Tariff("t", "EUR", PRICE, 0, 2_000),
    energy_wh=None,
    charge_micros=None,
    refund_micros=None,
    refund=None,
)


def told(at_s, register_wh, power_w=7_200, trigger=""):
    value = MeterValue(at_s, register_wh, power_w, "Sample.Periodic")
    return TransactionReport(
        "CA-314",
        Phase.UPDATED,
        "7",
        at_s,
        None,
        False,
        trigger,
        None,
        None,
        1,
        None,
        (value,),
        (),
        "key",
        b"",
    )
