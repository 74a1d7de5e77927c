"""
Answer one SMT-LIB file with cvc5: halmos calls this as its solver.

Words are solved as integers, since products of prices and energies never end as bits. What does not
end so, as some comparisons of cut words, is solved as bits. yices, halmos' own choice, was seen to
call two of the laws refuted by numbers that do not refute them.
"""

import sys
from pathlib import Path
from typing import Final

import cvc5

_UNKNOWN: Final = "unknown"
# Nearly all end within a second as integers; halmos gives up a minute after it asked.
_INTEGERS: Final = {"solve-bv-as-int": "sum", "tlimit-per": "15000"}
_BITS: Final[dict[str, str]] = {}


def answer(path: Path) -> str:
    """Return what cvc5 answers to the commands of the file."""
    as_integers = _answered(path, _INTEGERS)
    return _answered(path, _BITS) if as_integers.startswith(_UNKNOWN) else as_integers


def _answered(path: Path, options: dict[str, str]) -> str:
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    for name, value in {"produce-models": "true", **options}.items():
        solver.setOption(name, value)
    symbols = cvc5.SymbolManager(terms)
    parser = cvc5.InputParser(solver, symbols)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, str(path))
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said += command.invoke(solver, symbols)
    return said


if __name__ == "__main__":
    sys.stdout.write(answer(Path(sys.argv[1])))
