"""The demo's summary names one car and the roofs that its sun came from."""

import io

from rich.console import Console

from scripts.summary import Summary, TracedCar, show

ROOFS = (("home-07", 2_100), ("home-03", 900), ("home-01", 80), ("home-02", 9), ("home-04", 1))
TOTALS = dict.fromkeys(
    (
        *("intervals", "sessions_closed", "requested_wh", "delivered_wh", "traded_wh"),
        *("traded_home_to_home_wh", "sun_to_cars_wh", "deposited_micros", "charged_micros"),
        *("refunded_micros", "chain_transactions", "quarantined", "neighbour_micros"),
        *("tolls_micros", "levy_micros", "trade_vat_micros", "vat_micros", "residual_micros"),
        "moved_micros",
    ),
    0,
)


def summary(traced):
    return Summary(
        totals=TOTALS,
        refund_ms=None,
        duration_s=1,
        setup_s=1,
        laws={},
        roots={},
        sample_session="0xab",
        sample_interval=None,
        traced=traced,
    )


def shown(traced, url="http://here"):
    file = io.StringIO()
    show(Console(file=file, width=200), summary(traced), url)
    return file.getvalue()


class TestTheTracedCar:
    CAR = TracedCar("0xcar", "CA-491", 32_489, ROOFS)

    def test_is_said_with_its_roofs_and_where_to_look(self):
        text = shown(self.CAR)
        assert "32.489 kWh at CA-491, 3.090 kWh of it sun" in text
        assert "2.100 kWh from home-07, 0.900 kWh from home-03, 0.080 kWh from home-01, " in text
        assert "0.009 kWh from home-02, 0.001 kWh from 1 more" in text
        assert "http://here/api/sessions/0xcar/origin" in text

    def test_is_not_said_if_no_car_took_sun(self):
        text = shown(None)
        assert "traced to its roofs" not in text
        assert "origin" not in text
        assert summary(None).document()["traced"] is None

    def test_adds_up_for_machines(self):
        found = summary(self.CAR).document()["traced"]
        assert found["session"] == "0xcar"
        assert found["sun_wh"] == sum(found["roofs_wh"].values()) == 3_090
