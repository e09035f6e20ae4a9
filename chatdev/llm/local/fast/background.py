"""The fast step, made in the background while the first prompt already runs.

Packing takes seconds (about 20 for a billion weights). Prompts need nothing packed: they wait only until their step is
proved (or given up), and the first short forward for the rest. Which tokens go which way is the same as if all had been
there from the beginning, and so is every reply.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from chatdev.llm.local.memory import network_forward, network_joint

if TYPE_CHECKING:
    from chatdev.llm.local.batch import Rectangle
    from chatdev.llm.local.fast.forward import FastForward
    from chatdev.llm.local.fast.torch_step import TorchStep

SHORT = 32
"""Tokens of one forward up to which a fast step may serve; more never go through one."""
TOLD_EVERY = 0.5
"""Seconds."""
Check = Callable[[float], None]
OnPrompt = Callable[["TorchStep"], None]
Make = Callable[[Check, OnPrompt], "FastForward | None"]


class AbandonedError(RuntimeError):
    """Nobody needs what is being made any more."""


class Background:
    """A `Forward` and a `Joint` that wait for a fast one where it would serve.

    Args:
        network: the model, for long forwards, and for all when there is no fast one.
        make: makes the fast forward, or None; it is to call the first function it is given now and then with its
            progress, and the second with the step for prompts as soon as that is proved.
        on_wait: told how far it is while somebody waits for it.
    """

    def __init__(self, network: Any, make: Make, on_wait: Check = lambda done: None) -> None:
        self._own, self._own_joint = network_forward(network), network_joint(network)
        self._make, self._on_wait = make, on_wait
        self._done = 0.0
        self._fast: FastForward | None = None
        self._prompt: TorchStep | None = None
        self._decided = threading.Event()
        """Whether prompts have a step of their own is known."""
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="packing")
        self._thread.start()

    def _work(self) -> None:
        try:
            self._fast = self._make(self._check, self._decide)
        except BaseException as error:  # noqa: BLE001 - raised again where the result is wanted
            self._error = error
        finally:
            self._decided.set()

    def _decide(self, prompt: TorchStep) -> None:
        self._prompt = prompt
        self._decided.set()

    def _check(self, done: float) -> None:
        # The interpreter waits for this thread when it ends; so it must notice that.
        if self._stop.is_set() or not threading.main_thread().is_alive():
            raise AbandonedError
        self._done = done

    def wait(self) -> FastForward | None:
        """What was made; raises what went wrong in making it."""
        if self._thread.is_alive():
            while self._thread.is_alive():
                self._on_wait(self._done)
                self._thread.join(TOLD_EVERY)
            self._on_wait(1.0)
        if self._error is not None:
            raise self._error
        return self._fast

    def stop(self) -> None:
        """Give up what is not ready yet."""
        self._stop.set()
        self._thread.join()

    def __call__(self, ids: Tensor, cache: Any, rows: int) -> Tensor:
        if ids.numel() > SHORT:
            return self._long(ids, cache, rows)
        fast = self.wait()
        return self._own(ids, cache, rows) if fast is None else fast(ids, cache, rows)

    def _long(self, ids: Tensor, cache: Any, rows: int) -> Tensor:
        from chatdev.llm.local.fast.forward import serves_prompt

        while not self._decided.wait(TOLD_EVERY):
            self._on_wait(self._done)
        if not self._thread.is_alive() and self._error is not None:
            raise self._error
        serves = self._prompt is not None and serves_prompt(ids, cache)
        return self._prompt(ids, cache, rows) if serves else self._own(ids, cache, rows)  # type: ignore[misc]

    def joint(self, ids: Tensor, rectangle: Rectangle) -> Tensor:
        """One token of each of several streams."""
        fast = self.wait()
        return self._own_joint(ids, rectangle) if fast is None else fast.joint(ids, rectangle)
