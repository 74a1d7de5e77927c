"""Show everybody who watches the community the same, however many they are."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

import orjson

PERIOD_S: Final = 1
"""How old what is shown may be, in seconds."""


class Glance:
    """The overview as text, made at most once in a period."""

    def __init__(self, overview: Callable[[], Mapping[str, Any]]) -> None:
        """Show what ``overview`` returns, which is called in a worker thread."""
        self._overview: Final = overview
        self._turn: Final = asyncio.Lock()
        self._made_s: float | None = None
        self._text = b""

    async def text(self) -> bytes:
        """Return the overview in JSON, as it was within the last period."""
        async with self._turn:
            if self._made_s is None or monotonic() - self._made_s >= PERIOD_S:
                self._text = orjson.dumps(await asyncio.to_thread(self._overview))
                self._made_s = monotonic()
            return self._text
