"""What the benchmarks of the local engine share: shapes with random weights, a byte tokenizer, medians."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from chatdev.llm.base import Sampling
from chatdev.llm.local import LocalModel, Settings

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
             "intermediate_size": 172, "vocab_size": 512},
    "125m": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "num_key_value_heads": 4,
             "intermediate_size": 2048, "vocab_size": 32_000},
    "125m-mha": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "num_key_value_heads": 12,
                 "intermediate_size": 2048, "vocab_size": 32_000},
}  # fmt: skip


def network(shape: str, dtype: torch.dtype = torch.float32) -> Any:
    """A Llama of a shape with random weights on the device that is there, attending in packed form on a CPU."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from chatdev.llm.local.attention import use_packed_sdpa

    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **SHAPES[shape], max_position_embeddings=16_384)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).to(device).eval().requires_grad_(False)
    use_packed_sdpa(model)
    return model


def parameters(shape: str) -> int:
    """How many a model of this shape has; none is made."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **SHAPES[shape]))
    return sum(p.numel() for p in model.parameters())


def byte_tokenizer() -> Any:
    """Every byte is a token (ids 3 to 258), so that any shape can talk.

    Words are split first: the library caches the last 10,000 words, and whole messages would fill that with megabytes.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = ["<pad>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    return tokenizer


def talker(shape: str, window: int = 1024, dtype: torch.dtype = torch.float32, **settings: Any) -> LocalModel:
    """A model with random weights that never ends a reply by itself."""
    made = network(shape, dtype)
    made.generation_config.eos_token_id = None
    settings.setdefault("sampling", Sampling(temperature=1.0, seed=1))
    model = LocalModel(f"hf:{shape}", made, byte_tokenizer(), Settings(window=window, **settings))
    model.ends = frozenset()
    return model


def clock() -> float:
    """Seconds: of the processor with one thread, where a busy machine only adds noise; else of the wall."""
    return time.process_time() if _time() == "processor" else time.perf_counter()


def interleaved(ways: Mapping[str, Callable[[], object]], rounds: int, warm: int = 1) -> dict[str, float]:
    """Median seconds of each way, run in turn, so that the noise of a shared machine falls on all alike."""
    return {name: statistics.median(seconds) for name, seconds in rounds_of(ways, rounds, warm).items()}


def rounds_of(ways: Mapping[str, Callable[[], object]], rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of each way in every round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + warm):
        for name, way in ways.items():
            start = clock()
            way()
            if turn >= warm:
                times[name].append(clock() - start)
    return times


def machine() -> str:
    """One line on where this was measured."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else _cpu()
    return (
        f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, {_time()} time"
    )


def report(title: str, rows: Sequence[Sequence[str]], bar: str) -> None:
    """Print a Markdown table."""
    print(f"### {title}\n\n{machine()}; load {_load()}. Bar: {bar}\n")
    for i, row in enumerate(rows):
        print("| " + " | ".join(row) + " |")
        if i == 0:
            print("|" + "---|" * len(row))
    print()


def resident() -> int:
    """Bytes of memory of this process; 0 where that cannot be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _time() -> str:
    return "processor" if torch.get_num_threads() == 1 and not torch.cuda.is_available() else "wall"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "a CPU")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
