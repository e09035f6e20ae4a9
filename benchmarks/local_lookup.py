"""Lookup decoding: a file said again with some lines changed, and text with nothing to copy (bar 7).

    python -m benchmarks.local_lookup

The weights are random, so what is said is forced: after every forward the logits of the wanted token are raised. All
work of a real step is done, and the drafts are found as ever.
"""

from __future__ import annotations

import argparse
import random
import statistics
from typing import Any

import torch

from benchmarks.local_common import clock, report, talker
from chatdev.llm.base import Sampling, SayLimits
from chatdev.llm.local.fast.forward import fast_forward

TURN = 50
"""Tokens said with one way before the other's turn."""


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shape", default="125m")
    options.add_argument("--tokens", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--packed", choices=("fp32", "bf16", "int8", "int4"), help="the packed step")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    chance = random.Random(7)
    lines = [[chance.randrange(300, 30_000) for _ in range(chance.randrange(8, 18))] for _ in range(given.tokens // 13)]
    changed = [[chance.randrange(300, 30_000) for _ in line] if i % 20 == 10 else line for i, line in enumerate(lines)]
    old, new = ([token for line in each for token in line] for each in (lines, changed))
    fresh = [chance.randrange(300, 30_000) for _ in range(given.tokens // 2)]
    # Text that repeats short runs by chance, as prose does, and copies nothing for long.
    prose = [(i * i // 7) % 90 + 300 if i % 3 else chance.randrange(300, 400) for i in range(given.tokens // 2)]
    rows = [["", "plain", "with lookup", "ratio", "accepted"]]
    for name, said in (
        ("file said again, 5 % of the lines changed", new),
        ("random tokens", fresh),
        ("prose-like", prose),
    ):
        rounds = [_race(given.shape, given.packed, old, said) for _ in range(given.rounds)]
        plain, fast = (len(said) / statistics.median(took[lookup] for took, _ in rounds) for lookup in (False, True))
        ratio = statistics.median(took[False] / took[True] for took, _ in rounds)
        rows.append([name, f"{plain:.1f} tok/s", f"{fast:.1f} tok/s", f"{ratio:.2f}x", rounds[0][1]])
    how = f"{given.packed} packed" if given.packed else "fp32"
    report(f"Lookup decoding, {given.shape}, {how}, window 4,096", rows, "2.5x for the file, never below 0.97x")


_models: dict[str, Any] = {}


def _race(shape: str, packed: Any, held: list[int], said: list[int]) -> tuple[dict[bool, float], str]:
    """Seconds for `said` without lookup and with it, in turns of `TURN` tokens: a busy neighbour slows both alike."""
    if shape not in _models:
        model = _models[shape] = talker(shape, 4096, sampling=Sampling())
        model.plain_forward = fast_forward(model.network, packed, on_notice=print) if packed else model.forward
    model = _models[shape]
    forward = model.forward = model.plain_forward
    streams = {}
    for lookup in (False, True):
        stream = streams[lookup] = model.open("You are a programmer.")
        if not lookup:
            stream.lookup = None
        stream.put(held)
        stream.hear("Write it again.")
        stream.run_waiting()
    first = streams[True].tape.total + len(model.speller.asked())

    def forced(ids: torch.Tensor, cache: Any, rows: int) -> torch.Tensor:
        place = cache.seen + ids.shape[1] - rows + 1 - first
        logits = forward(ids, cache, rows)
        for row in range(rows):
            if 0 <= place + row < len(said):
                logits[:, row, said[place + row]] = 1e9
        return logits

    model.forward = forced
    pieces = {lookup: stream.say(SayLimits(tokens=len(said))) for lookup, stream in streams.items()}
    took = {False: 0.0, True: 0.0}
    for i, to in enumerate(range(first + TURN, first + len(said) + TURN, TURN)):
        for lookup in (False, True) if i % 2 else (True, False):
            start = clock()
            while streams[lookup].tape.total < to and next(pieces[lookup], None) is not None:
                pass
            took[lookup] += clock() - start
    for lookup, stream in streams.items():
        assert next(pieces[lookup], None) is None
        assert stream.tape.since(stream.reply.mark.start) == said
    used = streams[True].lookup
    return took, f"{used.rate():.0%} of {used.proposed}"


if __name__ == "__main__":
    main()
