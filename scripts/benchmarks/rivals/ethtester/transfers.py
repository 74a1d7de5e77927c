"""
Transfer a token from a test: by web3.py, to a chain in the same process.

Run by the interpreter of each: ``transfers.py voisin|eth-tester ARTIFACT``, where the artifact is
the token's. Prints in JSON how long each transfer took until its receipt was there, and how long a
question for all of their events.
"""

import json
import sys
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from web3 import EthereumTesterProvider, Web3

_PURSE_MICROS = 10**12
_PAYEE = "0x" + "77" * 20
_GAS = 3_000_000
_WARM = 20
_TRANSFERS = 100


def opened(kind: str) -> AbstractContextManager[Web3]:
    """Return a chain of a kind; our own is not there for the interpreter of the other."""
    if kind == "voisin":
        found: AbstractContextManager[Web3] = import_module("devnet.testing").open_web3()
        return found
    return nullcontext(Web3(EthereumTesterProvider()))


def measured(web3: Web3, artifact: dict[str, Any]) -> dict[str, Any]:
    """Deploy the token, transfer some again and again, and ask for what happened."""
    sender = web3.eth.accounts[0]

    def sent(call: Any) -> Any:  # noqa: ANN401 - web3.py has no name for it
        return web3.eth.get_transaction_receipt(call.transact({"from": sender, "gas": _GAS}))

    factory = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    token = web3.eth.contract(sent(factory.constructor(sender))["contractAddress"], abi=factory.abi)
    sent(token.functions.mint(sender, _PURSE_MICROS))
    times_ns = []
    for _ in range(_WARM + _TRANSFERS):
        began_ns = perf_counter_ns()
        sent(token.functions.transfer(Web3.to_checksum_address(_PAYEE), 1))
        times_ns.append(perf_counter_ns() - began_ns)
    began_ns = perf_counter_ns()
    events = token.events.Transfer().get_logs(from_block=0)
    events_ns = perf_counter_ns() - began_ns
    arrived = token.functions.balanceOf(Web3.to_checksum_address(_PAYEE)).call()
    if len(events) != arrived + 1 or arrived != _WARM + _TRANSFERS:
        raise SystemExit(f"{arrived} transfers arrived, of {len(events)} events")
    return {"transfers_ns": times_ns[_WARM:], "events_ns": events_ns}


if __name__ == "__main__":
    with opened(sys.argv[1]) as chain:
        token_artifact = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
        sys.stdout.write(json.dumps(measured(chain, token_artifact)))
