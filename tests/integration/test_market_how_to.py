"""What the how-to shows is what the command prints."""

import re
from pathlib import Path

from typer.testing import CliRunner

from api.cli import app
from api.market.reading.folder import read_folder
from tests.unit.api.market.folders import write

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/settle-a-folder.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_command_prints_what_the_page_shows(monkeypatch):
    monkeypatch.chdir(ROOT)
    asked, shown = blocks("")[:2]
    words = asked.split()
    assert words[0] == "scripts/voisin"
    printed = CliRunner().invoke(app, words[1:]).output
    assert printed.startswith(shown)


def test_the_community_of_the_page_can_be_read(tmp_path):
    (community,) = blocks("toml")
    text = community.replace("00…", "00" * 32)
    folder = read_folder(
        write(
            tmp_path,
            community=text,
            meters="meter,member,kind\na,ana,pv\nb,bo,load\n",
            readings="meter,start,wh\na,2026-06-01T10:00:00Z,1\nb,2026-06-01T10:00:00Z,1\n",
        )
    )
    ana, bo = folder.batch.community.members
    assert (ana.zone, bo.zone) == ("feeder-1", "transformer")
    assert (len(ana.mandate.bands), len(bo.mandate.bands)) == (1, 2)


def test_the_page_names_every_file_that_is_written(tmp_path):
    folder = write(tmp_path / "in")
    arguments = ["market", "run", "--data", str(folder), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    written = {path.name for path in (tmp_path / "out").iterdir()}
    table = PAGE.read_text().partition("## What `--out` writes")[2]
    assert set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == written
