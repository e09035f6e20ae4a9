"""Does the error grow with the length of a stream? Lock-step with the original algorithm (bar 2).

python -m benchmarks.local_drift --tokens 100000
"""

from __future__ import annotations

import argparse
import statistics

import torch

from benchmarks.local_common import report
from chatdev.llm.local.cache import SinkCache
from tests.local.zoo import make
from tests.reference.original import OriginalStream


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tokens", type=int, default=100_000)
    options.add_argument("--family", default="llama")
    options.add_argument("--block", type=int, default=8)
    given = options.parse_args()
    torch.set_num_threads(1)
    _fp32(given.family, given.tokens, given.block)
    _bf16(given.family)


@torch.no_grad()
def _fp32(family: str, tokens: int, block: int) -> None:
    model = make(family)
    truth, cache = OriginalStream(model, 4, 60, block), SinkCache(model, 4, 60, block)
    ids = torch.randint(3, 128, (tokens,), generator=torch.Generator().manual_seed(1))
    medians: list[float] = []
    rows = [["tokens", "median difference", "largest"]]
    part = max(1, tokens // 10)
    for start in range(0, tokens, part):
        worst: list[float] = []
        for at in range(start, min(start + part, tokens), block):
            piece = ids[at : at + block]
            expected, done = truth.feed(piece), 0
            while done < len(piece):
                n = min(cache.room, len(piece) - done)
                chunk = piece[None, done : done + n]
                logits = model(input_ids=chunk, position_ids=cache.positions(n), past_key_values=cache).logits[0]
                worst.extend((logits - expected[done : done + n]).abs().amax(-1).tolist())
                done += n
        medians.append(statistics.median(worst))
        rows.append([f"{start:,} to {start + part:,}", f"{medians[-1]:.1e}", f"{max(worst):.1e}"])
    report(f"Drift in fp32, {family}, 4+60, {cache.plan.evicted:,} evictions", rows, "median flat and below 1e-4")


@torch.no_grad()
def _bf16(family: str, tokens: int = 1500) -> None:
    """Error of both in bf16 against the original algorithm in fp32, with the same bf16 weights."""
    low = make(family).to(torch.bfloat16)
    high = make(family)
    high.load_state_dict(low.float().state_dict())
    low = low.to(torch.bfloat16)
    ids = torch.randint(3, 128, (tokens,), generator=torch.Generator().manual_seed(2))
    rows = [["window, block", "original, bf16", "sink cache, bf16", "ratio"]]
    for window, block in ((60, 1), (60, 8), (252, 1), (252, 32)):
        truth = OriginalStream(high, 4, window, block).feed(ids)[window + 100 :]
        original = OriginalStream(low, 4, window, block).feed(ids).float()[window + 100 :]
        cache, logits = SinkCache(low, 4, window, block), []
        for i in range(tokens):
            out = low(input_ids=ids[None, i : i + 1], position_ids=cache.positions(1), past_key_values=cache)
            logits.append(out.logits[0, -1].float())
        ours = torch.stack(logits)[window + 100 :]
        a, b = (float((x - truth).pow(2).mean().sqrt()) for x in (original, ours))
        rows.append([f"4+{window}, {block}", f"{a:.4f}", f"{b:.4f}", f"{b / a:.3f}x"])
    report(f"Error in bf16 against fp32 (rms of the logits), {family}", rows, "at most 1.05x the original's")


if __name__ == "__main__":
    main()
