"""Tell the model what is in the final chain: calls that succeeded, as their senders asked them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from eth_abi.abi import decode

from contracts.typed_data import hash_struct, keccak
from devnet.store.history import Mined
from ledger.errors import Integrity
from scripts.campaigns.simulator.model import Model, Session
from scripts.campaigns.simulator.world.chain import Node
from scripts.campaigns.simulator.world.field import Ended
from settlement.chain.calls import Contract
from settlement.chain.deployment import Contracts

_SELECTOR: Final = 4
_ENTRY: Final = 23
_LANE: Final = 5
_LANES: Final = 4
_TERMS: Final = (
    "driver",
    "purse",
    "operator",
    "meterId",
    "idTag",
    "priceMicrosPerKwh",
    "flatMicros",
    "depositMicros",
    "tariffFingerprint",
    "deadline",
    "salt",
)

_Teller = Callable[["Follower", str, Sequence[Any]], None]


class DivergedError(Integrity):
    """The service and what it is compared with say different things."""

    def __init__(self, what: str) -> None:
        super().__init__("simulation_diverged", what)


class Follower:
    """Reads final blocks, once each."""

    def __init__(
        self, node: Node, contracts: Contracts, service_key: str, ended: Mapping[str, Ended]
    ) -> None:
        self.model: Final = Model()
        """What the books must say."""
        self.height = -1
        """Last block that the model knows."""
        self._node: Final = node
        self._service: Final = bytes.fromhex(service_key[2:])
        self._ended: Final = ended
        self._sent: Final[set[tuple[bytes, bytes]]] = set()
        self._lanes: Final[list[str]] = []
        self._calls: Final = {
            (bytes.fromhex(one.address[2:]), selector): (one.name, name, types)
            for one in contracts.all()
            for selector, name, types in _functions(one)
        }

    def follow(self, height: int) -> None:
        """Tell the model every block up to ``height``."""
        while self.height < height:
            self.height += 1
            for mined in self._node.devnet.outcomes(self.height):
                self._check_once(mined)
                if mined.succeeded:
                    self._tell(mined)

    def _check_once(self, mined: Mined) -> None:
        """See that the service's key never signs the same call twice."""
        sent = mined.transaction
        call = (bytes(sent.to), bytes(sent.data))
        if sent.sender != self._service or not call[1]:
            return
        if call in self._sent:
            raise DivergedError(f"block {self.height}: the service sent the same call twice")
        self._sent.add(call)

    def _tell(self, mined: Mined) -> None:
        sent = mined.transaction
        found = self._calls.get((bytes(sent.to), bytes(sent.data[:_SELECTOR])))
        if found is None:
            return
        contract, name, types = found
        teller = self._TELLERS.get((contract, name))
        if teller is not None:
            sender = "0x" + bytes(sent.sender).hex()
            teller(self, sender, decode(types, bytes(sent.data[_SELECTOR:])))

    # Each takes the sender and the arguments of a call.

    def _mint(self, _sender: str, arguments: Sequence[Any]) -> None:
        for holder, micros in zip(*arguments, strict=True):
            self.model.wallet[holder] += micros

    def _open(self, sender: str, arguments: Sequence[Any]) -> None:
        terms = arguments[0]
        driver, purse, _, meter, _, price, flat, deposit, *_ = terms
        asked = sender == "0x" + self._service.hex()
        session = Session((driver, purse), "0x" + meter.hex(), price, flat, deposit, asked)
        self.model.open(_session_id(terms), session)

    def _close(self, _sender: str, arguments: Sequence[Any]) -> None:
        name = _session_id(arguments[0])
        self.model.end(name, "closed", self._ended[name].energy_wh)

    def _close_cosigned(self, _sender: str, arguments: Sequence[Any]) -> None:
        name = _session_id(arguments[0])
        self.model.end(name, "closed", self._ended[name].energy_wh, arguments[-2])

    def _top_up(self, _sender: str, arguments: Sequence[Any]) -> None:
        self.model.top_up(_session_id(arguments[0]), arguments[2])

    def _expire(self, _sender: str, arguments: Sequence[Any]) -> None:
        self.model.end(_session_id(arguments[0]), "expired", 0)

    def _deposit(self, sender: str, arguments: Sequence[Any]) -> None:
        driver, purse, micros = arguments
        self.model.wallet[sender] -= micros
        self.model.free[driver, purse] += micros

    def _withdraw(self, sender: str, arguments: Sequence[Any]) -> None:
        purse, to, micros = arguments
        self.model.free[sender, purse] -= micros
        self.model.wallet[to] += micros

    def _collect(self, _sender: str, arguments: Sequence[Any]) -> None:
        for meter in arguments[0]:
            self.model.collect("0x" + meter.hex())

    def _withdraw_earned(self, sender: str, arguments: Sequence[Any]) -> None:
        to, micros = arguments
        self.model.earned[sender] -= micros
        self.model.wallet[to] += micros

    def _assign(self, _sender: str, arguments: Sequence[Any]) -> None:
        meter, operator = arguments
        self.model.operators["0x" + meter.hex()] = operator

    def _institution(self, _sender: str, arguments: Sequence[Any]) -> None:
        self._lanes.append(arguments[0])

    def _join(self, _sender: str, arguments: Sequence[Any]) -> None:
        member, _, micros, *_ = arguments
        self._lanes.append(member)
        self.model.put_in(member, micros)

    def _add(self, _sender: str, arguments: Sequence[Any]) -> None:
        member, micros, *_ = arguments
        self.model.put_in(member, micros)

    def _ask_exit(self, sender: str, arguments: Sequence[Any]) -> None:
        self.model.exits[sender] = arguments[0]

    def _cancel_exit(self, sender: str, _arguments: Sequence[Any]) -> None:
        del self.model.exits[sender]

    def _exit(self, sender: str, _arguments: Sequence[Any]) -> None:
        self.model.leave(sender)

    def _settle(self, _sender: str, arguments: Sequence[Any]) -> None:
        number, entries = arguments[0], arguments[-1]
        moved = {}
        for begin in range(0, len(entries), _ENTRY):
            slot = int.from_bytes(entries[begin : begin + 3])
            for lane in range(_LANES):
                first = begin + 3 + lane * _LANE
                micros = int.from_bytes(entries[first : first + _LANE], signed=True)
                if micros:
                    moved[self._lanes[slot * _LANES + lane]] = micros
        if number != self.model.runs + 1 or sum(moved.values()):
            raise DivergedError(f"run {number} after {self.model.runs} moves {moved}")
        self.model.settle(moved)

    _TELLERS: ClassVar[
        Mapping[tuple[str, str], Callable[["Follower", str, Sequence[Any]], None]]
    ] = {
        ("EnergyEuro", "mintBatch"): _mint,
        ("MeterRegistry", "assign"): _assign,
        ("ChargeVault", "open"): _open,
        ("ChargeVault", "closeWithOcmf"): _close,
        ("ChargeVault", "closeCosigned"): _close_cosigned,
        ("ChargeVault", "topUp"): _top_up,
        ("ChargeVault", "expire"): _expire,
        ("ChargeVault", "deposit"): _deposit,
        ("ChargeVault", "withdraw"): _withdraw,
        ("ChargeVault", "collect"): _collect,
        ("ChargeVault", "withdrawEarned"): _withdraw_earned,
        ("TradeLedger", "joinInstitution"): _institution,
        ("TradeLedger", "join"): _join,
        ("TradeLedger", "deposit"): _add,
        ("TradeLedger", "requestExit"): _ask_exit,
        ("TradeLedger", "cancelExit"): _cancel_exit,
        ("TradeLedger", "exit"): _exit,
        ("TradeLedger", "settle"): _settle,
    }


def _session_id(terms: Sequence[Any]) -> str:
    return "0x" + hash_struct("SessionTerms", dict(zip(_TERMS, terms, strict=True))).hex()


def _functions(contract: Contract) -> list[tuple[bytes, str, list[str]]]:
    """Return selector, name and types of every function of a contract."""
    found = []
    for entry in contract.abi:
        if entry["type"] == "function":
            types = [_type(one) for one in entry["inputs"]]
            text = f"{entry['name']}({','.join(types)})"
            found.append((keccak(text.encode())[:_SELECTOR], entry["name"], types))
    return found


def _type(parameter: Mapping[str, Any]) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(one) for one in parameter['components'])})" + kind[5:]
