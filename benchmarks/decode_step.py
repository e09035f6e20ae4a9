"""One decode step beside llama.cpp: the same shape, the same window, two threads, the same minutes.

    python -m benchmarks.decode_step [--shape 125m|1.1b] [--only int8,int4] [--rounds 60] [--kernels compiled,torch]

Needs `pip install gguf llama-cpp-python` (built from source) beside chatdev. Weights are random: speed does not depend
on them. Ours is the whole step from token id to fp32 logits with everything Python does, over a full sink cache of
4 + 1020 that goes on evicting; llama.cpp's is its own decode call alone, over 1024 cells of an f16 cache, with and
without its flash attention, the faster of which counts.

Every round takes one step of each program after a step to warm it. On a machine with neighbours a step is either
undisturbed or several times too long, so medians say how the machine was, and the fifth percentile what the step
takes; ratios of both are printed. Not measured here: prompts, sampling.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.llama_cpp import LlamaCpp, write
from chatdev.llm.local import SinkCache
from chatdev.llm.local.fast.forward import fast_forward

SHAPES = {
    "125m": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 2048},
    "1.1b": {"hidden_size": 2048, "num_hidden_layers": 22, "num_attention_heads": 32, "intermediate_size": 5632},
}
RIVALS = {"bf16": "f16", "int8": "q8_0", "int4": "q4_0"}
SINKS, WINDOW = 4, 1020


def network(shape: str) -> Any:
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(**SHAPES[shape], num_key_value_heads=4, vocab_size=32_000, max_position_embeddings=4096)
    return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()


def ours(forward: Any, cache: SinkCache) -> Callable[[], float]:
    """One step of a packed forward on a full window."""
    full, token = cache.fork(), torch.tensor([[7]])

    def step() -> float:
        begun = time.perf_counter()
        forward(token, full, 1)
        return time.perf_counter() - begun

    return step


def recompute(model: Any) -> Callable[[], float]:
    """One token of a sliding window with re-computation: the last 1,024 tokens run as a prompt."""
    ids = torch.randint(0, 32_000, (1, SINKS + WINDOW))

    def step() -> float:
        begun = time.perf_counter()
        model(input_ids=ids, use_cache=False, logits_to_keep=1)
        return time.perf_counter() - begun

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="125m")
    parser.add_argument("--only", default="bf16,int8,int4", help="precisions")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--kernels", default="compiled", help="compiled, torch, or both")
    parser.add_argument("--recompute", action="store_true", help="also the whole window run again, of 1,024 tokens")
    parser.add_argument("--plain", action="store_true", help="also the unmodified model's own forward")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    threads = torch.get_num_threads()
    model = network(options.shape)
    cache = SinkCache(model, SINKS, WINDOW)
    cache.feed(model, torch.randint(0, 32_000, (1, SINKS + WINDOW)))
    pairs = [(p, RIVALS[p]) for p in options.only.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        steps: dict[str, Callable[[], float]] = {}
        for precision, rival in pairs:
            for kernels in options.kernels.split(","):
                forward = fast_forward(model, precision, kernels, on_notice=print)
                assert forward is not None
                print(forward.describe(), flush=True)
                steps[f"{precision} {kernels}"] = ours(forward, cache)
            path = Path(folder) / f"{rival}.gguf"
            write(path, model.config, rival)
            for flash in (False, True):
                steps[f"{rival}{' flash' if flash else ''}"] = LlamaCpp(path, SINKS + WINDOW, threads, flash).step
        if options.plain:
            steps["plain"] = ours(lambda i, c, r: model(input_ids=i, past_key_values=c, use_cache=True), cache)
        if options.recompute:
            steps["recompute"] = recompute(model)
        found: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(options.rounds):
            for name, step in steps.items():
                if name != "recompute":
                    step()
                found[name].append(step() * 1e3)
    report(found, pairs)


def report(found: dict[str, list[float]], pairs: list[tuple[str, str]]) -> None:
    """Milliseconds of each program, and the ratios."""
    for name, ms in found.items():
        low, middle, high = np.percentile(ms, [5, 50, 95])
        print(f"{name:<16} p5 {low:7.2f}  median {middle:7.2f}  p95 {high:8.2f} ms  best {min(ms):7.2f}")
    for precision, rival in pairs:
        for name in (n for n in found if n.startswith(precision)):
            ratios = []
            for percent in (5, 50):
                theirs = min(np.percentile(found[r], percent) for r in (rival, f"{rival} flash"))
                ratios.append(np.percentile(found[name], percent) / theirs)
            print(f"{name} / {rival}: {ratios[0]:.2f} (p5), {ratios[1]:.2f} (medians)")
            if "recompute" in found:
                low, middle = (np.percentile(found["recompute"], p) / np.percentile(found[name], p) for p in (5, 50))
                print(f"recompute / {name}: {low:.0f} (p5), {middle:.0f} (medians)")


if __name__ == "__main__":
    main()
