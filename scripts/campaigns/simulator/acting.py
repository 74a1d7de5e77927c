"""
What everybody does to the service in one step: drivers, cars, meters, members, time.

Whoever was not answered asks again with the same bytes. Whoever was answered asks again now and
then too, and must get the first answer. What was altered on the way must never be taken.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from pydantic import ValidationError

from devnet.field.drivers import Driver, Wish, read_quote, session_body
from devnet.field.members import Member, mandate_body, membership_body
from devnet.field.service import Places
from ledger.clock import ReplayClock
from ledger.errors import Integrity, VoisinError
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from scripts.campaigns.simulator.following import DivergedError
from scripts.campaigns.simulator.world import door
from scripts.campaigns.simulator.world.field import Car, Field, Letter
from scripts.campaigns.simulator.world.setting import NEWCOMER, setting
from settlement.engine.clockwork import tick
from settlement.engine.service import Service

_TAKEN: Final = {"accepted", "replayed"}
_FINAL: Final = {"reading_after_final_run", "unknown_transaction", "closed_otherwise", "old_page"}
_TRIES: Final = 8
_LETTERS: Final = 12
_BATCH: Final = 100
_ALTERED: Final = 0.2


@dataclass(slots=True)
class Asked:
    """A request that is sent until it is answered."""

    body: bytes
    """What is sent."""
    answer: Any = None
    """The first answer."""


@dataclass(slots=True)
class Plan:
    """A driver's plan to charge: the request to open, and what is to follow."""

    asked: Asked
    session_id: str
    station: str
    id_tag: str
    wanted_wh: int
    started: tuple[int, int] | None = None
    """Instant and register of the start that was asked for."""
    plugged: bool = False


