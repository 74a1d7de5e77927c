"""Make blocks on a thread of its own: at once, at intervals, or when it is told."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

_log: Final = logging.getLogger(__name__)

_STOP_TIMEOUT_S: Final = 10


class Miner:
    """
    The thread that makes blocks.

    After each block it looks again at what there is to do, so nothing that was accepted waits for
    something else to arrive.
    """

    def __init__(
        self,
        work: Callable[[], float | None],
        interval: Callable[[], bool],
        ended: Callable[[], None],
    ) -> None:
        """
        Begin to work.

        Parameters
        ----------
        work
            Makes a block if there is something to put in; returns None if nothing is left to do, or
            in how many seconds there will be.
        interval
            Makes a block whatever there is; returns False if the chain is closed.
        ended
            Told when the thread ends, for whatever reason.
        """
        self._work = work
        self._make = interval
        self._ended = ended
        self._interval_s = 0.0
        self._due_s = 0.0
        self._automatic = True
        self._woken = threading.Condition()
        self._has_work = True
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="devnet miner", daemon=True)
        self._thread.start()

    @property
    def is_automatic(self) -> bool:
        """Say whether blocks come by themselves as soon as there are transactions."""
        return self._automatic and not self._interval_s

    def wake(self) -> None:
        """Say that there may be something to do."""
        with self._woken:
            self._has_work = True
            self._woken.notify()

    def set_automatic(self, *, automatic: bool) -> None:
        """Make blocks as soon as there are transactions, or only when told."""
        with self._woken:
            self._automatic = automatic
            self._has_work = True
            self._woken.notify()

    def set_interval(self, seconds: float) -> None:
        """Make a block every so many seconds, with whatever there is; 0 ends that."""
        with self._woken:
            self._interval_s = seconds
            self._due_s = time.monotonic() + seconds
            self._has_work = True
            self._woken.notify()

    def stop(self) -> None:
        """Finish the block under way and stop."""
        with self._woken:
            self._stopped = True
            self._woken.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            self._ended()

    def _serve(self) -> None:
        wait_s: float | None = None
        while True:
            with self._woken:
                if not self._has_work and not self._stopped:
                    self._woken.wait(self._until_due_s() if self._interval_s else wait_s)
                if self._stopped:
                    return
                self._has_work = False
                interval_s, automatic = self._interval_s, self._automatic
                is_due = not self._until_due_s()
            wait_s = None
            if interval_s:
                # Whoever wakes the thread must not make the next block come later.
                if is_due:
                    self._due_s = time.monotonic() + interval_s
                    if not self._make():
                        return
            elif automatic:
                wait_s = self._work()

    def _until_due_s(self) -> float:
        """Return how long it is to the next block of an interval, in seconds."""
        return max(0.0, self._due_s - time.monotonic())
