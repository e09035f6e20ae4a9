"""What the cache itself costs in a decode step: update and attention of all layers, nothing else (bar 3).

python -m benchmarks.local_cache_path
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.local_common import interleaved, network, report, rounds_of
from chatdev.llm.local.attention import packed_sdpa
from chatdev.llm.local.cache import SinkCache

STEPS = {1020: 127, 4092: 32}
"""Steps of one measurement by window; also the block here, so that each holds one eviction. 127 is the default block
of the smaller window; the default of the larger one is 511, so its evictions count sixteen times here."""


class Way:
    """A cache path: `step` takes query, key and value of one token for every layer."""

    def __init__(self, layers: int) -> None:
        self.layers = layers

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        packed_sdpa(None, q, k, v, None)  # type: ignore[arg-type]


class Static(Way):
    """A full buffer of the same size; one column is overwritten."""

    def __init__(self, layers: int, k: Tensor, total: int) -> None:
        super().__init__(layers)
        shape = (k.shape[0], k.shape[1], total, k.shape[3])
        self.buffers = [(torch.randn(shape, dtype=k.dtype), torch.randn(shape, dtype=k.dtype)) for _ in range(layers)]
        self.at = 0

    def step(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        for keys, values in self.buffers:
            keys[:, :, self.at : self.at + 1] = k
            values[:, :, self.at : self.at + 1] = v
            self.attend(q, keys, values)
        self.at = (self.at + 1) % self.buffers[0][0].shape[2]


class Sinks(Way):
    """The sink cache, evictions, walks and rebases included."""

    def __init__(self, model: Any, k: Tensor, window: int) -> None:
        self.cache = SinkCache(model, 4, window, STEPS[window])
        super().__init__(len(self.cache.layers))
        while self.cache.held < self.cache.plan.total:
            n = min(256, self.cache.room)
            self.cache.begin(n)
            for layer in range(self.layers):
                rows = torch.randn(k.shape[0], k.shape[1], n, k.shape[3], dtype=k.dtype)
                self.cache.update(rows, rows, layer)
            self.cache.commit(n)

    def step(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        self.cache.begin(1)
        for layer in range(self.layers):
            keys, values = self.cache.update(k, v, layer)
            self.attend(q, keys, values)
        self.cache.commit(1)


class Original(Way):
    """Un-rotated keys, evicted by concatenation, the whole cache rotated at every step."""

    def __init__(self, cache: SinkCache, k: Tensor, total: int) -> None:
        super().__init__(len(cache.layers))
        shape = (k.shape[0], k.shape[1], total, k.shape[3])
        self.kept = [(torch.randn(shape, dtype=k.dtype), torch.randn(shape, dtype=k.dtype)) for _ in cache.layers]
        rotary: Any = cache.rope.decoder.rotary_emb
        self.apply = cache.rope.apply
        self.cos, self.sin = rotary(k.new_zeros(1), torch.arange(total)[None])

    def step(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        for i, (keys, values) in enumerate(self.kept):
            keys = torch.cat([keys[:, :, :4], keys[:, :, 5:], k], dim=2)
            values = torch.cat([values[:, :, :4], values[:, :, 5:], v], dim=2)
            self.kept[i] = (keys, values)
            self.attend(q, self.apply(keys, self.cos, self.sin), values)


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=31)
    options.add_argument("--only", type=int, choices=tuple(STEPS), help="one of the windows")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    rows = [[
        "shape, window, dtype", "static", "sink cache", "original",
        "to static", "to static of as many columns", "original to sinks",
    ]]  # fmt: skip
    for shape, window in (("125m", 1020), ("125m-mha", 4092)):
        if given.only not in (None, window):
            continue
        model = network(shape)
        heads, kv = model.config.num_attention_heads, model.config.num_key_value_heads
        q, k = torch.randn(1, heads, 1, 64), torch.randn(1, kv, 1, 64)
        sinks = Sinks(model, k, window)
        total = sinks.cache.plan.total
        # The sink cache holds between total - block + 1 and total tokens. The static buffer is as large as the window;
        # a second one is as large as what the sink cache holds on average, so that nothing but the caches differs.
        mean = total - sinks.cache.plan.block // 2
        made = {"static": Static(sinks.layers, k, total), "narrow": Static(sinks.layers, k, mean), "sinks": sinks}
        made["original"] = Original(sinks.cache, k, total)
        ways = {name: _many(way, q, k, STEPS[window]) for name, way in made.items()}
        first = interleaved(ways, given.rounds // 5 + 1)
        # Both take nearly the same: only rounds side by side, and many of them, tell by how much they differ.
        times = rounds_of({name: ways[name] for name in ("static", "narrow", "sinks")}, given.rounds)
        ratio, narrow = (
            statistics.median(b / a for a, b in zip(times[name], times["sinks"], strict=True))
            for name in ("static", "narrow")
        )
        ms = {name: statistics.median(seconds) / STEPS[window] * 1e3 for name, seconds in times.items()}
        rows.append([
            f"{heads}/{kv} heads, 4+{window}, fp32",
            f"{ms['static']:.2f} ms", f"{ms['sinks']:.2f} ms", f"{first['original'] / STEPS[window] * 1e3:.2f} ms",
            f"{ratio:.3f}x", f"{narrow:.3f}x", f"{first['original'] / first['sinks']:.2f}x",
        ])  # fmt: skip
    report(
        "Cache path of one decode step, 12 layers", rows,
        "at most 1.05x static; original at least 3x (grouped, 1020) and 7x (full heads, 4092)",
    )  # fmt: skip


def _many(way: Any, q: Tensor, k: Tensor, steps: int) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            for _ in range(steps):
                way.step(q, k, k)

    return run


if __name__ == "__main__":
    main()
