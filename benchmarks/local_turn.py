"""A turn against re-feeding the window; fork against prefill; save and load (bar 5).

python -m benchmarks.local_turn

Prompts go through the step that serves them in a run (`fast.forward`); a window is fed again through the model's own
forward into a dense cache.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from benchmarks.local_common import interleaved, network, report, talker
from chatdev.llm.local.cache import SinkCache
from chatdev.llm.local.fast.anatomy import dissect
from chatdev.llm.local.fast.check import PROMPT, ROUNDING, Truth, difference
from chatdev.llm.local.fast.torch_step import TorchStep
from chatdev.llm.local.memory import SinkMemory


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shape", default="125m")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--new", type=int, default=200)
    options.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    model = network(given.shape, torch.float32 if given.dtype == "fp32" else torch.bfloat16)
    rows = [["", "here", "the other way", "ratio"]]
    for window in (1020, 2044):
        rows.append(_turn(model, window, given.new, given.rounds))
    rows.append(_fork(model, given.rounds))
    rows.append(_load(given.shape, model.dtype, given.rounds))
    report(
        f"A turn of {given.new} new tokens, {given.shape}, {given.dtype}", rows,
        "prompt 3.5x at 1020 and 6.5x at 2044, fork 40x, load below 50 ms",
    )  # fmt: skip


def _turn(model: Any, window: int, new: int, rounds: int) -> list[str]:
    cache = SinkCache(model, 4, window)
    memory = SinkMemory(prompts(model), cache)
    ids = torch.randint(5, 30_000, (1, window + 600))
    _feed(memory, ids[0].tolist())
    told = ids[0, :new].tolist()

    @torch.no_grad()
    def refeed() -> None:
        dense = DynamicCache(config=model.config)
        model(input_ids=ids[:, : window + 4], past_key_values=dense, logits_to_keep=1)

    times = interleaved({"stream": lambda: _feed(memory, told), "refeed": refeed}, rounds)
    return _row(f"prompt part of a turn, 4+{window}", times["stream"], times["refeed"], "re-fed window")


def prompts(model: Any) -> TorchStep:
    """The step that serves prompts, without the packing that comes with it."""
    step = TorchStep(dissect(model), None)
    off = difference(Truth(model, PROMPT), step)
    if off > ROUNDING[model.dtype]:
        raise SystemExit(f"the step differs from the model by {off:.1e}")
    return step


def _feed(memory: SinkMemory, ids: list[int]) -> None:
    done = 0
    while done < len(ids):
        piece = ids[done : done + memory.reach]
        memory.feed(piece)
        done += len(piece)


def _fork(model: Any, rounds: int) -> list[str]:
    prefix = torch.randint(5, 30_000, (1, 300))
    cache, step = SinkCache(model, 4, 1020), prompts(model)
    step(prefix, cache, 1)
    ways = {
        "fork": lambda: cache.fork(),
        "prefill": lambda: step(prefix, SinkCache(model, 4, 1020), 1),
    }
    times = interleaved(ways, 3 * rounds)
    return _row("fork of a prefix of 300 tokens", times["fork"], times["prefill"], "prefilled")


def _load(shape: str, dtype: torch.dtype, rounds: int) -> list[str]:
    stream = talker(shape, dtype=dtype).open("You are a clerk.")
    stream.hear("word " * 400)
    stream.run_waiting()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream.safetensors"
        ways = {"save": lambda: stream.save(path), "load": lambda: stream.load(path)}
        times = interleaved(ways, 3 * rounds)
        size = path.stat().st_size / 1e6
    return [f"load of a full window of 1,024 ({size:.0f} MB)", f"{times['load'] * 1e3:.1f} ms",
            f"save {times['save'] * 1e3:.1f} ms", ""]  # fmt: skip


def _row(what: str, here: float, there: float, other: str) -> list[str]:
    return [what, f"{here * 1e3:.1f} ms", f"{other} {there * 1e3:.1f} ms", f"{there / here:.1f}x"]


if __name__ == "__main__":
    main()
