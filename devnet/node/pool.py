"""
Keep transactions that wait for a block, as geth's pool does.

A sender's transactions are pending as far as their nonces follow each other from the account's, and
queued beyond the first gap. The pool knows no chain: whoever adds says what the account has.

What it says may be old by the time it is heard: then a transaction that could be mined counts as
queued until the next block. It does not wait for that, because a block asks for the nonces anew.

Nothing is looked for by going through all that waits, so a full pool is as quick as an empty one.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from threading import RLock
from typing import Final

from devnet.admission import Refusal, TransactionRefusedError
from devnet.engine.transactions import Transaction

_PERCENT: Final = 100
_OUTDATED_MIN: Final = 64


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """
    How much the pool takes.

    Geth takes 5120 pending in all, and lets a sender have more than 16 while there is room. Here
    one sender may be a whole load test. As with geth, what a gap that opens later leaves behind
    stays, however much it is.
    """

    total: int = 8_192
    """Transactions in all."""
    account: int = 4_096
    """Transactions of one sender."""
    queued: int = 64
    """Transactions of one sender beyond a gap, as geth has it."""
    bump_percent: int = 10
    """By how much a replacement must pay more, as geth has it."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the sender has in the newest state."""

    nonce: int
    """Its next nonce."""
    balance: int
    """Its coins, in wei."""


@dataclass(frozen=True, slots=True)
class Added:
    """What adding did to others."""

    replaced: Transaction | None
    """The transaction of the same nonce that it took the place of."""
    evicted: tuple[Transaction, ...]
    """Transactions that had to leave because the pool was full."""


@dataclass(slots=True)
class _Account:
    """One sender's transactions."""

    nonce: int
    """The account's next nonce, as far as it is known."""
    follow: int
    """The first nonce from ``nonce`` on that is not there."""
    by_nonce: dict[int, Transaction] = field(default_factory=dict)
    """All of them."""
    nonces: list[int] = field(default_factory=list)
    """Their nonces, ascending."""
    cost: int = 0
    """What they cost at most, in wei."""

    def put(self, transaction: Transaction) -> None:
        """Add one, or put it in the place of another."""
        nonce = transaction.nonce
        old = self.by_nonce.get(nonce)
        self.by_nonce[nonce] = transaction
        self.cost += _cost(transaction)
        if old is not None:
            self.cost -= _cost(old)
            return
        insort(self.nonces, nonce)
        if nonce == self.follow:
            self.follow = self.after(nonce)

    def take_out(self, transaction: Transaction) -> None:
        nonce = transaction.nonce
        del self.by_nonce[nonce]
        del self.nonces[bisect_left(self.nonces, nonce)]
        self.cost -= _cost(transaction)
        if self.nonce <= nonce < self.follow:
            self.follow = nonce

    def move(self, nonce: int) -> None:
        """Follow the account to its next nonce, forward or back."""
        self.follow = self.after(nonce)
        self.nonce = nonce

    def after(self, nonce: int) -> int:
        """Return the first nonce from ``nonce`` on that is not there."""
        if nonce not in self.by_nonce:
            return nonce
        if self.nonce <= nonce < self.follow:
            return self.follow
        if self.nonces[-1] == nonce:
            return nonce + 1
        # How far a nonce is from its place in the list is the same up to the gap, and more beyond.
        ahead, places = nonce - bisect_left(self.nonces, nonce), range(len(self.nonces))
        gap = bisect_right(places, ahead, key=lambda at: self.nonces[at] - at)
        return self.nonces[gap - 1] + 1


