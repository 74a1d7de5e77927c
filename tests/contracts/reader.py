"""The contract's reader of records alone, without a vault, beside the service's."""

from dataclasses import dataclass

from contracts.artifacts import load_artifact
from contracts.typed_data import keccak
from devnet.node.chain import Devnet
from devnet.tracing.calls import Call, attempt
from ledger.errors import UnverifiedReading
from settlement.chain.calls import Contract
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_energy import energy_wh
from tests.contracts.support import GAS

PLACE = b"\x0c" * 20
EMPTY = keccak(b"").hex()


@dataclass(frozen=True)
class Found:
    """What a reader found in a payload."""

    page: int
    id_tag: str
    """keccak256 of the idTag, of nothing if there is none."""
    energy_wh: int


@dataclass(frozen=True)
class Refused:
    """Why a reader took nothing from a payload."""

    error: str


class Reader:
    """``Ocmf.read`` as compiled for the vault, on the repository's own machine."""

    def __init__(self, node: Devnet) -> None:
        self._node = node
        self._code = load_artifact("test/OcmfHarness").deployed_bytecode
        self._contract = Contract.at("test/OcmfHarness", "0x" + PLACE.hex())
        self.gas_used = 0

    def read(self, payload: bytes) -> Found | Refused:
        """Return what the contract finds; ``gas_used`` then says what that took."""
        state = self._node.scratch(self._node.head_number)
        state.set_code(PLACE, self._code)
        data = self._contract.encode("read", payload)
        done = attempt(state, Call(to=PLACE, data=data, gas=GAS))
        if done.error is not None:
            error = self._contract.decode_error(done.output)
            return Refused(f"unnamed {done.output.hex()}" if error is None else error.name)
        (page, tag, has_tag, energy), self.gas_used = self._contract.decode_result(
            "read", done.output
        )
        return Found(page, tag.removeprefix("0x") if has_tag else EMPTY, energy)


def read_in_python(payload: bytes) -> Found | Refused:
    """Return what the service finds in a payload, as if it were signed."""
    try:
        record = parse_record(f'OCMF|{payload.decode()}|{{"SD":"00"}}')
        if record.pagination_kind != "T":
            return Refused("not_a_transaction_record")
        return Found(
            record.pagination_number, keccak(record.id_tag.encode()).hex(), energy_wh(record)
        )
    except UnicodeDecodeError:
        return Refused("no_text")
    except UnverifiedReading as refusal:
        return Refused(refusal.code)


PAIRS = {
    "Json_Malformed": {"malformed_record", "no_text"},
    "Ocmf_DuplicateKey": {"malformed_record"},
    "Ocmf_Escaped": {"malformed_record"},
    "Ocmf_Incomplete": {"malformed_record"},
    "Ocmf_NotATransaction": {"malformed_record", "not_a_transaction_record"},
    "Ocmf_BadValue": {"malformed_record"},
    "Ocmf_NoBegin": {"incomplete_record", "malformed_record"},
    "Ocmf_NoEnd": {"incomplete_record", "malformed_record"},
    "Ocmf_EnergyUnusable": {"unusable_energy", "malformed_record"},
    "Ocmf_Backwards": {"record_backwards", "malformed_record"},
}
"""
For each refusal of the contract, how the service may name it. The service looks at the whole text
before it looks for an energy, so that a text with two faults may be malformed there.
"""


def check_agreement(reader: Reader, payload: bytes) -> Found | Refused:
    """Check that contract and service find the same, or that both refuse; return it."""
    on_chain, in_python = reader.read(payload), read_in_python(payload)
    if isinstance(on_chain, Refused):
        assert isinstance(in_python, Refused), (payload, on_chain, in_python)
        allowed = PAIRS[on_chain.error]
        doubtful = in_python.error in {"not_a_transaction_record", "no_text"}
        assert in_python.error in allowed or doubtful, (payload, on_chain, in_python)
    else:
        assert on_chain == in_python, (payload, on_chain, in_python)
    return on_chain
