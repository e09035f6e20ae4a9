"""Streams decoded together against one alone (bar 6).

python -m benchmarks.local_batch --streams 8
"""

from __future__ import annotations

import argparse

import torch

from benchmarks.local_common import clock, parameters, report, talker
from chatdev.llm.base import SayLimits
from chatdev.llm.local.fast.forward import fast_forward
from chatdev.llm.local.load import device_and_dtype
from chatdev.llm.local.model import LocalModel
from chatdev.llm.local.stream import LocalStream


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shape", default="125m")
    options.add_argument("--streams", type=int, default=8)
    options.add_argument("--tokens", type=int, default=64)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--precision", choices=("fp32", "bf16", "int8", "int4"), default="int8")
    options.add_argument("--keys", choices=("auto", "fp32", "bf16"), default="auto", help="type of keys and values")
    options.add_argument("--own", action="store_true", help="the model's own forward instead of the packed step")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    # Keys and values in the model's own type: what a model of this size is loaded in on this machine, unless named.
    _, dtype = device_and_dtype(parameters(given.shape), given.keys)
    model = talker(given.shape, 1024, dtype, lookup=False)
    if not given.own:
        fast = fast_forward(model.network, given.precision, on_notice=print)
        assert fast is not None
        model.forward, model.joint = fast, fast.joint
    streams = []
    for i in range(given.streams):
        stream = model.open(f"You are clerk number {i}.", seed=i + 1)
        stream.hear("word " * (210 + i))
        stream.run_waiting()
        streams.append(stream)
    alone: list[float] = []
    together: list[float] = []
    for _ in range(given.rounds):
        alone.append(_pace(model, streams[:1], given.tokens))
        together.append(_pace(model, streams, given.tokens))
    one, many = sorted(alone)[len(alone) // 2], sorted(together)[len(together) // 2]
    rows = [
        ["", "tokens/s"],
        ["one stream", f"{one:.1f}"],
        [f"{given.streams} streams together", f"{many:.1f} ({many / one:.2f}x)"],
    ]
    how = f"{given.precision}, {'the model itself' if given.own else 'packed'}, keys in {str(dtype)[6:]}"
    report(f"Streams decoded together, {given.shape}, {how}, window 1,024", rows, "8 streams 2.5x one")


def _pace(model: LocalModel, streams: list[LocalStream], tokens: int) -> float:
    for stream in streams:
        stream.hear("Go on.")
        stream.run_waiting()
    start = clock()
    if len(streams) == 1:
        for _ in streams[0].say(SayLimits(tokens=tokens)):
            pass
    else:
        for _ in model.say_together([(stream, SayLimits(tokens=tokens)) for stream in streams]):
            pass
    return len(streams) * tokens / (clock() - start)


if __name__ == "__main__":
    main()
