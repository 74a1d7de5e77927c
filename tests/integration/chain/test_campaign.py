"""The campaign against the outbox, short, and that it can fail."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 240
ROUNDS = 9
"""One of each harm."""


def test_each_business_key_has_one_effect_under_fire():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "scripts.campaigns.chain_faults"),
            *("--rounds", str(ROUNDS), "--seed", "7"),
        ],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode()
    assert f"{3 * ROUNDS} business keys | 0 | 0 | 0 |" in said
    kills = re.search(r"(\d+) kills", said)
    assert kills is not None
    assert int(kills[1]) > 2
