"""
Answer one SMT-LIB file with cvc5: halmos calls this as its solver.

Words are solved as integers, since products of prices and energies never end as bits. yices,
halmos' own choice, was seen to call two of the laws refuted by numbers that do not refute them.
"""

import sys
from pathlib import Path
from typing import Final

import cvc5

_OPTIONS: Final = {"produce-models": "true", "solve-bv-as-int": "sum"}


def answer(path: Path) -> None:
    """Print what cvc5 answers to each command of the file."""
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    for name, value in _OPTIONS.items():
        solver.setOption(name, value)
    symbols = cvc5.SymbolManager(terms)
    parser = cvc5.InputParser(solver, symbols)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, str(path))
    while not (command := parser.nextCommand()).isNull():
        print(command.invoke(solver, symbols), end="", flush=True)


if __name__ == "__main__":
    answer(Path(sys.argv[1]))