@dataclass(slots=True)
class Actors:
    """Everybody outside, and what they remember."""

    dice: Random
    clock: ReplayClock
    outside: Field
    places: Places
    counted: Counter[str]
    plans: list[Plan] = field(default_factory=list)
    requests: list[tuple[Callable[[Service, bytes], Mapping[str, Any]], Asked]] = field(
        default_factory=list
    )
    """Memberships and mandates."""
    mandates: int = 1

    # Drivers and cars.

    def open(self, service: Service) -> None:
        """Open a session, or two at once."""
        plans = [self._plan(service) for _ in range(self.dice.choice((1, 1, 2)))]
        self.plans += plans
        for plan in plans:
            if self.dice.random() < _ALTERED:
                self._bring_altered(service, plan)
            self._bring(service, plan)

    def open_again(self, service: Service) -> None:
        """Send a request to open once more."""
        if self.plans:
            self.counted["message_repeated"] += 1
            self._bring(service, self.dice.choice(self.plans))

    def plug(self, service: Service) -> None:
        """Plug a car in at a free station behind whose deposit stands a yes."""
        for plan in self.plans:
            stand = self.outside.stands[plan.station]
            if plan.plugged or plan.asked.answer is None or stand.car is not None:
                continue
            if plan.started is None or plan.started[1] != stand.register_wh:
                plan.started = (self.clock.now_s(), stand.register_wh)
            number = door.start(service, plan.station, plan.id_tag, *plan.started)
            if number:
                plan.plugged = True
                now_s = self.clock.now_s()
                self.outside.plug(
                    plan.station,
                    Car(
                        session_id=plan.session_id,
                        id_tag=plan.id_tag,
                        number=number,
                        wanted_wh=self.dice.randint(0, plan.wanted_wh * 6 // 5),
                        begin_s=now_s,
                        begin_wh=stand.register_wh,
                        cut_s=now_s,
                        cut_wh=stand.register_wh,
                    ),
                )
                return

    def unplug(self, _service: Service) -> None:
        """Take a car away."""
        busy = [name for name, stand in self.outside.stands.items() if stand.car is not None]
        if busy:
            self.outside.unplug(self.dice.choice(busy))

    def _plan(self, service: Service) -> Plan:
        keys = setting().keys
        station = self.dice.choice(sorted(keys.stations))
        wish = Wish(
            station=station,
            meter_id=keys.stations[station].meter_id,
            operator=keys.operator.address_hex,
            requested_wh=WattHours(self.dice.choice((1, 500, 2_000, 4_321, 8_000))),
        )
        wallet = keys.drivers[self.dice.choice(sorted(keys.drivers))]
        driver = Driver(wallet, self.places, setting().parameters)
        quote = read_quote(door.quote(service, driver.ask(wish)))
        body = json.dumps(session_body(quote, wish, driver.sign(quote))).encode()
        name = "0x" + quote.session_id.hex()
        return Plan(Asked(body), name, station, quote.terms.id_tag, wish.requested_wh)

    def _bring(self, service: Service, plan: Plan) -> None:
        asked = plan.asked
        try:
            answer = door.open_session(service, asked.body)
        except VoisinError as fault:
            if asked.answer is not None and not fault.transient:
                raise DivergedError(f"{plan.session_id}: first yes, then {fault.code}") from fault
            if not fault.transient:
                self.plans.remove(plan)
            raise
        if asked.answer is not None and not answer["replayed"]:
            raise DivergedError(f"{plan.session_id} was opened anew")
        asked.answer = answer

    def _bring_altered(self, service: Service, plan: Plan) -> None:
        body = json.loads(plan.asked.body)
        name = self.dice.choice(("purse", "price_micros_per_kwh", "deposit_micros", "deadline_s"))
        body["terms"][name] += self.dice.choice((-1, 1, 10_000))
        self._must_refuse(name, lambda: door.open_session(service, json.dumps(body).encode()))

    # Meters.

    def deliver(self, service: Service) -> None:
        """Bring some letters, in any order, some of them altered, some twice."""
        bag = self.outside.letters
        chosen = self.dice.sample(bag, min(len(bag), self.dice.randint(1, _LETTERS)))
        self.bring(service, chosen)

    def deliver_all(self, service: Service) -> None:
        """Bring every letter, in the order in which it was written."""
        self.bring(service, [*self.outside.letters])

    def deliver_again(self, service: Service) -> None:
        """Bring letters that were answered long ago."""
        if self.outside.sent:
            self.counted["message_repeated"] += 1
            self.bring(service, self.dice.sample(self.outside.sent, 1), known=True)

    def bring(self, service: Service, letters: list[Letter], *, known: bool = False) -> None:
        """Bring letters and put away those that were answered for good."""
        readings = [one for one in letters if one.kind == "readings"]
        for first in range(0, len(readings), _BATCH):
            self._bring_readings(service, readings[first : first + _BATCH], known=known)
        for letter in letters:
            if letter.kind != "readings":
                self._bring_record(service, letter, known=known)

    def _bring_readings(self, service: Service, letters: list[Letter], *, known: bool) -> None:
        if not known and self.dice.random() < _ALTERED:
            wrong = dict(self.dice.choice(self.dice.choice(letters).body))
            wrong["energy_wh"] += self.dice.choice((-1, 1))
            self.counted["message_altered"] += 1
            if door.record_readings(service, {"readings": [wrong]})[0] in _TAKEN:
                raise DivergedError(f"an altered reading was taken: {wrong}")
        batch = [one for letter in letters for one in letter.body]
        codes = list(door.record_readings(service, {"readings": batch}))
        for letter in letters:
            own = [codes.pop(0) for _ in letter.body]
            if known and set(own) != {"replayed"}:
                raise DivergedError(f"readings that were taken are now {own}")
            if not known:
                self._put_away(letter, next((one for one in own if one not in _TAKEN), None))

    def _bring_record(self, service: Service, letter: Letter, *, known: bool) -> None:
        if not known and self.dice.random() < _ALTERED:
            self.counted["message_altered"] += 1
            self._must_refuse(letter.kind, lambda: _say(service, _altered(letter, self.dice)))
        code: str | None = None
        try:
            _say(service, letter)
        except VoisinError as fault:
            if isinstance(fault, Integrity) or fault.transient:
                raise
            code = fault.code
        if known and code is not None:
            raise DivergedError(f"a {letter.kind} that was taken is now refused: {code}")
        if not known:
            self._put_away(letter, code)

    def _put_away(self, letter: Letter, code: str | None) -> None:
        """Keep a letter in the bag if it is worth another try."""
        letter.tries += 1
        if code is None:
            self.outside.sent.append(letter)
        elif code not in _FINAL and letter.tries < _TRIES:
            return
        else:
            self.counted[f"given_up_{code}"] += 1
        self.outside.letters.remove(letter)

    # Members.

    def set_limits(self, service: Service) -> None:
        """Sign other limits."""
        member = self.dice.choice(setting().members)
        self.mandates += 1
        changed = replace(
            member,
            sell_limit=MicrosPerKilowattHour(self.dice.randrange(50_000, 150_000)),
            buy_limit=MicrosPerKilowattHour(self.dice.randrange(100_000, 250_000)),
            cap_micros=Micros(self.dice.choice((0, 100_000, 5_000_000))),
        )
        body = mandate_body(changed, self.places, setting().validity, nonce=self.mandates)
        asked = Asked(json.dumps(body).encode())
        self.requests.append((door.record_mandate, asked))
        if self.dice.random() < _ALTERED:
            body["cap_micros"] = 7_000_000
            wrong = json.dumps(body).encode()
            self._must_refuse("mandate", lambda: door.record_mandate(service, wrong))
        self._ask(service, door.record_mandate, asked)

    def join(self, service: Service) -> None:
        """Let the newcomer join."""
        member = newcomer()
        body = json.dumps(membership_body(member, self.places, setting().validity)).encode()
        if all(one.body != body for _, one in self.requests):
            self.requests.append((door.join, Asked(body)))
        self.ask_again(service)

    def ask_again(self, service: Service) -> None:
        """Send a membership or a mandate once more."""
        if self.requests:
            self._ask(service, *self.dice.choice(self.requests))

    def ask_everything_again(self, service: Service) -> None:
        """Send again everything that was ever answered; each gets its first answer."""
        for plan in self.plans:
            if plan.asked.answer is not None:
                self._bring(service, plan)
        for use_case, asked in self.requests:
            if asked.answer is not None:
                self._ask(service, use_case, asked)
        self.bring(service, self.outside.sent, known=True)

    def _ask(
        self,
        service: Service,
        use_case: Callable[[Service, bytes], Mapping[str, Any]],
        asked: Asked,
    ) -> None:
        answer = use_case(service, asked.body)
        if asked.answer is not None and asked.answer != answer:
            raise DivergedError(f"first {asked.answer}, then {answer}")
        asked.answer = answer

    # Time.

    def wait(self, seconds: int) -> None:
        """Let time pass for everybody."""
        self.clock.set(UnixSeconds(self.clock.now_s() + seconds))
        self.outside.pass_time(self.clock.now_s())

    def tick(self, service: Service) -> None:
        """Let the service do what time brings; nobody asked, so there is nobody to refuse."""
        try:
            tick(service)
        except VoisinError as fault:
            if fault.transient:
                raise
            raise DivergedError(f"the service does not go on: {fault.code}: {fault}") from fault

    def _must_refuse(self, what: str, work: Callable[[], object]) -> None:
        self.counted["message_altered"] += 1
        try:
            work()
        except ValidationError:
            return
        except VoisinError as fault:
            if isinstance(fault, Integrity) or fault.transient:
                raise
            return
        raise DivergedError(f"an altered message was taken: {what}")


def newcomer() -> Member:
    """Return the home that joins in the midst of a simulation."""
    return next(one for one in setting().members if one.party == NEWCOMER)


def _say(service: Service, letter: Letter) -> None:
    if letter.kind == "slice":
        at_s, record = letter.body
        door.take_slice(service, letter.station, letter.number, at_s, record)
    else:
        at_s, *records = letter.body
        door.stop(service, letter.station, letter.number, at_s, (records[0], records[1]))


def _altered(letter: Letter, dice: Random) -> Letter:
    """Return a letter whose last record shows another register than was signed."""
    at_s, *records = letter.body
    head, mark, tail = records[-1].rpartition('"RV":')
    figure = tail.index(".") + dice.randint(1, 3)
    digit = (int(tail[figure]) + dice.randint(1, 9)) % 10
    records[-1] = f"{head}{mark}{tail[:figure]}{digit}{tail[figure + 1 :]}"
    return replace(letter, body=(at_s, *records))
