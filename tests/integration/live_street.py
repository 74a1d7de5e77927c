"""The street of ``scripts/demo --live`` in a process of its own, and a driver who comes to it."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2

from contracts.typed_data import hash_struct, keccak, sign
from devnet.field.drivers import read_quote
from devnet.field.keys import wallet_of
from devnet.field.service import Authorization, Places, authorize
from settlement.charging.live import stop_text

ROOT = Path(__file__).parents[2]
SLOW, STEADY, QUICK, LIMITED = "CA-303", "CA-304", "CA-305", "CA-306"


@contextlib.contextmanager
def street(base: Path) -> Iterator[str]:
    """Open the street on a free port; yield its address."""
    command = [sys.executable, "-m", "scripts.demo_live", "--port", "0"]
    process = subprocess.Popen(
        ["/usr/bin/env", f"VOISIN_DATA_DIR={base}", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"All stations: (http://127\.0\.0\.1:\d+)/s", line):
                yield found[1]
                break
        else:
            raise AssertionError("".join(said))
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "Traceback" not in output


class Driver:
    """A driver with a wallet and the service's address."""

    def __init__(self, url: str, name: str) -> None:
        self.wallet = wallet_of(11, name)
        self.client = httpx2.Client(base_url=url, timeout=60)

    def held(self) -> int:
        found = self.client.get(f"/api/wallets/{self.wallet.address_hex}")
        return int(found.json()["held_micros"])

    def drink(self) -> None:
        asked = self.client.post("/api/faucet", json={"address": self.wallet.address_hex})
        assert asked.status_code == 200, asked.text

    def open(self, station: str, requested_wh: int) -> str:
        """Put down a deposit with one signature; return the session."""
        wish = {"driver": self.wallet.address_hex, "requested_wh": requested_wh}
        offer = self.client.post("/api/quotes", json={"station_id": station, **wish}).json()
        quote = read_quote(offer)
        self.places = Places(offer["chain_id"], offer["token"], offer["vault"], "")
        self.deposit_micros = quote.terms.deposit_micros
        signature = self._allow(
            self.deposit_micros, quote.valid_before_s, nonce=quote.terms.session_id
        )
        body = {
            "terms": offer["terms"],
            "requested_wh": requested_wh,
            "valid_after": offer["valid_after"],
            "valid_before": offer["valid_before"],
            "signature": signature,
        }
        opened = self.client.post("/api/sessions", json=body)
        assert opened.status_code == 201, opened.text
        return offer["session_id"]

    def raise_deposit(self, session: str, amount_micros: int) -> httpx2.Response:
        path = f"/api/sessions/{session}/top-ups"
        asked = self.client.get(path, params={"amount_micros": amount_micros}).json()
        amounts = {"depositMicros": self.deposit_micros, "amountMicros": amount_micros}
        nonce = hash_struct("TopUp", {"sessionId": session, **amounts})
        assert asked["nonce"] == "0x" + nonce.hex()
        valid_before_s = int(asked["valid_before"])
        body = {
            "deposit_micros": self.deposit_micros,
            "amount_micros": amount_micros,
            "valid_after": 0,
            "valid_before": valid_before_s,
            "signature": self._allow(amount_micros, valid_before_s, nonce=nonce),
        }
        return self.client.post(path, json=body)

    def _allow(self, amount_micros: int, valid_before_s: int, *, nonce: bytes) -> str:
        """Let the vault take an amount from the wallet (ERC-3009)."""
        leave = Authorization(
            payer=self.wallet.address_hex,
            payee=self.places.vault,
            amount_micros=amount_micros,
            valid_after_s=0,
            valid_before_s=valid_before_s,
            nonce=nonce,
        )
        return "0x" + authorize(leave, self.wallet, self.places).hex()

    def watch(self, session: str, seen: str = "") -> Iterator[tuple[str, dict]]:
        """Yield id and document of every event of the session's stream."""
        headers = {"last-event-id": seen} if seen else {}
        path = f"/api/sessions/{session}/live"
        with (
            self.client.stream("GET", path, headers=headers) as stream,
            contextlib.closing(stream.iter_lines()) as lines,
        ):
            identity = ""
            for line in lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    identity = value
                elif name == "data":
                    yield identity, json.loads(value)

    def stop(self, session: str, *, key: bytes | None = None) -> httpx2.Response:
        text = stop_text(session).encode()
        hashed = keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text)
        signature = "0x" + sign(hashed, key or self.wallet.private_key).hex()
        return self.client.post(f"/api/sessions/{session}/stop", json={"signature": signature})
