"""Run the ``voisin`` command."""

from api.cli import app

app(prog_name="voisin")
