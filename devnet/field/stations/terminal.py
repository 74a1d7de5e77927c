"""
Be a charging station of any version of OCPP, one step at a time.

Whoever plays it says what happens and when; the terminal keeps the order. What it has to say of
transactions waits in line while the service is out of reach and is sent in that order when it is
back (OCPP 1.6, 3.7; 2.x, E11 and E12).
"""

import asyncio
import hashlib
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Self

from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case

from devnet.field.keys import MeterKey
from devnet.field.ocmf import OcmfMeter
from devnet.field.stations.notes import (
    Heap,
    Message,
    Note,
    Phase,
    Reply,
    Speech,
    Transaction,
    Version,
    cost_micros,
)
from devnet.field.stations.speech2 import Speech2
from devnet.field.stations.speech16 import Speech16
from devnet.field.stations.wire import (
    Address,
    CallRefusedError,
    Patience,
    StationNotAdmittedError,
    StationUnreachableError,
    Wire,
)
from ledger.errors import VoisinError
from ledger.units import UnixSeconds, WattHours

_PATIENT: Final = Patience()
_OF_TRANSACTIONS: Final = ("MeterValues", "TransactionEvent")


class Terminal:
    """
    A charging station with one outlet, played from outside.

    Every id follows from what happened, so playing the same again sends the same bytes.
    """

    def __init__(
        self, address: Address, key: MeterKey, version: Version, patience: Patience = _PATIENT
    ) -> None:
        self.name: Final = address.station
        self.meter: Final = OcmfMeter(key, address.station)
        self.speech: Final[Speech] = (
            Speech16(self) if version is Version.V16 else Speech2(version, self)
        )
        self.heap: Final = Heap()
        """What the service has said unasked."""
        self.running: Final[dict[str, Transaction]] = {}
        """Transactions that run, by their name."""
        self.sample_wanted = False
        """Whether the service asked for meter values that nobody has sent yet."""
        self._wire: Final = Wire(address, self.speech.link, patience)
        self._line: Final[deque[tuple[Transaction, Note]]] = deque()
        self._online = True
        self._now_s = UnixSeconds(0)
        self._status = "Available"
        self._soon: Final[set[asyncio.Task[None]]] = set()
        self._on_demand: Final[Mapping[str, Callable[[], Awaitable[object]]]] = {
            "BootNotification": self._boot,
            "Heartbeat": lambda: self._wire.call(self.speech.heartbeat(), self._now_s),
            "StatusNotification": self._tell_status,
        }

    async def __aenter__(self) -> Self:
        """Return the station, not yet connected."""
        return self

    async def __aexit__(self, *_fault: object) -> None:
        """Close the station."""
        await self.close()

    @property
    def online(self) -> bool:
        """Whether the service was within reach when it was last called."""
        return self._online

    async def connect(self, at_s: UnixSeconds) -> None:
        """
        Connect, say who is there, in what state, and whatever waits in line.

        Raises
        ------
        StationNotAdmittedError
            If the service refuses the password, the version or the station.
        StationUnreachableError
            If the service does not answer.
        """
        self._now_s, self._online = at_s, True
        try:
            await self._boot()
            await self._tell_status()
        except StationUnreachableError:
            self._online = False
            raise
        await self._send_line()

    async def go_offline(self) -> None:
        """Lose the service: from now on notes wait in line, marked as offline."""
        self._online = False
        await self._wire.close()

    async def close(self) -> None:
        """Finish what was to be sent on demand, then close the connection."""
        await asyncio.gather(*self._soon)
        await self._wire.close()

    async def authorize(self, id_tag: str, at_s: UnixSeconds) -> str:
        """Ask whether ``id_tag`` may charge here and return its standing, ``Accepted`` or not."""
        self._now_s = at_s
        answer = await self._call(self.speech.authorize(id_tag))
        return self.speech.standing(answer)

    async def become(self, status: str, at_s: UnixSeconds) -> None:
        """Say in which state the outlet is, if that is news; nobody learns of it while offline."""
        is_news = self.speech.word_for(status) != self.speech.word_for(self._status)
        self._now_s, self._status = at_s, status
        if self._online and is_news:
            await self._tell_status()

    async def transfer(self, vendor: str, data: str, at_s: UnixSeconds) -> Mapping[str, Any]:
        """Send something that only ``vendor`` understands; return the answer as it came."""
        self._now_s = at_s
        return await self._call(self.speech.data(vendor, data))

    def plug_in(self, id_tag: str, at_s: UnixSeconds, register_wh: WattHours) -> Transaction:
        """Begin a transaction; nothing is said of it yet."""
        subject = f"{self.name}\0{id_tag}\0{at_s}".encode()
        name = str(uuid.UUID(bytes=hashlib.sha256(subject).digest()[:16]))
        transaction = Transaction(name, id_tag, at_s, register_wh)
        self.running[name] = transaction
        return transaction

    def number(self, transaction: Transaction, note: Note) -> Note:
        """Return ``note`` with the next number of its transaction, offline if we are."""
        numbered = replace(note, seq_no=transaction.next_seq_no, offline=not self._online)
        transaction.next_seq_no += 1
        return numbered

    async def say(self, transaction: Transaction, note: Note) -> Reply | None:
        """
        Say ``note`` of ``transaction``, or keep it in line if the service is out of reach.

        A limit of cost that comes back is set, and the station says so (OCPP 2.1, E16.FR.13).

        Returns
        -------
        Reply or None
            What the service answered; None if the note waits.

        Raises
        ------
        CallRefusedError
            If the service answers with an error; the note is not sent again.
        """
        self._now_s = note.at_s
        numbered = self.number(transaction, note)
        self._line.append((transaction, numbered))
        if note.phase is Phase.ENDED:
            self.running.pop(transaction.name, None)
        if not self._online:
            return None
        return (await self._send_line()).get((transaction.name, numbered.seq_no))

    def thin_out(self) -> int:
        """
        Drop every second sample that waits in line and return how many, as if memory were short.

        What begins, ends or is signed is never dropped (OCPP 2.x, E12; 1.6, 3.7).
        """
        samples = [one for one in self._line if one[1].phase is Phase.UPDATED and not one[1].signed]
        dropped = samples[1::2]
        for one in dropped:
            self._line.remove(one)
        return len(dropped)

    def message(self, transaction: Transaction, note: Note) -> Message:
        """Return the message of ``note`` as it would be sent, to be sent otherwise."""
        payload = self.speech.note(transaction, note)
        content = snake_to_camel_case(remove_nones(serialize_as_dict(payload)))
        return Message(type(payload).__name__, content)

    async def send(self, message: Message, message_id: str) -> Mapping[str, Any]:
        """
        Send ``message`` as it stands, fitting or not, and return the answer as it came.

        Raises
        ------
        CallRefusedError
            If the service answers with an error.
        StationUnreachableError
            If the service does not answer.
        """
        return await self._wire.ask(message, message_id)

    async def send_frame(self, text: str) -> str:
        """Send ``text``, OCPP or not, and return the next message from the service."""
        return await self._wire.send_frame(text)

    def accepts_remote_stop(self, transaction_id: int | str) -> bool:
        """Accept a running transaction; whoever plays the station then ends it."""
        for name, transaction in self.running.items():
            if transaction_id in {name, transaction.number}:
                self.heap.remote_stops.append(name)
                return True
        return False

    def accepts_remote_start(self, id_tag: str, remote_start_id: int | None = None) -> bool:
        """Accept if the outlet is free; whoever plays the station then starts."""
        if self.running:
            return False
        self.heap.remote_starts.append((id_tag, remote_start_id))
        return True

    def accepts_trigger(self, message: str) -> bool:
        """Accept what this station can say on demand."""
        return message in self._on_demand or (message in _OF_TRANSACTIONS and bool(self.running))

    def send_on_demand(self, message: str) -> None:
        """Send ``message`` in a task of its own; meter values wait for whoever plays the meter."""
        if message in _OF_TRANSACTIONS:
            self.sample_wanted = True
            return

        async def send() -> None:
            try:
                await self._on_demand[message]()
            except VoisinError:
                return

        task = asyncio.create_task(send())
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    def take_data(self, vendor: str, data: str) -> None:
        """Keep what the service transferred."""
        self.heap.data.append((vendor, data))

    def take_cost(self, transaction_id: str, total_cost: object) -> None:
        """Keep what a transaction has cost so far."""
        cost = cost_micros(total_cost)
        if cost is None:
            return
        self.heap.costs.append((transaction_id, cost))
        if transaction_id in self.running:
            self.running[transaction_id].cost_micros = cost

    def take_settlement(self, settlement: Mapping[str, Any]) -> None:
        """Keep what was settled."""
        self.heap.settlements.append(settlement)

    def is_running(self, transaction_id: str) -> bool:
        """Return whether that transaction runs."""
        return transaction_id in self.running

    def has_queued(self, transaction_id: str | None) -> bool:
        """Return whether anything, of that transaction if one is named, waits in line."""
        names = {transaction.name for transaction, _ in self._line}
        return bool(names) if transaction_id is None else transaction_id in names

    async def _boot(self) -> None:
        answer = await self._call(self.speech.boot(self.name))
        if answer["status"] != "Accepted":
            raise StationNotAdmittedError(self.name, f"BootNotification is {answer['status']}")

    async def _tell_status(self) -> None:
        await self._call(self.speech.status(self._status, self._now_s))

    async def _call(self, payload: Any) -> Mapping[str, Any]:  # noqa: ANN401 - the library's
        """Send a payload and return the answer as it stood in the frame."""
        found: dict[str, Any] = {}
        await self._wire.call(payload, self._now_s, found.update)
        return found

    async def _send_line(self) -> Mapping[tuple[str, int], Reply]:
        """Send what waits, oldest first; return what came of each, by transaction and number."""
        replies: dict[tuple[str, int], Reply] = {}
        while self._line:
            transaction, note = self._line[0]
            try:
                reply = await self._send_note(transaction, note)
            except StationUnreachableError:
                self._online = False
                return replies
            except CallRefusedError:
                self._line.popleft()
                raise
            self._line.popleft()
            replies[transaction.name, note.seq_no] = reply
            self._echo(transaction, note, reply)
        return replies

    async def _send_note(self, transaction: Transaction, note: Note) -> Reply:
        found: dict[str, Any] = {}

        def hear(answer: Mapping[str, Any]) -> None:
            # Known at once: the service may ask to stop it in its next message.
            found.update(answer)
            number = self.speech.reply(answer).number
            transaction.number = transaction.number if number is None else number

        await self._wire.call(self.speech.note(transaction, note), note.at_s, hear)
        reply = self.speech.reply(found)
        if reply.total_cost_micros is not None:
            transaction.cost_micros = reply.total_cost_micros
        return reply

    def _echo(self, transaction: Transaction, note: Note, reply: Reply) -> None:
        """Set a limit of cost that is new, and put in line that it is set."""
        limit = reply.max_cost_micros
        if limit is None or limit == transaction.limit_micros or note.phase is Phase.ENDED:
            return
        transaction.limit_micros = limit
        echo = replace(note, phase=Phase.UPDATED, trigger="LimitSet", signed=(), limit_micros=limit)
        self._line.append((transaction, self.number(transaction, echo)))
