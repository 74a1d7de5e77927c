"""What a session costs is what its tariff says, on two rails, and never more than its deposit."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest
from sqlalchemy import select

from contracts.typed_data import Domain, digest, sign
from devnet.field.service import Authorization, authorize
from ledger.tables import transfer
from ledger.units import UnixSeconds, WattHours, Watts
from scripts.benchmarks.charging.ending.forecourt import Stay, forecourt
from scripts.replay import places_of
from settlement.audit.reconciliation.breaks import all_breaks
from settlement.engine.bills.billing import bill_session
from settlement.engine.clockwork import tick
from settlement.tables import charge_line, event, session, tariff
from tests.integration.test_refunds import stops

TIMED = json.dumps(
    {
        "id": "evening",
        "country_code": "FR",
        "party_id": "VOI",
        "currency": "EUR",
        "tax_included": "YES",
        "last_updated": "2026-01-01T00:00:00Z",
        "elements": [
            {
                "price_components": [
                    {"type": "TIME", "price": 1.20, "vat": 20, "step_size": 1},
                    {"type": "ENERGY", "price": 0.40, "vat": 20, "step_size": 1},
                ]
            }
        ],
    }
)
ENERGY_MICROS, TIME_MICROS = 1_000_000, 1_200_000
"""2.5 kWh at 0.40, one hour at 1.20."""


class Court:
    """One car at one station, and everybody's view of it."""

    def __init__(self, here, client):
        self.here, self.client = here, client
        self.service, self.desk = here.running.service, here.running.desk
        self.plug = here.plugs[0]
        self.path = f"/api/sessions/{self.plug.session_id}"

    async def stop(self):
        (work,) = stops(self.here)
        return await self.desk.run(work)

    async def get(self, path=""):
        response = await self.client.get(self.path + path)
        return response.json() if response.is_success else (response.status_code, response.json())

    async def post(self, path, body):
        response = await self.client.post(self.path + path, json=body)
        return response.status_code, response.json()

    def transfers(self, *codes):
        with self.service.reading() as connection:
            rows = connection.execute(
                select(transfer).where(
                    transfer.c.trace_id == self.plug.session_id, transfer.c.code.in_(codes)
                )
            ).mappings()
            return {row["code"]: (row["debit"], row["credit"], row["amount"]) for row in rows}

    def lines(self):
        with self.service.reading() as connection:
            rows = connection.execute(select(charge_line).order_by(charge_line.c.position))
            return [
                (row.dimension, row.volume, row.net_micros + row.vat_micros, row.rail)
                for row in rows
            ]

    def row(self):
        with self.service.reading() as connection:
            return connection.execute(select(session)).mappings().one()

    async def pass_time(self, seconds):
        self.here.clock.set(UnixSeconds(self.here.clock.now_s() + seconds))
        await self.desk.run(lambda: tick(self.service))

    def cosigned(self, micros):
        """Sign a total as the driver."""
        identity, vault = self.service.identity, self.service.contracts.vault
        domain = Domain("Voisin", "1", identity.chain_id, vault.address)
        values = {"sessionId": self.plug.session_id, "totalMicros": micros}
        seal = sign(digest(domain, "SessionTotal", values), self.plug.driver.private_key)
        return {"total_micros": micros, "signature": "0x" + seal.hex()}

    def topped_up(self, asked):
        """Sign a top-up as the driver."""
        leave = Authorization(
            payer=self.plug.driver.address_hex,
            payee=asked["vault"],
            amount_micros=asked["amount_micros"],
            valid_after_s=asked["valid_after"],
            valid_before_s=asked["valid_before"],
            nonce=bytes.fromhex(asked["nonce"][2:]),
        )
        seal = authorize(leave, self.plug.driver, places_of(self.here.running))
        return {
            "deposit_micros": asked["deposit_micros"],
            "amount_micros": asked["amount_micros"],
            "valid_after": asked["valid_after"],
            "valid_before": asked["valid_before"],
            "signature": "0x" + seal.hex(),
        }


def at_a_station(tmp_path, stay, story):
    """Play ``story`` at one station, and see that no law was broken."""

    @asynccontextmanager
    async def court():
        async with (
            forecourt(tmp_path, 1, stay) as here,
            httpx2.AsyncClient(base_url=here.running.url, timeout=60) as client,
        ):
            yield Court(here, client)

    async def play():
        async with court() as one:
            await story(one)
            await one.desk.run(one.desk._follow.__self__.everything)
            row = one.row()
            with one.service.reading() as connection:
                assert all_breaks(connection) == ()
            if row["state"] == "closed":
                assert row["charge_micros"] + row["refund_micros"] == row["deposit_micros"]
                rails = [(gross, rail) for _, _, gross, rail in one.lines()]
                chain = sum(gross for gross, rail in rails if rail == "chain")
                assert chain == row["charge_micros"]
                assert sum(gross for gross, _ in rails) == row["total_micros"]

    asyncio.run(play())