class Pool:
    """The pool; used by any thread."""

    def __init__(self, limits: PoolLimits | None = None) -> None:
        """Begin empty."""
        self._limits: Final = limits or PoolLimits()
        self._accounts: Final[dict[bytes, _Account]] = {}
        self._arrivals: Final[dict[bytes, tuple[int, Transaction]]] = {}
        self._lasts: list[tuple[int, int, Transaction]] = []
        self._clock: Final = count()
        self._lock: Final = RLock()

    def __len__(self) -> int:
        """Return the number of transactions."""
        return len(self._arrivals)

    def add(self, transaction: Transaction, state: AccountState) -> Added:
        """
        Take in a transaction.

        Raises
        ------
        TransactionRefusedError
            If it is there already, comes too late, does not pay enough for the one it would
            replace, its sender could not pay for all that waits, or there is no room.
        """
        with self._lock:
            if transaction.hash in self._arrivals:
                raise TransactionRefusedError(Refusal.KNOWN)
            if transaction.nonce < state.nonce:
                nonces = f"next nonce {state.nonce}, tx nonce {transaction.nonce}"
                raise TransactionRefusedError(Refusal.NONCE_LOW, nonces)
            account = self._accounts.get(transaction.sender)
            if account is None:
                account = _Account(state.nonce, state.nonce)
            # A block may have come since the state was looked at: what is known here is then newer.
            if account.nonce < state.nonce:
                account.move(state.nonce)
            old = account.by_nonce.get(transaction.nonce)
            self._check(transaction, account, old, state.balance)
            evicted: tuple[Transaction, ...] = ()
            if old is None:
                evicted = self._make_room(transaction)
            else:
                del self._arrivals[old.hash]
            # Whoever had to leave may have been all that the sender had.
            self._accounts[transaction.sender] = account
            account.put(transaction)
            self._arrivals[transaction.hash] = (next(self._clock), transaction)
            if account.nonces[-1] == transaction.nonce:
                self._note_last(account)
            return Added(old, evicted)

    def take(
        self, base_fee: int, gas_limit: int, next_nonce: Callable[[bytes], int]
    ) -> list[Transaction]:
        """
        Return what can go into the next block, best tip first, then first come; all stay here.

        Parameters
        ----------
        base_fee
            What the block burns, in wei per gas; who does not pay it waits.
        gas_limit
            Gas limits of what is returned sum up to this at most.
        next_nonce
            Gives the next nonce of an account.
        """
        with self._lock:
            heads: list[tuple[int, int, Transaction]] = []
            for sender, account in self._accounts.items():
                self._push(heads, account, next_nonce(sender), base_fee)
            taken: list[Transaction] = []
            while heads:
                _, _, transaction = heappop(heads)
                if transaction.gas > gas_limit:
                    # A sender's later transactions must wait with it; others may still fit.
                    continue
                gas_limit -= transaction.gas
                taken.append(transaction)
                account = self._accounts[transaction.sender]
                self._push(heads, account, transaction.nonce + 1, base_fee)
            return taken

    def executable(self, next_nonce: Callable[[bytes], int]) -> bool:
        """Say whether something could go into the next block."""
        with self._lock:
            return any(
                next_nonce(sender) in account.by_nonce for sender, account in self._accounts.items()
            )

    def remove_mined(
        self, mined: Iterable[Transaction], nonces: Mapping[bytes, int]
    ) -> tuple[Transaction, ...]:
        """
        Take out what a block holds, and what can never be mined any more; return the latter.

        Parameters
        ----------
        nonces
            The next nonces of the block's senders.
        """
        with self._lock:
            for transaction in mined:
                if transaction.hash in self._arrivals:
                    self._remove(transaction)
            late = []
            for sender, nonce in nonces.items():
                account = self._accounts.get(sender)
                if account is None:
                    continue
                account.move(nonce)
                below = account.nonces[: bisect_left(account.nonces, nonce)]
                late += [account.by_nonce[one] for one in below]
            for transaction in late:
                self._remove(transaction)
            return tuple(late)

    def drop(self, transaction: bytes) -> bool:
        """Take one out by its hash; say whether it was there."""
        with self._lock:
            found = self._arrivals.get(transaction)
            if found is not None:
                self._remove(found[1])
            return found is not None

    def clear(self) -> None:
        """Take all out."""
        with self._lock:
            self._accounts.clear()
            self._arrivals.clear()
            self._lasts.clear()

    def get(self, transaction: bytes) -> Transaction | None:
        """Return one by its hash, if it is there."""
        found = self._arrivals.get(transaction)
        return None if found is None else found[1]

    def status(self) -> tuple[int, int]:
        """Return how many are pending and how many queued."""
        with self._lock:
            pending = sum(one.follow - one.nonce for one in self._accounts.values())
            return pending, len(self._arrivals) - pending

    def content(
        self,
    ) -> tuple[dict[bytes, dict[int, Transaction]], dict[bytes, dict[int, Transaction]]]:
        """Return what is pending and what is queued, by sender and nonce."""
        pending: dict[bytes, dict[int, Transaction]] = {}
        queued: dict[bytes, dict[int, Transaction]] = {}
        with self._lock:
            for sender, account in self._accounts.items():
                for nonce in account.nonces:
                    part = pending if account.nonce <= nonce < account.follow else queued
                    part.setdefault(sender, {})[nonce] = account.by_nonce[nonce]
        return pending, queued

    def next_nonce(self, address: bytes, state_nonce: int) -> int:
        """Return the nonce after all that is pending of an account."""
        with self._lock:
            account = self._accounts.get(address)
            return state_nonce if account is None else account.after(state_nonce)

    def _check(
        self, transaction: Transaction, account: _Account, old: Transaction | None, balance: int
    ) -> None:
        queued = account.cost - (_cost(old) if old else 0)
        cost = _cost(transaction)
        if balance < queued + cost:
            sums = f"balance {balance}, queued cost {queued}, tx cost {cost}, "
            over = f"overshot {queued + cost - balance}"
            raise TransactionRefusedError(Refusal.FUNDS, sums + over)
        if old is not None:
            if not self._outbids(transaction, old):
                raise TransactionRefusedError(Refusal.UNDERPRICED_REPLACEMENT)
            return
        beyond = transaction.nonce > account.follow
        far = len(account.by_nonce) - (account.follow - account.nonce)
        if len(account.by_nonce) >= self._limits.account or (beyond and far >= self._limits.queued):
            raise TransactionRefusedError(Refusal.ACCOUNT_LIMIT)

    def _outbids(self, new: Transaction, old: Transaction) -> bool:
        """Say whether both fees rise by the share asked for, and at all (geth's rule)."""
        factor = _PERCENT + self._limits.bump_percent
        pairs = (
            (new.max_fee_per_gas, old.max_fee_per_gas),
            (new.max_priority_fee_per_gas, old.max_priority_fee_per_gas),
        )
        return all(fee > before and fee >= before * factor // _PERCENT for fee, before in pairs)

    def _make_room(self, transaction: Transaction) -> tuple[Transaction, ...]:
        """Let the last transaction of whoever tips least go, if the new one tips more."""
        if len(self._arrivals) < self._limits.total:
            return ()
        poorest = self._poorest(transaction)
        tip = transaction.max_priority_fee_per_gas
        if poorest is None or tip <= poorest.max_priority_fee_per_gas:
            raise TransactionRefusedError(Refusal.POOL_FULL)
        self._remove(poorest)
        return (poorest,)

    def _poorest(self, newcomer: Transaction) -> Transaction | None:
        """Return who tips least of everybody's last ones; of equals, who came last."""
        own: tuple[int, int, Transaction] | None = None
        while self._lasts:
            one = self._lasts[0][2]
            if one.hash not in self._arrivals or self._last(one.sender) is not one:
                heappop(self._lasts)
            elif one.sender == newcomer.sender and one.nonce < newcomer.nonce:
                # What the new one may have to follow must not go for its sake.
                own = heappop(self._lasts)
            else:
                break
        poorest = self._lasts[0][2] if self._lasts else None
        if own is not None:
            heappush(self._lasts, own)
        return poorest

    def _last(self, sender: bytes) -> Transaction:
        account = self._accounts[sender]
        return account.by_nonce[account.nonces[-1]]

    def _note_last(self, account: _Account) -> None:
        """Remember the last transaction of a sender; that of before is outdated."""
        if len(self._lasts) >= 2 * len(self._arrivals) + _OUTDATED_MIN:
            self._lasts = [self._entry(one) for one in self._accounts.values()]
            heapify(self._lasts)
        else:
            heappush(self._lasts, self._entry(account))

    def _entry(self, account: _Account) -> tuple[int, int, Transaction]:
        last = account.by_nonce[account.nonces[-1]]
        # One that left and came again is here twice, and the newer is found first.
        return last.max_priority_fee_per_gas, -self._arrivals[last.hash][0], last

    def _remove(self, transaction: Transaction) -> None:
        del self._arrivals[transaction.hash]
        account = self._accounts[transaction.sender]
        account.take_out(transaction)
        if not account.nonces:
            del self._accounts[transaction.sender]
        elif account.nonces[-1] < transaction.nonce:
            self._note_last(account)

    def _push(
        self,
        heads: list[tuple[int, int, Transaction]],
        account: _Account,
        nonce: int,
        base_fee: int,
    ) -> None:
        """Add the transaction of ``nonce`` to the heap, if it is there and pays the base fee."""
        transaction = account.by_nonce.get(nonce)
        if transaction is None or transaction.max_fee_per_gas < base_fee:
            return
        tip = min(transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas - base_fee)
        heappush(heads, (-tip, self._arrivals[transaction.hash][0], transaction))


def _cost(transaction: Transaction) -> int:
    return transaction.gas * transaction.max_fee_per_gas + transaction.value
