"""What no linter says about this code, said by a test."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from scripts import reference

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "contracts", "devnet", "ledger", "scripts", "settlement")
EXACT = ("contracts", "ledger", "settlement")
BODY_MAX, FILE_MAX, FOLDER_MAX = 50, 400, 12
UNITS = ("_wh", "_w", "_micros", "_per_kwh", "_s", "_ns", "_us", "_bp", "_minutes")
QUANTITIES = re.compile(r"(^|_)(energy|amount|price|deposit|refund)$")


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    paths = [ROOT / name for name in listed if name and name.endswith(suffixes)]
    return [path for path in paths if path.exists()]


def sources(packages: tuple[str, ...] = PACKAGES) -> list[Path]:
    return [p for p in tracked(".py") if p.relative_to(ROOT).parts[0] in packages]


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return (body[-1].end_lineno - body[0].lineno + 1) if body else 0


def test_files_keep_to_their_length():
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for path in [*sources(), *tracked(".sol")]
        if (count := len(path.read_text().splitlines())) > FILE_MAX
    ]
    assert long == []


def test_bodies_keep_to_their_length():
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {body_length(function)}"
        for path in sources()
        for function in functions(ast.parse(path.read_text()))
        if body_length(function) > BODY_MAX
    ]
    assert long == []


def test_folders_keep_to_their_size():
    counts: dict[Path, int] = {}
    for path in sources():
        if path.name != "__init__.py":
            counts[path.parent] = counts.get(path.parent, 0) + 1
    full = {str(folder.relative_to(ROOT)): n for folder, n in counts.items() if n > FOLDER_MAX}
    assert full == {}


def test_no_float_touches_money_or_energy():
    found = []
    for path in sources(EXACT):
        for node in ast.walk(ast.parse(path.read_text())):
            division = isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div)
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            name = isinstance(node, ast.Name) and node.id == "float"
            if division or literal or name:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_quantities_say_their_unit():
    found = []
    for path in sources(EXACT):
        for function in functions(ast.parse(path.read_text())):
            arguments = function.args.args + function.args.kwonlyargs
            found += [
                f"{path.relative_to(ROOT)}:{function.lineno} {argument.arg}"
                for argument in arguments
                if QUANTITIES.search(argument.arg)
                and isinstance(argument.annotation, ast.Name)
                and argument.annotation.id == "int"
            ]
    assert found == []


def test_nothing_catches_everything():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
    ]
    assert found == []


def test_no_stray_rooms():
    banned = {"utils", "helpers", "common", "manager", "misc"}
    assert [p for p in sources() if p.stem in banned or banned & set(p.parts)] == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error"])
def test_no_open_ends(word: str):
    pattern = re.compile(rf"\b{word}\b")
    found = [
        str(path.relative_to(ROOT))
        for path in [*sources(), *tracked(".sol")]
        if pattern.search(path.read_text())
    ]
    assert found == []


def test_the_reference_lists_every_error():
    assert reference.ERRORS_PAGE.read_text() == reference.errors_page()


def test_the_reference_has_the_equations_as_the_code_has_them():
    assert reference.RECONCILIATION_PAGE.read_text() == reference.reconciliation_page()


def test_top_level_holds_what_is_agreed():
    allowed = {
        "contracts",
        "ledger",
        "settlement",
        "api",
        "devnet",
        "scripts",
        "tests",
        "docs",
        "pyproject.toml",
        "requirements.lock",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
    }
    top = {p.relative_to(ROOT).parts[0] for p in tracked("")}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_locks_carry_hashes_and_no_address():
    for path in tracked("requirements.lock"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
    npm = (ROOT / "contracts/package-lock.json").read_text()
    assert '"integrity"' in npm
    assert '"resolved"' not in npm
