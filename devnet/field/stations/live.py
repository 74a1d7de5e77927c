"""
Be a charging station that lives by itself.

It waits for a driver, at its own reader or by request of the service, lets the car draw, says so
every few seconds, signs each interval's energy, and ends with the record of the whole session. One
step looks at the clock and does what is due; ``run`` takes steps until it is told to leave.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final, Self

from devnet.field.keys import MeterKey
from devnet.field.stations.charging import Charge, Curve, MeterState, Plate
from devnet.field.stations.notes import Note, Phase, Reply, SignedValue, Transaction, Version
from devnet.field.stations.terminal import Terminal
from devnet.field.stations.wire import Address, CallRefusedError, Patience, StationUnreachableError
from ledger.clock import Clock
from ledger.units import UnixSeconds

_BRIEF: Final = Patience(timeout_s=10.0, attempts=2)


@dataclass(frozen=True, slots=True)
class Equipment:
    """What stands in the street, and what comes to it."""

    key: MeterKey
    """Key of the meter."""
    meter: MeterState
    """The meter as it was left."""
    curve: Curve
    """How cars draw here."""
    version: Version = Version.V16
    """The OCPP that the station speaks."""
    plate: Plate | None = None
    """Its price, if it knows one; without, it cannot stop at a cost by itself."""
    interval_s: int = 900
    """Length of an interval; a fiscal record is signed at each boundary."""
    sample_s: int = 5
    """Seconds between meter values."""
    signs_begin: bool = False
    """Whether the begin is signed by itself too, right after the start."""


class LiveStation:
    """A station that needs nobody to play it, only somebody to plug in."""

    def __init__(self, address: Address, equipment: Equipment, clock: Clock) -> None:
        self.terminal: Final = Terminal(address, equipment.key, equipment.version, _BRIEF)
        self._equipment: Final = equipment
        self._clock: Final = clock
        self._meter = equipment.meter
        self._waiting: tuple[str, int | None] | None = None
        self._unplugged = self._connected = False
        self._transaction: Transaction | None = None
        self._charge: Charge | None = None
        self._state = ""
        self._said_s = UnixSeconds(0)
        self._leaving = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Return the station, not yet connected."""
        return self

    async def __aexit__(self, *_fault: object) -> None:
        """Leave."""
        await self.close()

    @property
    def meter(self) -> MeterState:
        """The meter as it stands, for the next time."""
        return self._meter if self._charge is None else self._charge.meter

    @property
    def transaction(self) -> Transaction | None:
        """The transaction under way, if there is one."""
        return self._transaction

    @property
    def state(self) -> str:
        """Charging state of the transaction under way, in the words of OCPP 2.1, or nothing."""
        return self._state

    def plug_in(self, id_tag: str) -> None:
        """Plug a car in and show ``id_tag``; the next step begins."""
        self._waiting, self._unplugged = (id_tag, None), False

    def unplug(self) -> None:
        """Take the cable out; the next step ends the session."""
        self._waiting, self._unplugged = None, True

    async def run(self, pause_s: float = 1.0) -> None:
        """
        Connect and live until ``leave``; a service that is away is tried again at every step.

        Raises
        ------
        StationNotAdmittedError
            If the service refuses the password, the version or the station.
        """
        while not self._leaving.is_set():
            await self.step()
            try:
                await asyncio.wait_for(self._leaving.wait(), pause_s)
            except TimeoutError:
                continue

    def leave(self) -> None:
        """Let ``run`` return after its step; a session under way stays open."""
        self._leaving.set()

    async def close(self) -> None:
        """Leave, and close the connection."""
        self.leave()
        await self.terminal.close()

    async def step(self) -> None:
        """Do what is due at this instant of the clock."""
        now_s = self._clock.now_s()
        try:
            if not self._connected or not self.terminal.online:
                await self.terminal.connect(now_s)
                self._connected = True
        except StationUnreachableError:
            self._connected = False
        if self._charge is None or self._transaction is None:
            await self._welcome(now_s)
        else:
            await self._go_on(self._transaction, self._charge, now_s)

    async def _welcome(self, now_s: UnixSeconds) -> None:
        """Begin with whoever waits; no energy without an idTag that the service accepts."""
        if self.terminal.heap.remote_starts:
            self._waiting = self.terminal.heap.remote_starts.pop(0)
        if self._waiting is None or not self.terminal.online:
            return
        (id_tag, remote_start_id), self._waiting = self._waiting, None
        self._unplugged = False
        try:
            standing = await self.terminal.authorize(id_tag, now_s)
        except StationUnreachableError:
            await self.terminal.go_offline()
            return
        if standing != "Accepted":
            return
        await self._become("Preparing", now_s)
        charge = Charge(self._equipment.curve, self._meter, now_s)
        transaction = self.terminal.plug_in(id_tag, now_s, charge.begin_wh)
        transaction.remote_start_id = remote_start_id
        self._charge, self._transaction, self._state = charge, transaction, "Charging"
        trigger = "Authorized" if remote_start_id is None else "RemoteStart"
        reply = await self._say(
            transaction, replace(self._note(charge, trigger), phase=Phase.STARTED)
        )
        if reply is not None and not reply.accepted:
            await self._end(transaction, charge, "DeAuthorized")
            return
        await self._become("Charging", now_s)
        if self._equipment.signs_begin:
            await self._sign_begin(transaction, charge)

    async def _go_on(self, transaction: Transaction, charge: Charge, now_s: UnixSeconds) -> None:
        """Draw up to now, sign what is due, and end or say how it stands."""
        self._limit(transaction, charge)
        interval_s = self._equipment.interval_s
        boundary_s = charge.at_s // interval_s * interval_s + interval_s
        while boundary_s <= now_s:
            charge.advance(UnixSeconds(boundary_s))
            part = self._part(transaction, charge)
            note = self._note(charge, "MeterValueClock")
            await self._say(transaction, replace(note, signed=part))
            boundary_s += interval_s
        charge.advance(now_s)
        reason = self._reason_to_end(transaction)
        if reason is not None:
            await self._end(transaction, charge, reason)
            return
        await self._tell(transaction, charge)

    async def _tell(self, transaction: Transaction, charge: Charge) -> None:
        """Say that the state changed, or how it stands if it is time or the service asked."""
        state = "Charging"
        if charge.is_spent:
            state = "SuspendedEVSE"
        elif charge.is_full:
            state = "SuspendedEV"
        if state != self._state:
            self._state = state
            spent = state == "SuspendedEVSE"
            trigger = "CostLimitReached" if spent else "ChargingStateChanged"
            await self._become(state, charge.at_s)
            await self._say(transaction, self._note(charge, trigger))
        elif self.terminal.sample_wanted:
            await self._say(transaction, self._note(charge, "Trigger"))
        elif charge.at_s - self._said_s >= self._equipment.sample_s:
            await self._say(transaction, self._note(charge, "MeterValuePeriodic"))

    def _limit(self, transaction: Transaction, charge: Charge) -> None:
        """Let through what the limit of cost pays for; a raised limit lets more through."""
        plate, limit = self._equipment.plate, transaction.limit_micros
        if plate is not None and limit is not None:
            charge.allowed_wh = plate.affordable_wh(limit)

    def _reason_to_end(self, transaction: Transaction) -> str | None:
        if self._unplugged:
            return "EVDisconnected"
        if transaction.name in self.terminal.heap.remote_stops:
            self.terminal.heap.remote_stops.remove(transaction.name)
            return "Remote"
        return None

    async def _end(self, transaction: Transaction, charge: Charge, reason: str) -> None:
        """Sign the last slice and the whole session, and free the outlet."""
        part = self._part(transaction, charge)
        whole = self.terminal.meter.whole_record(charge.close(), transaction.id_tag)
        self._meter, self._state = charge.meter, "EVConnected"
        note = replace(
            self._note(charge, "RemoteStop" if reason == "Remote" else "EVDeparted"),
            phase=Phase.ENDED,
            signed=(*part, SignedValue(whole, "Transaction.End")),
            reason=reason,
        )
        self._charge = self._transaction = None
        self._unplugged, self._state = False, ""
        await self._say(transaction, note)
        await self._become("Finishing", charge.at_s)
        await self._become("Available", charge.at_s)

    async def _sign_begin(self, transaction: Transaction, charge: Charge) -> None:
        """Say the signed begin in a message of its own; a start of 1.6 cannot carry it."""
        record = self.terminal.meter.begin_record(
            charge.begin_page(), charge.begin_s, charge.begin_wh, transaction.id_tag
        )
        note = replace(
            self._note(charge, "SignedDataReceived"),
            signed=(SignedValue(record, "Transaction.Begin"),),
        )
        await self._say(transaction, note)

    def _part(self, transaction: Transaction, charge: Charge) -> tuple[SignedValue, ...]:
        """Sign the slice that ends here, if any time passed in it."""
        part = charge.cut()
        if part is None:
            return ()
        record = self.terminal.meter.fiscal_record(part, transaction.id_tag)
        return (SignedValue(record, "Sample.Clock"),)

    def _note(self, charge: Charge, trigger: str) -> Note:
        return Note(
            phase=Phase.UPDATED,
            at_s=charge.at_s,
            register_wh=charge.register_wh,
            power_w=charge.power_w,
            trigger=trigger,
            state=self._state,
        )

    async def _say(self, transaction: Transaction, note: Note) -> Reply | None:
        """Say a note; one that the service refuses is lost, as on every station."""
        self._said_s, self.terminal.sample_wanted = note.at_s, False
        try:
            return await self.terminal.say(transaction, note)
        except CallRefusedError:
            return None

    async def _become(self, status: str, at_s: UnixSeconds) -> None:
        """Say the outlet's state; without the service nobody needs to know."""
        try:
            await self.terminal.become(status, at_s)
        except StationUnreachableError:
            await self.terminal.go_offline()