class TestATariffWithTime:
    stay = Stay(tariff=TIMED)

    def test_is_quoted_whole_and_in_order(self, tmp_path):
        async def story(one):
            asked = {
                "station_id": one.plug.station,
                "driver": one.plug.driver.address_hex,
                "requested_wh": 8_000,
                "stay_s": 7_200,
            }
            answer = await one.client.post("/api/quotes", json=asked)
            quoted = answer.json()
            shown = quoted["tariff"]
            assert [each["dimension"] for each in shown["components"]] == ["ENERGY", "TIME"]
            assert quoted["terms"]["tariff_fingerprint"] == shown["fingerprint"]
            assert quoted["terms"]["price_micros_per_kwh"] == 400_000
            assert quoted["terms"]["deposit_micros"] == 8 * 400_000 + 2 * 1_200_000
            assert shown["contract"]["is_whole"] is False
            assert [each["code"] for each in quoted["afir"]] == ["afir_order"]

        at_a_station(tmp_path, self.stay, story)

    def test_is_taken_whole_if_the_driver_signs_the_total(self, tmp_path):
        async def story(one):
            await one.stop()
            assert (await one.get())["state"] == "closing"
            asked = await one.get("/cosign")
            total = int(asked["typed_data"]["message"]["totalMicros"])
            assert total == ENERGY_MICROS + TIME_MICROS
            status, view = await one.post("/cosign", one.cosigned(total))
            assert status == 201, view["detail"]
            assert (view["state"], view["charge_micros"]) == ("closed", str(total))
            again, same = await one.post("/cosign", one.cosigned(total))
            assert (again, same["charge_micros"]) == (200, str(total))
            assert one.lines() == [
                ("ENERGY", "2500", ENERGY_MICROS, "chain"),
                ("TIME", "3600", TIME_MICROS, "chain"),
            ]
            assert one.transfers("session-invoice") == {}

        at_a_station(tmp_path, self.stay, story)

    def test_is_invoiced_beyond_the_energy_if_the_driver_signs_nothing(self, tmp_path):
        async def story(one):
            await one.stop()
            await one.pass_time(119)
            assert (await one.get())["state"] == "closing"
            await one.pass_time(1)
            view = await one.get()
            assert (view["state"], view["charge_micros"]) == ("closed", str(ENERGY_MICROS))
            assert view["total_micros"] == str(ENERGY_MICROS + TIME_MICROS)
            assert one.lines() == [
                ("ENERGY", "2500", ENERGY_MICROS, "chain"),
                ("TIME", "3600", TIME_MICROS, "invoice"),
            ]
            driver = f"eur/invoice/{one.plug.driver.address_hex}"
            owner, state = "eur/invoice/operator", "eur/invoice/state"
            assert one.transfers("session-vat", "session-invoice", "session-invoice-vat") == {
                "session-vat": (owner, state, 166_667),
                "session-invoice": (driver, owner, TIME_MICROS),
                "session-invoice-vat": (owner, state, 200_000),
            }

        at_a_station(tmp_path, self.stay, story)

    @pytest.mark.parametrize(
        ("micros", "code"),
        [(ENERGY_MICROS, "total_differs"), (ENERGY_MICROS + TIME_MICROS + 1, "total_differs")],
    )
    def test_takes_no_other_total(self, tmp_path, micros, code):
        async def story(one):
            await one.stop()
            status, problem = await one.post("/cosign", one.cosigned(micros))
            assert (status, problem["code"]) == (409, code)
            assert (await one.get())["state"] == "closing"

        at_a_station(tmp_path, self.stay, story)

    def test_takes_nobody_elses_signature(self, tmp_path):
        async def story(one):
            await one.stop()
            total = ENERGY_MICROS + TIME_MICROS
            signed = one.cosigned(total) | {"signature": one.cosigned(total - 1)["signature"]}
            status, problem = await one.post("/cosign", signed)
            assert (status, problem["code"]) == (403, "foreign_cosignature")
            assert (await one.get())["state"] == "closing"

        at_a_station(tmp_path, self.stay, story)

    @pytest.mark.parametrize(
        ("clock", "micros"),
        [("S", ENERGY_MICROS + TIME_MICROS), ("R", ENERGY_MICROS + TIME_MICROS)]
        + [(clock, ENERGY_MICROS) for clock in "IU"],
    )
    def test_bills_time_only_if_the_meter_counted_it(self, tmp_path, clock, micros):
        async def story(one):
            await one.stop()
            row = one.row()
            text = row["record"].replace("+0000 S", f"+0000 {clock}")
            with one.service.reading() as connection:
                billed = bill_session(one.service, connection, row, row["energy_wh"], text)
            assert billed.rated.gross_micros == micros

        at_a_station(tmp_path, self.stay, story)

    def test_waits_for_no_signature_while_the_car_charges(self, tmp_path):
        async def story(one):
            status, problem = await one.get("/cosign")
            assert (status, problem["code"]) == (409, "nothing_to_cosign")

        at_a_station(tmp_path, self.stay, story)

    def test_stays_that_of_the_session_when_the_station_gets_another(self, tmp_path):
        async def story(one):
            dearer = TIMED.replace("0.4", "4.0")
            stations = dict.fromkeys(one.service.rules.station_tariffs, dearer)
            changed = replace(one.service.rules, station_tariffs=stations)
            object.__setattr__(one.service, "rules", changed)
            await one.stop()
            await one.pass_time(120)
            assert (await one.get())["charge_micros"] == str(ENERGY_MICROS)
            shown = await one.get("/tariff")
            assert json.loads(shown["document"]) == json.loads(TIMED)
            with one.service.reading() as connection:
                kept = connection.execute(select(tariff.c.fingerprint)).scalars().all()
            assert kept == [shown["fingerprint"]]

        at_a_station(tmp_path, self.stay, story)


