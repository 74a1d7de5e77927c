"""A member asks why its energy was sold, bought or left, and is told with the numbers behind it."""

import contextlib

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.desk import Desk
from settlement.tables import line, run
from tests.integration.community import context_of
from tests.integration.late_street import late_street

SUN, SHADE, STILL = "home-01", "home-02", "home-03"


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Settle an hour of a seller and a buyer; give what each home is told, by home."""
    with (
        late_street(tmp_path_factory.mktemp("why")) as street,
        contextlib.closing(Desk()) as desk,
    ):
        street.turn(home_01=-3_000, home_02=1_000)
        street.say_all()
        street.wait()
        with TestClient(create_app(context_of(street.service, desk))) as client:
            told = {
                name: client.get(f"/api/members/{street.wallet(name)}/explanations/{street.first}")
                for name in (SUN, SHADE, STILL)
            }
            early = f"/api/members/{street.wallet(SUN)}/explanations/{street.first + 1}"
            with street.service.reading() as connection:
                [settled] = connection.execute(run.select()).mappings()
                lines = connection.execute(line.select()).mappings().all()
            yield {
                "told": {name: one.json() for name, one in told.items()},
                "early": client.get(early),
                "run": settled,
                "sold_wh": sum(one["energy_wh"] for one in lines if one["kind"] == "energy"),
            }


def test_what_was_served_is_what_the_lines_say(asked):
    told = asked["told"]
    [sale], [purchase] = told[SUN]["orders"], told[SHADE]["orders"]
    assert asked["sold_wh"] > 0
    assert (sale["side"], sale["energy_wh"]) == ("sell", 3_000)
    assert (purchase["side"], purchase["energy_wh"]) == ("buy", 1_000)
    assert sale["served_wh"] == purchase["served_wh"] == asked["sold_wh"]
    assert told[SUN]["run"] == asked["run"]["run"]


def test_a_reason_comes_with_its_numbers_and_in_both_languages(asked):
    [sale] = asked["told"][SUN]["orders"]
    assert sale["reason"] == "at_the_margin"
    assert sale["numbers"]["price_per_kwh"] == sale["limit_micros_per_kwh"]
    assert "1 kWh" in sale["sentence"]["en"]
    assert "1 kWh" in sale["sentence"]["fr"]
    assert sale["sentence"]["en"] != sale["sentence"]["fr"]


def test_who_wanted_nothing_is_told_of_nothing(asked):
    assert asked["told"][STILL]["orders"] == []


def test_an_interval_that_is_not_settled_is_named(asked):
    assert asked["early"].status_code == 404
    assert asked["early"].json()["code"] == "not_settled"
