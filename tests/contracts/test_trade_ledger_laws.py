"""
The TradeLedger beside a model of it in a few lines, driven by chance.

After every step: tokens = balances + bond; no balance but those of the step has changed; runs are
consecutive; an interval has one first settlement; an exit that is ready is paid, paused or not.
"""

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from settlement.chain.lanes import pack
from tests.contracts.support import INTERVAL_S, law
from tests.contracts.trading import (
    BALANCE,
    CAP,
    CENT,
    CORRECTION,
    INITIAL,
    NOW_S,
    ROOT,
    WEEK_S,
    everybody,
)

INSTITUTION = 6
members = st.integers(0, 5)
accounts = st.integers(0, INSTITUTION)
amounts = st.one_of(st.integers(0, 2 * CAP), st.integers(0, BALANCE + 1))


class Model(RuleBasedStateMachine):
    """What the TradeLedger should hold, and the contract that has to agree."""

    def __init__(self, world):
        super().__init__()
        self.world, self.fork = world, world.fork(NOW_S)
        self.people = everybody(world)
        self.balances = [BALANCE] * 6 + [0]
        self.caps = [CAP] * 6 + [0]
        self.exits, self.lowerings = {}, {}
        self.run, self.through, self.settled = 0, 0, set()
        self.amendable = {}
        self.bond, self.leaving_s, self.paused = 0, None, False
        owner = world.owner.address
        self.fork.ok(world.owner, world.token, "mint", owner, 10**9)
        spender = bytes.fromhex(world.trade.address[2:])
        self.fork.ok(world.owner, world.token, "approve", spender, 10**9)
        self.tokens = [self.fork.token(one) for one in self.people]

    def send(self, who, name, *arguments):
        sender = self.world.owner if who is None else self.people[who]
        return self.fork.send(sender, self.world.trade, name, *arguments).error

    def ready(self, asked_s):
        """Say whether something that was asked for then may happen."""
        waited_s = self.fork.now_s - asked_s
        reached = self.through >= asked_s // INTERVAL_S
        return waited_s >= WEEK_S or (waited_s >= 2 * INTERVAL_S and reached)

    def allowed(self, deltas):
        """Say whether a run may move these."""
        return sum(deltas) == 0 and all(
            self.balances[one] + micros >= 0 and (one == INSTITUTION or -micros <= self.caps[one])
            for one, micros in enumerate(deltas)
        )

    @rule(
        seconds=st.sampled_from(
            [1, INTERVAL_S - 1, INTERVAL_S, 3 * INTERVAL_S, WEEK_S // 2, WEEK_S]
        )
    )
    def time_passes(self, seconds):
        self.fork.move_to(self.fork.now_s + seconds)

    @rule(
        micros=st.lists(st.integers(-CAP - 1, CAP), min_size=6, max_size=6),
        moving=st.lists(st.booleans(), min_size=6, max_size=6),
        off=st.sampled_from([0] * 9 + [1]),
        back=st.integers(-1, 6),
        raise_to=st.integers(0, 6),
        correct=st.booleans(),
    )
    def a_run_is_sent(self, micros, moving, off, back, raise_to, correct):
        over = self.fork.now_s // INTERVAL_S - 1
        interval, through = over - back, over - raise_to
        if back > 3:
            through = self.through
        deltas = [one if moves else 0 for one, moves in zip(micros, moving, strict=True)]
        deltas.append(off - sum(deltas))
        amends = self.amendable.get(interval, 0) if correct else 0
        kind = CORRECTION if correct else INITIAL
        fields = (self.run + 1, interval, through, kind, amends, ROOT)
        error = self.send(None, "settle", *fields, pack(dict(enumerate(deltas))))
        may = (
            not self.paused
            and self.leaving_s is None
            and interval <= over
            and through >= self.through
            and (amends != 0 if correct else interval not in self.settled)
            and self.allowed(deltas)
        )
        assert (error is None) == may, error
        if may:
            self.run, self.through = self.run + 1, through
            self.settled |= {interval}
            self.amendable[interval] = self.run
            self.balances = [a + b for a, b in zip(self.balances, deltas, strict=True)]

    @rule(who=accounts, amount=amounts)
    def an_exit_is_asked_for(self, who, amount):
        may = 0 < amount <= self.balances[who] and who not in self.exits
        assert (self.send(who, "requestExit", amount) is None) == may
        if may:
            self.exits[who] = (amount, self.fork.now_s)

    @rule(who=accounts)
    def an_exit_is_cancelled(self, who):
        assert (self.send(who, "cancelExit") is None) == (who in self.exits)
        self.exits.pop(who, None)

    @rule(who=accounts)
    def an_exit_is_taken(self, who):
        may = who in self.exits and self.ready(self.exits[who][1])
        assert (self.send(who, "exit") is None) == may
        if may:
            paid = min(self.exits.pop(who)[0], self.balances[who])
            self.balances[who] -= paid
            self.tokens[who] += paid

    @rule(who=members, cents=st.one_of(st.integers(0, 200), st.integers(0, 2**19)))
    def a_cap_is_set(self, who, cents):
        cap = cents * CENT
        error = self.send(who, "setCap", cap)
        if cents >= 2**19 or (cap > self.caps[who] and self.paused):
            assert error is not None
        elif cap < self.caps[who]:
            assert error is None
            self.lowerings[who] = (cap, self.fork.now_s)
        else:
            assert error is None
            self.caps[who] = cap
            self.lowerings.pop(who, None)

    @rule(who=members, by=accounts)
    def a_cap_is_applied(self, who, by):
        may = who in self.lowerings and self.ready(self.lowerings[who][1])
        error = self.send(by, "applyCap", self.people[who].address)
        assert (error is None) == may
        if may:
            self.caps[who] = self.lowerings.pop(who)[0]

    @rule(amount=st.integers(1, 10**6))
    def the_bond_grows(self, amount):
        assert self.send(None, "postBond", amount) is None
        self.bond += amount

    @precondition(lambda self: self.bond)
    @rule(back=st.booleans())
    def the_bond_is_asked_back_or_not(self, back):
        name = "requestBondRelease" if back else "cancelBondRelease"
        assert self.send(None, name) is None
        self.leaving_s = self.fork.now_s + WEEK_S if back else None

    @rule()
    def the_bond_is_taken(self):
        may = self.leaving_s is not None and self.fork.now_s >= self.leaving_s
        assert (self.send(None, "releaseBond") is None) == may
        if may:
            self.bond, self.leaving_s = 0, None

    @rule(paused=st.booleans())
    def the_guardian_acts(self, paused):
        assert self.send(None, "pauseEntries", paused) is None
        self.paused = paused

    @invariant()
    def nothing_differs(self):
        trade, get = self.world.trade, self.fork.get
        held = [get(trade, "balanceOf", one.address) for one in self.people]
        assert held == self.balances
        assert [get(trade, "capOf", one.address) for one in self.people] == self.caps
        assert self.fork.token(trade.address) == sum(self.balances) + self.bond
        assert get(trade, "bondOf", self.world.owner.address) == self.bond
        assert (get(trade, "lastRun"), get(trade, "settledThrough")) == (self.run, self.through)

    def teardown(self):
        """Let everybody leave, paused, whatever has happened."""
        self.send(None, "pauseEntries", True)
        for who, amount in enumerate(self.balances):
            if amount and who not in self.exits:
                assert self.send(who, "requestExit", amount) is None
                self.exits[who] = (amount, self.fork.now_s)
        self.fork.move_to(self.fork.now_s + WEEK_S)
        for who in sorted(self.exits):
            self.an_exit_is_taken(who)
        self.nothing_differs()
        assert [self.fork.token(one) for one in self.people] == self.tokens


def test_the_ledger_is_its_model(world):
    run_state_machine_as_test(lambda: Model(world), settings=law(20))


def test_settles_most_runs_of_chance_somewhere(world):
    """The machine is worth something only if it reaches runs, exits and caps that succeed."""
    model = Model(world)
    model.a_run_is_sent([CAP, -CAP, 0, 5, -5, 0], [True] * 6, 0, 0, 0, correct=False)
    model.an_exit_is_asked_for(0, BALANCE)
    model.a_cap_is_set(1, 3)
    model.the_guardian_acts(paused=True)
    model.time_passes(WEEK_S)
    model.an_exit_is_taken(0)
    model.a_cap_is_applied(1, by=2)
    model.nothing_differs()
    assert (model.run, model.balances[0], model.caps[1]) == (1, CAP, 3 * CENT)
