"""How long a failing endpoint is asked again: growing waits with jitter, Retry-After, and an end to it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """The limits of retrying. One reply waits at most `total` seconds in sum."""

    tries: int = 6
    """Requests in all, the first one included."""
    costly: int = 3
    """Requests in all when the endpoint had begun to answer, since those are paid for."""
    first: float = 1.0
    """Seconds before the second try; every further wait doubles."""
    longest: float = 30.0
    """Seconds of one wait, unless the endpoint asks for more."""
    total: float = 300.0
    """Seconds of all waits of one reply; an endpoint that asks for more is not waited for."""


class Tries:
    """Counts the failures of one reply and waits between them."""

    def __init__(self, patience: Patience, on_wait: Callable[[float, str], None] | None) -> None:
        self._patience = patience
        self._on_wait = on_wait
        self._waited = 0.0
        self.failed = 0
        self._costly = 0

    def again(self, reason: str, *, retry_after: float | None = None, costly: bool = False) -> bool:
        """Wait, and say whether to ask again. `costly`: the failed request is likely to be paid for."""
        self.failed += 1
        self._costly += costly
        if self.failed >= self._patience.tries or self._costly >= self._patience.costly:
            return False
        wait = min(self._patience.first * 2 ** (self.failed - 1), self._patience.longest)
        wait *= random.uniform(0.75, 1.25)
        if retry_after is not None:
            wait = max(retry_after, 0.0) or wait
        if self._waited + wait > self._patience.total:
            return False
        self._waited += wait
        if self._on_wait is not None:
            self._on_wait(wait, reason)
        time.sleep(wait)
        return True
