"""
Write pages of the reference from the code that they are about: ``python -m scripts.reference``.

``errors.md`` from the error classes, the table of ``reconciliation.md`` from the equations.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Final

import api
import devnet
import ledger
import settlement
from api.problems import STATUS
from ledger.errors import VoisinError
from settlement.audit.reconciliation.equations import EQUATIONS

ROOT: Final = Path(__file__).parents[1]
ERRORS_PAGE: Final = ROOT / "docs/reference/errors.md"
RECONCILIATION_PAGE: Final = ROOT / "docs/reference/reconciliation.md"
_TABLE: Final = "| | must be equal | ledger side | other side | after a block | owner of a break |"
_PACKAGES: Final = frozenset({"api", "devnet", "ledger", "settlement"})
_CODE: Final = re.compile(r'super\(\).__init__\(\s*"([a-z0-9_]+)"')
_HEAD: Final = """\
# Errors

Everything the system refuses carries a stable `code`. Over HTTP it comes as a problem document
(RFC 9457) with `type`, `title`, `status`, `detail`, `code` and `transient`. `transient: true` means
that the same request may succeed later. A refused message from a meter, a station, a member or a
driver is kept byte for byte with its code and shows on the dashboard.

Two faults give one determined answer, the first of these for a transfer: `group_size`,
`transfer_differs`, `bad_transfer_text`, `unknown_account`, `same_account`, `ledgers_differ`,
`amount_not_positive`, `amount_too_large`, `amount_not_zero`, `hold_named_wrongly`,
`hold_not_found`, `hold_differs`, `hold_resolved`, `hold_expired`, `hold_not_expired`,
`post_above_hold`, `not_enough`, `amount_too_large` for a sum. Before all of them come
`body_too_large` and `malformed_request` over HTTP, `overloaded` and `writer_closed`; what the
database cannot do (`database_busy`, `database_full`, `database_gone`) undoes all of a request,
whatever else was found.

The families are in `ledger/errors.py`; each error stands beside the function that raises it. This
page is written by `python -m scripts.reference`.
"""


def errors_page() -> str:
    """Return the page: every error by family and code, with its docstring and its file."""
    _import_everything()
    entries: dict[type[VoisinError], dict[str, str]] = {}
    for leaf in _subclasses(VoisinError):
        found = _CODE.search(inspect.getsource(leaf))
        if found is not None:
            entries.setdefault(_family(leaf), {})[found[1]] = _entry(leaf, found[1])
    parts = [_HEAD]
    for family in (*STATUS, VoisinError):
        about = (inspect.getdoc(family) or "").splitlines()[0]
        status = f" ({STATUS[family]})" if family in STATUS else ""
        parts.append(f"## {family.__name__}{status}\n\n{about}\n")
        own = entries.get(family, {})
        parts += [own[code] for code in sorted(own)]
    return "\n".join(parts)


def equations_table() -> str:
    """Return the table of the equations, as it stands in the page on reconciliation."""
    rows = [f"| {one} | {' | '.join(astuple(about))} |" for one, about in EQUATIONS.items()]
    return "\n".join([_TABLE, "|---|---|---|---|---|---|", *rows])


def reconciliation_page() -> str:
    """Return the page on reconciliation with its table as the code has it."""
    lines = RECONCILIATION_PAGE.read_text(encoding="utf-8").split("\n")
    first = next(n for n, line in enumerate(lines) if line.startswith("| |"))
    last = next(n for n in range(first, len(lines)) if not lines[n].startswith("|"))
    return "\n".join([*lines[:first], equations_table(), *lines[last:]])


def _import_everything() -> None:
    for package in (api, devnet, ledger, settlement):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # A program begins when it is imported, and so does a step of a migration.
            if not module.name.endswith("__main__") and ".migrations" not in module.name:
                importlib.import_module(module.name)


def _subclasses(parent: type[VoisinError]) -> Iterator[type[VoisinError]]:
    for child in parent.__subclasses__():
        if child.__module__.partition(".")[0] in _PACKAGES:
            yield child
        yield from _subclasses(child)


def _family(leaf: type[VoisinError]) -> type[VoisinError]:
    return next((one for one in leaf.__mro__[1:] if one in STATUS), VoisinError)


def _entry(leaf: type[VoisinError], code: str) -> str:
    about = inspect.getdoc(leaf) or ""
    file = leaf.__module__.replace(".", "/") + ".py"
    return f"### `{code}`\n\n{about}\n\nRaised in `{file}`.\n"


if __name__ == "__main__":
    ERRORS_PAGE.write_text(errors_page(), encoding="utf-8")
    RECONCILIATION_PAGE.write_text(reconciliation_page(), encoding="utf-8")
