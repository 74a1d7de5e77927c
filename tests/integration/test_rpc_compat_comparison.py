"""What compares answers with the vectors lets nothing wrong pass."""

from copy import deepcopy
from typing import Any

import pytest

from tests.integration.rpc_compat import Vector, all_vectors, differences, misfits, unequal

ERROR = {"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "no", "data": "0x01"}}


@pytest.mark.parametrize("vector", all_vectors(), ids=lambda vector: vector.name)
def test_the_expected_answer_is_as_expected(vector: Vector) -> None:
    for exchange in vector.exchanges:
        for shape_alone in (False, True):
            assert not differences(exchange.expected, exchange.expected, shape_alone=shape_alone)


@pytest.mark.parametrize("vector", all_vectors(), ids=lambda vector: vector.name)
def test_the_opposite_is_not(vector: Vector) -> None:
    for exchange in vector.exchanges:
        wrong: dict[str, Any] = {"jsonrpc": "2.0", "id": exchange.expected["id"]}
        if "error" in exchange.expected:
            wrong["result"] = None
        else:
            wrong["error"] = {"code": -32601, "message": "not available"}
        assert differences(wrong, exchange.expected, shape_alone=vector.is_shape_alone)


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32000, "message": "no", "data": "0x01"},
        {"code": 3, "message": "", "data": "0x01"},
        {"code": 3, "message": "no"},
        {"code": 3, "message": "no", "data": "0x02"},
    ],
)
def test_an_error_has_the_code_and_the_data_and_says_something(error: dict[str, Any]) -> None:
    answer = {"jsonrpc": "2.0", "id": 1, "error": error}
    assert differences(answer, ERROR, shape_alone=False)


def test_the_words_of_an_error_are_free() -> None:
    answer = deepcopy(ERROR)
    answer["error"]["message"] = "something else"  # type: ignore[index]
    assert not differences(answer, ERROR, shape_alone=False)


@pytest.mark.parametrize(
    ("ours", "expected"),
    [(1, True), ("0x1", "0x01"), ([1], [1, 2]), ({"a": 1}, {}), ({}, {"a": 1}), (None, "0x")],
)
def test_what_differs_is_found(ours: object, expected: object) -> None:
    assert unequal(ours, expected)


WORD = "0x" + "00" * 32


@pytest.mark.parametrize(
    ("ours", "samples"),
    [
        ("0x01", ["0x1"]),
        ("5", ["0x5"]),
        ("0x5", [WORD]),
        (5, ["0x5"]),
        (True, [1]),
        (None, ["0x5"]),
        ({}, [[]]),
        ([], [{}]),
        ({"pc": 1, "more": 2}, [{"pc": 1}]),
        ({"pc": 1}, [{"pc": 1, "op": "ADD"}]),
        ([{"pc": 1}], [[{"pc": 1, "op": "ADD"}]]),
        ({"latest": "0x5"}, [{WORD: "0x5"}]),
        ({WORD: "0x5"}, [{WORD: WORD}]),
    ],
)
def test_another_shape_is_found(ours: object, samples: list[object]) -> None:
    assert misfits(ours, samples)


@pytest.mark.parametrize(
    ("ours", "samples"),
    [
        ("0x7", ["0x5"]),
        ([], [["0x5"]]),
        (["0x7", "0x8", "0x9"], [["0x5"]]),
        ([{"pc": 1}], [[{"pc": 1, "memory": [WORD]}, {"pc": 2}]]),
        ({"0x" + "11" * 32: WORD}, [{WORD: WORD}]),
        ({"3": {"nonce": "0x3"}}, [{"0": {"nonce": "0x0"}}]),
        ({"0x" + "11" * 20: {"3": "0x3"}}, [{}]),
        (0.5, [0]),
    ],
)
def test_the_same_shape_with_other_values_passes(ours: object, samples: list[object]) -> None:
    assert not misfits(ours, samples)
