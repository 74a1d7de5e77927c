"""A small folder that is right, to be broken in one place at a time."""

from pathlib import Path

from typer.testing import CliRunner

from api.cli import app

COMMUNITY = """\
[community]
id = "lane"
currency = "EUR"
time_zone = "Europe/Paris"
interval_s = 900

[[zones]]
name = "feeder"
local_toll = "0.02"

[fees]
levy = "0.01"
vat_bp = 2000

[residual]
buys = "0.05"
sells = "0.25"

[mechanism]
kind = "auction"

[[members]]
name = "ana"
sell_not_below = "0.08"
buy_not_above = "0.20"
cap = "5"

[[members]]
name = "bo"
sell_not_below = "0.10"
buy_not_above = "0.18"
"""
METERS = """\
meter,member,kind,rated_w
a-roof,ana,pv,9000
a-load,ana,load,9000
b-main,bo,main,
"""
READINGS = """\
meter,register,at,wh
a-roof,export,2026-06-01T10:00:00Z,1000
a-load,import,2026-06-01T10:00:00Z,500
b-main,import,2026-06-01T10:00:00Z,70
b-main,export,2026-06-01T10:00:00Z,0
a-roof,export,2026-06-01T10:15:00Z,2500
a-load,import,2026-06-01T10:15:00Z,600
b-main,import,2026-06-01T10:15:00Z,1070
b-main,export,2026-06-01T10:15:00Z,0
"""


def write(folder: Path, **files: str) -> Path:
    """Write the folder, some of its files as given: ``community``, ``meters``, ``readings``."""
    folder.mkdir(exist_ok=True)
    texts = {"community": COMMUNITY, "meters": METERS, "readings": READINGS} | files
    for name, text in texts.items():
        suffix = "toml" if name == "community" else "csv"
        (folder / f"{name}.{suffix}").write_text(text)
    return folder


def market_run(folder: Path, *options: str) -> tuple[int, str]:
    """Run ``voisin market run`` on a folder; return exit code and what was printed."""
    done = CliRunner().invoke(app, ["market", "run", "--data", str(folder), *options])
    return done.exit_code, done.output
