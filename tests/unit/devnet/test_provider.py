"""A client in the node's process is answered as one that asks over HTTP."""

import pytest
from web3 import HTTPProvider

from devnet.provider import InProcessProvider
from devnet.rpc.dispatch import MAX_BATCH
from devnet.server import serve

NOBODY = "0x" + "77" * 20
QUESTIONS = (
    ("eth_chainId", []),
    ("eth_getBlockByNumber", ["latest", False]),
    ("eth_call", [{"to": NOBODY, "data": "0x"}, "latest"]),
    ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}]),
    ("eth_getBalance", ["0x12", "latest"]),
    ("eth_none", []),
)


@pytest.fixture
def both(node):
    served = serve(node, "127.0.0.1", 0)
    try:
        yield InProcessProvider(node), HTTPProvider(served.url)
    finally:
        served.stop()


def without_id(answer):
    return {name: said for name, said in answer.items() if name != "id"}


@pytest.mark.parametrize("question", QUESTIONS, ids=[method for method, _ in QUESTIONS])
def test_one_question_has_the_same_answer(both, question):
    here, over_http = (without_id(provider.make_request(*question)) for provider in both)
    assert here == over_http


def test_many_questions_have_the_same_answers_in_their_order(both):
    here, over_http = (
        [without_id(one) for one in provider.make_batch_request(list(QUESTIONS))]
        for provider in both
    )
    assert here == over_http
    assert len(here) == len(QUESTIONS)


def test_a_batch_that_is_too_large_is_refused_as_a_whole(both):
    here, _ = both
    refused = here.make_batch_request([("eth_chainId", [])] * (MAX_BATCH + 1))
    assert refused["error"]["message"] == "batch too large"
