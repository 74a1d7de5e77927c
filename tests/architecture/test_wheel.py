"""The wheel carries the five packages and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {"api", "contracts", "devnet", "ledger", "settlement"}


def test_the_wheel_has_five_top_level_names(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert "contracts/compiled/ChargeVault.json" in names
    assert "api/web/templates/dashboard.html" in names or any(
        name.startswith("api/web/templates/") for name in names
    )
    assert not any("node_modules" in name for name in names)
