"""
Write the vectors that Python and Solidity both run, from neither's code.

``python -m tests.vectors.make``; bills are counted with fractions and hashes made with eth-abi, so
that a vector is a third opinion. The files are committed; nothing makes them anew by itself.
"""

import itertools
import json
from fractions import Fraction
from pathlib import Path

from eth_abi.abi import encode
from sha3 import keccak_256

from tests.vectors import records

HERE = Path(__file__).parent
MOST = 2**64 - 1
TERMS_TYPE = (
    "SessionTerms(address driver,uint32 purse,address operator,bytes32 meterId,string idTag,"
    "uint64 priceMicrosPerKwh,uint64 flatMicros,uint64 depositMicros,bytes32 tariffFingerprint,"
    "uint64 deadline,bytes32 salt)"
)
MEMBERSHIP_TYPE = "Membership(address member,uint64 capMicros,uint64 amountMicros,bytes32 salt)"


def keccak(data: bytes) -> bytes:
    return bytes(keccak_256(data).digest())


def word(name: str) -> bytes:
    return keccak(name.encode())


def wallet(name: str) -> str:
    return "0x" + word(name)[12:].hex()


def text(value: int | bytes) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def truncated(exact: Fraction) -> int:
    """Return the whole part: the magnitude rounded down, the sign kept."""
    return exact.numerator // exact.denominator if exact >= 0 else -(-exact // 1)


def costs() -> list[dict[str, str]]:
    energies = (0, 1, 3, 999, 1_000, 1_001, 5_500, 2**32 - 1, MOST)
    prices = (0, 1, 999, 1_000, 1_999, 100_999, 391_700, 2**31 - 1)
    return [
        {"energyWh": text(e), "priceMicrosPerKwh": text(p), "costMicros": text(cost)}
        for e, magnitude in itertools.product(energies, prices)
        for p in sorted({magnitude, -magnitude})
        for cost in [truncated(Fraction(e * p, 1_000))]
    ]


def charges() -> list[dict[str, str]]:
    cases = [
        (0, 391_700, 500_000, 20_000_000),
        (1, 391_700, 0, 20_000_000),
        (1, 999, 0, 20_000_000),
        (1, 1_000, 0, 20_000_000),
        (999, 1, 0, 20_000_000),
        (1_000, 1, 0, 20_000_000),
        (1, 0, 500_000, 20_000_000),
        (5_500, 391_700, 500_000, 20_000_000),
        (5_500, 391_700, 500_000, 2_654_351),
        (5_500, 391_700, 500_000, 2_654_350),
        (5_500, 391_700, 500_000, 2_654_349),
        (5_500, 391_700, 500_000, 1),
        (5_500, 391_700, 500_000, 0),
        (MOST, 2**63 - 1, 2**63 - 1, MOST),
        (1, 999, 2**63 - 1, MOST),
    ]
    made = []
    for energy, price, flat, deposit in cases:
        owed = truncated(Fraction(energy * price, 1_000)) + (flat if energy else 0)
        charge = min(owed, deposit)
        values = {
            "energyWh": energy,
            "priceMicrosPerKwh": price,
            "flatMicros": flat,
            "depositMicros": deposit,
            "chargeMicros": charge,
            "refundMicros": deposit - charge,
        }
        made.append({name: text(value) for name, value in values.items()})
    return made


def leaves() -> list[dict[str, str]]:
    kinds = ("uint64", "uint64", "address", "int64", "uint64", "uint64", *["bytes32"] * 4)
    zero = bytes(32)
    rows = [
        (1, 1_955_555, wallet("anna"), -1_234_567, 3_200, 0, word("m"), word("r"), zero, word("s")),
        (
            2,
            1_955_556,
            wallet("ben"),
            987_654,
            0,
            2_100,
            word("n"),
            word("q"),
            word("t"),
            word("u"),
        ),
        (3, 0, wallet("grid"), 0, 0, 0, zero, zero, zero, word("v")),
        (MOST, MOST, "0x" + "ff" * 20, -(2**63), MOST, MOST, *[b"\xff" * 32] * 4),
        (MOST, MOST, "0x" + "00" * 20, 2**63 - 1, 0, MOST, zero, word("estimated"), zero, zero),
    ]
    names = ("run", "interval", "account", "netMicros", "whIn", "whOut")
    names += ("orderHash", "readingsHash", "tradesRoot", "salt")
    made = []
    for row in rows:
        values = {
            name: value if isinstance(value, str) else text(value)
            for name, value in zip(names, row, strict=True)
        }
        made.append(values | {"leaf": text(keccak(keccak(encode(kinds, row))))})
    return made


