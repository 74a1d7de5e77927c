"""Scripts of other hands are byte for byte those that were chosen."""

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).parents[3] / "api/web/static/vendor"
ROW = re.compile(r"^\| `([^`]+/[^`]+)` \| `([0-9a-f]{64})` \|$", re.MULTILINE)
LISTED = dict(ROW.findall((VENDOR / "README.md").read_text()))


def test_every_file_is_listed_with_its_hash():
    files = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert files == LISTED


def test_each_folder_has_its_licence():
    folders = {name.partition("/")[0] for name in LISTED}
    assert len(folders) == 2
    for folder in folders:
        assert "The MIT License" in (VENDOR / folder / "LICENSE").read_text()
