"""llama.cpp as the yardstick: a Llama of any shape with random weights (`gguf`), decoded by `llama-cpp-python`.

Only llama.cpp's own decode call is timed, at a full window; its default settings with two threads.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np

KINDS = {
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
}


def write(path: Path, shape: Any, kind: str) -> None:
    """A Llama of `shape` (a Hugging Face config) with random weights, every matrix of `kind`."""
    out = gguf.GGUFWriter(str(path), "llama")
    dim = shape.hidden_size // shape.num_attention_heads
    out.add_context_length(4096)
    out.add_embedding_length(shape.hidden_size)
    out.add_block_count(shape.num_hidden_layers)
    out.add_feed_forward_length(shape.intermediate_size)
    out.add_head_count(shape.num_attention_heads)
    out.add_head_count_kv(shape.num_key_value_heads)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(dim)
    out.add_vocab_size(shape.vocab_size)
    out.add_tokenizer_model("no_vocab")
    out.add_file_type({"f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2}[kind])
    hidden, inner, kv = shape.hidden_size, shape.intermediate_size, shape.num_key_value_heads * dim
    chance = np.random.default_rng(0)

    made: dict[tuple[int, int], Any] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        if (rows, columns) not in made:  # quantising is slow, and speed does not depend on the values
            values = chance.standard_normal((rows, columns), dtype=np.float32) * 0.02
            made[rows, columns] = gguf.quants.quantize(values, KINDS[kind])
        out.add_tensor(name, made[rows, columns], raw_dtype=KINDS[kind])

    matrix("token_embd.weight", shape.vocab_size, hidden)
    matrix("output.weight", shape.vocab_size, hidden)
    out.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for i in range(shape.num_hidden_layers):
        for name, rows, columns in (
            ("attn_q", hidden, hidden),
            ("attn_k", kv, hidden),
            ("attn_v", kv, hidden),
            ("attn_output", hidden, hidden),
            ("ffn_gate", inner, hidden),
            ("ffn_up", inner, hidden),
            ("ffn_down", hidden, inner),
        ):
            matrix(f"blk.{i}.{name}.weight", rows, columns)
        for name in ("attn_norm", "ffn_norm"):
            out.add_tensor(f"blk.{i}.{name}.weight", np.ones(hidden, np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


class LlamaCpp:
    """A model and a context whose cache holds `window` tokens but one."""

    def __init__(self, path: Path, window: int, threads: int, flash: bool) -> None:
        llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p(0))
        settings = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), settings)
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_batch = window + 64, 512
        options.n_threads = options.n_threads_batch = threads
        options.flash_attn_type = 1 if flash else 0
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        self.held = window - 1
        for at in range(0, self.held, 512):
            self._decode(list(range(at, min(at + 512, self.held))))

    def _decode(self, tokens: list[int]) -> None:
        ids = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(ids, len(tokens))) != 0:
            raise RuntimeError("llama.cpp could not decode")
        llama_cpp.llama_get_logits(self.context)  # waits for the result

    def step(self) -> float:
        """Seconds of one token at the full window; the cache is as before afterwards."""
        begun = time.perf_counter()
        self._decode([7])
        seconds = time.perf_counter() - begun
        memory = llama_cpp.llama_get_memory(self.context)
        llama_cpp.llama_memory_seq_rm(memory, 0, self.held, -1)
        return seconds

    def close(self) -> None:
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


@llama_cpp.llama_log_callback
def _silent(level: int, text: bytes, data: Any) -> None:
    """llama.cpp reports every tensor it loads."""


_SILENT = _silent