def trades() -> list[dict[str, str]]:
    kinds = ("address", "address", "uint64", "int32", "int64", "bytes32")
    rows = [
        (wallet("ben"), wallet("anna"), 3_200, 150_000, 480_000, word("s")),
        (wallet("ben"), wallet("carl"), 1, -999, 0, word("t")),
        (wallet("dora"), wallet("anna"), MOST, -(2**31), -(2**63), bytes(32)),
        (wallet("dora"), wallet("carl"), 0, 2**31 - 1, 2**63 - 1, b"\xff" * 32),
    ]
    names = ("seller", "buyer", "energyWh", "priceMicrosPerKwh", "amountMicros", "salt")
    return [
        {
            name: value if isinstance(value, str) else text(value)
            for name, value in zip(names, row, strict=True)
        }
        | {"leaf": text(keccak(keccak(encode(kinds, row))))}
        for row in rows
    ]


def proven(level: list[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """Return root and proof by the rule of decision 0003, level by level."""
    proof = []
    while len(level) > 1:
        pairs = [sorted(level[i : i + 2]) for i in range(0, len(level), 2)]
        if (index ^ 1) < len(level):
            proof.append(level[index ^ 1])
        level = [keccak(b"".join(pair)) if len(pair) > 1 else pair[0] for pair in pairs]
        index >>= 1
    return level[0], proof


def trees() -> list[dict[str, object]]:
    made = []
    for size in (1, 2, 3, 4, 5, 7, 8, 13):
        level = [word(f"leaf {n} of {size}") for n in range(size)]
        proofs = [proven(level, index)[1] for index in range(size)]
        made.append(
            {
                "leaves": [text(leaf) for leaf in level],
                "root": text(proven(level, 0)[0]),
                "proofs": [[text(node) for node in proof] for proof in proofs],
            }
        )
    return made


def sessions() -> list[dict[str, str]]:
    kinds = ("bytes32", "address", "uint32", "address", "bytes32", "bytes32", *["uint64"] * 3)
    kinds += ("bytes32", "uint64", "bytes32")
    names = ("driver", "purse", "operator", "meterId", "idTag", "priceMicrosPerKwh", "flatMicros")
    names += ("depositMicros", "tariffFingerprint", "deadline", "salt")
    plain = (wallet("driver"), 0, wallet("operator"), word("meter"))
    other = (wallet("driver"), 2**32 - 1, wallet("operator"), word("meter"))
    tariff, salt = word("tariff"), word("salt")
    rows = [
        (*plain, "0123456789ABCDEF0123", 391_700, 500_000, 20_000_000, tariff, 1_760_486_400, salt),
        (*other, "", 0, 0, 0, bytes(32), 0, bytes(32)),
        (*plain, "Stra\u00dfe \u2600", MOST, MOST, MOST, b"\xff" * 32, MOST, b"\xff" * 32),
        (*plain[:1], 7, *plain[2:], "x" * 200, 1, 2, 3, tariff, 4, salt),
    ]
    made = []
    for row in rows:
        hashed = (*row[:4], keccak(str(row[4]).encode()), *row[5:])
        found = keccak(encode(kinds, (keccak(TERMS_TYPE.encode()), *hashed)))
        values = {
            name: value if isinstance(value, str) else text(value)
            for name, value in zip(names, row, strict=True)
        }
        made.append(values | {"sessionId": text(found)})
    return made


def memberships() -> list[dict[str, str]]:
    kinds = ("bytes32", "address", "uint64", "uint64", "bytes32")
    rows = [(wallet("anna"), 5_000_000, 20_000_000, word("s")), (wallet("ben"), MOST, 0, bytes(32))]
    return [
        {
            "member": member,
            "capMicros": text(cap),
            "amountMicros": text(amount),
            "salt": text(salt),
            "nonce": text(
                keccak(encode(kinds, (keccak(MEMBERSHIP_TYPE.encode()), member, cap, amount, salt)))
            ),
        }
        for member, cap, amount, salt in rows
    ]


FILES = {
    "billing": lambda: {"charges": charges(), "costs": costs()},
    "leaves": lambda: {"accounts": leaves(), "trades": trades()},
    "records": records.content,
    "trees": lambda: {"trees": trees()},
    "typed_data": lambda: {"sessions": sessions(), "memberships": memberships()},
}

if __name__ == "__main__":
    for stem, content in FILES.items():
        (HERE / f"{stem}.json").write_text(json.dumps(content(), indent=1) + "\n")
