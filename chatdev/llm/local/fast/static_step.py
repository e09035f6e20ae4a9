"""The decode step with shapes and addresses that never change, for CUDA graphs and `torch.compile`.

On a GPU a small step costs more to launch than to compute. Here one token (or a draft, filled up to a fixed width)
always attends over the whole buffer of the sink cache under a mask, and reads its inputs from fixed tensors; so the
step is captured once for each stream and width, and replayed. The sinks walk and blocks leave between two replays, in
the same buffers. A buffer that was made anew (a resize, another stream) is captured anew.

On any other device the same step runs uncaptured, which is how it is tested. Non-goals: packed weights, several streams
in one step (those go through the model itself).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chatdev.llm.local.fast.anatomy import Anatomy
from chatdev.llm.local.fast.torch_step import TorchStep

WIDTHS = (1, 8, 32)
"""Tokens of one step; a draft is filled up to the next of them."""


class _Whole:
    """One layer's buffers, all columns of them: what is appended goes to the columns in `at`."""

    def __init__(self, keys: Tensor, values: Tensor, at: Tensor) -> None:
        self.keys, self.values, self.at = keys, values, at

    def update(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write [1, heads, width, dim] and return the whole buffers."""
        self.keys.index_copy_(2, self.at, keys)
        self.values.index_copy_(2, self.at, values)
        return self.keys, self.values


class _Captured:
    """One width of one stream: the fixed inputs, and the step on them."""

    def __init__(self, run: Callable[..., Tensor], anatomy: Anatomy, cache: Any, width: int) -> None:
        device, dtype = cache.device, cache.layers[0].dtype
        self.width, self.capacity = width, cache.plan.capacity
        self.groups = anatomy.heads // anatomy.kv_heads
        self.ids = torch.zeros(1, width, dtype=torch.long, device=device)
        self.at = torch.zeros(width, dtype=torch.long, device=device)
        angles = torch.zeros(2, width, anatomy.rotary // 2, dtype=torch.float32, device=device)
        self.cos, self.sin = angles.unbind()
        self.mask = torch.zeros(width, self.capacity, dtype=dtype, device=device)
        self.rows = torch.arange(width, device=device)
        self.columns = torch.arange(self.capacity, device=device)
        stores = [_Whole(layer.keys, layer.values, self.at) for layer in cache.layers]
        self.buffers = addresses(cache)

        def step() -> Tensor:
            return run(self.ids, (self.cos, self.sin), self.mask.repeat(self.groups, 1), stores, width)

        self._step = step
        self._graph: Any = None
        self._logits: Tensor | None = None

    def fill(self, ids: Tensor, angles: tuple[Tensor, Tensor], start: int, at: int) -> None:
        """Set the inputs. Tokens beyond those of `ids` are fillers: nothing sees them, and what they write lies
        behind the end of what is held.
        """
        n = ids.shape[1]
        self.ids.zero_()
        self.ids[:, :n] = ids
        self.cos[:n], self.sin[:n] = angles
        self.at.copy_(at + self.rows)
        seen = (self.columns >= start) & (self.columns <= self.at[:, None])
        self.mask.copy_(torch.where(seen, 0.0, torch.finfo(self.mask.dtype).min))

    def __call__(self) -> Tensor:
        if self.ids.device.type != "cuda":
            return self._step()
        if self._graph is None:
            self._capture()
        self._graph.replay()
        assert self._logits is not None
        return self._logits

    def _capture(self) -> None:
        # Warmed on a stream of its own, as torch asks for; the columns it writes are written again by the replay.
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = self._step()


class StaticStep:
    """`step(ids [1, n], cache, rows)` for n up to the widest width.

    Args:
        anatomy: what `dissect` found; the model's own weights are used.
        compiled: let `torch.compile` fuse the step first, which takes half a minute.
    """

    most_rows = WIDTHS[-1]

    def __init__(self, anatomy: Anatomy, *, compiled: bool = False) -> None:
        self.anatomy = anatomy
        self.plain = TorchStep(anatomy, None)
        self.bytes = self.plain.bytes
        self._run: Callable[..., Tensor] = torch.compile(self.plain.run, dynamic=False) if compiled else self.plain.run
        self._captured: weakref.WeakKeyDictionary[Any, dict[int, _Captured]] = weakref.WeakKeyDictionary()

    @torch.no_grad()
    def __call__(self, ids: Tensor, cache: Any, rows: int) -> Tensor:
        """Run [1, n] tokens; fp32 logits [1, rows, vocabulary] of the last `rows`."""
        n, plan = ids.shape[1], cache.plan
        before = cache.plan.seen
        cache.begin(n)
        first, at = before - plan.offset, plan.start + plan.held
        width = next((w for w in WIDTHS if n <= w and at + w <= plan.capacity), 0)
        if width and ids.shape[0] == 1 and all(layer.is_initialized for layer in cache.layers):
            step = self._step_for(cache, width)
            step.fill(ids, self.anatomy.angles(first, n), plan.start, at)
            logits = step()[:, n - rows : n].clone()
        else:
            logits = self.plain.begun(ids, cache, rows, first)
        cache.commit(n)
        return logits

    def joint(self, ids: Tensor, rectangle: Any) -> Tensor:
        """One token of every row of a rectangle (see `batch`)."""
        return self.plain.joint(ids, rectangle)

    def _step_for(self, cache: Any, width: int) -> _Captured:
        own = self._captured.setdefault(cache, {})
        if width not in own or own[width].buffers != addresses(cache):
            own[width] = _Captured(self._run, self.anatomy, cache, width)
        return own[width]


def addresses(cache: Any) -> list[tuple[int, int]]:
    """Where the buffers of a cache lie."""
    return [(layer.keys.data_ptr(), layer.values.data_ptr()) for layer in cache.layers]