class TestADeposit:
    def test_is_never_overrun_at_150_kw_and_a_second_of_latency(self, tmp_path):
        """What flows in that second is the operator's to bear, on no rail the driver's."""
        late_wh = 150_000 // 3_600 + 1
        stay = Stay(
            requested_wh=WattHours(60_000),
            energy_wh=WattHours(60_000 + late_wh),
            rated_w=Watts(150_000),
        )

        async def story(one):
            deposit = int((await one.get())["deposit_micros"])
            await one.stop()
            view = await one.get()
            owed = (60_000 + late_wh) * 391_700 // 1_000
            assert (view["state"], view["charge_micros"]) == ("closed", str(deposit))
            assert (view["refund_micros"], view["total_micros"]) == ("0", str(deposit))
            assert view["overrun_micros"] == str(owed - deposit)
            assert owed > deposit
            assert one.lines() == [
                ("ENERGY", str(60_000 + late_wh), owed, "chain"),
                ("OVERRUN", "1", deposit - owed, "chain"),
            ]
            assert one.transfers("session-invoice") == {}

        at_a_station(tmp_path, stay, story)

    def test_is_raised_by_one_more_signature(self, tmp_path):
        async def story(one):
            before = int((await one.get())["deposit_micros"])
            asked = await one.get("/top-ups?amount_micros=2000000")
            assert asked["deposit_micros"] == before
            signed = one.topped_up(asked)
            status, view = await one.post("/top-ups", signed)
            assert (status, view["deposit_micros"]) == (201, str(before + 2_000_000))
            again, same = await one.post("/top-ups", signed)
            assert (again, same["deposit_micros"]) == (200, str(before + 2_000_000))
            await one.stop()
            view = await one.get()
            assert view["charge_micros"] == str(2_500 * 391_700 // 1_000)
            names = ["session_top_up_requested", "session_topped_up"]
            with one.service.reading() as connection:
                told = connection.execute(
                    select(event.c.name).where(event.c.name.in_(names)).order_by(event.c.seq)
                )
                assert told.scalars().all() == names

        at_a_station(tmp_path, Stay(), story)

    def test_is_raised_only_from_what_it_was_signed_on_top_of(self, tmp_path):
        async def story(one):
            first = one.topped_up(await one.get("/top-ups?amount_micros=1000000"))
            second = one.topped_up(await one.get("/top-ups?amount_micros=2000000"))
            assert (await one.post("/top-ups", first))[0] == 201
            status, problem = await one.post("/top-ups", second)
            assert (status, problem["code"]) == (409, "deposit_moved")

        at_a_station(tmp_path, Stay(), story)

    @pytest.mark.parametrize(
        ("amount", "code", "status"),
        [
            (0, "top_up_amount", 422),
            (2**53, "top_up_amount", 422),
        ],
    )
    def test_is_not_raised_by_nothing_nor_by_more_than_there_is(
        self, tmp_path, amount, code, status
    ):
        async def story(one):
            found, problem = await one.get(f"/top-ups?amount_micros={amount}")
            assert (found, problem["code"]) == (status, code)

        at_a_station(tmp_path, Stay(), story)

    def test_is_not_raised_without_the_money_the_signature_or_a_session(self, tmp_path):
        async def story(one):
            much = one.topped_up(await one.get("/top-ups?amount_micros=1000000000"))
            status, problem = await one.post("/top-ups", much)
            assert (status, problem["code"]) == (409, "top_up_too_large")
            little = one.topped_up(await one.get("/top-ups?amount_micros=1000000"))
            other = little | {"amount_micros": 1_000_001}
            status, problem = await one.post("/top-ups", other)
            assert (status, problem["code"]) == (502, "top_up_refused")
            await one.stop()
            status, problem = await one.post("/top-ups", little)
            assert (status, problem["code"]) == (409, "not_raisable")
            found = await one.client.get(f"/api/sessions/0x{'0' * 64}/top-ups?amount_micros=1")
            assert (found.status_code, found.json()["code"]) == (404, "unknown_session")

        at_a_station(tmp_path, Stay(), story)
