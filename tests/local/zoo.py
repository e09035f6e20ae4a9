"""Tiny random models of every family, with weights large enough that attention matters."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

VOCABULARY = 128
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.25,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama3-rope": ("llama", {"rope_parameters": LLAMA3}),
    "yarn": ("llama", {"rope_parameters": YARN}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {"head_dim": 16}),
    "mistral": ("mistral", {"sliding_window": None}),
    "phi3": ("phi3", {"partial_rotary_factor": 0.75, "original_max_position_embeddings": 4096}),
    "gpt_neox": ("gpt_neox", {}),
    "stablelm": ("stablelm", {}),
    "cohere": ("cohere", {}),
    "glm": ("glm", {"head_dim": 16}),
    "olmo2": ("olmo2", {}),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 0]}),
    "gemma2": ("gemma2", {"head_dim": 16, "sliding_window": 24}),
    "gemma3": ("gemma3_text", {"head_dim": 16, "sliding_window": 24, "num_hidden_layers": 3,
                               "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}),
    "gpt_oss": ("gpt_oss", {"head_dim": 16, "sliding_window": 24, "num_local_experts": 2,
                            "num_experts_per_tok": 2,
                            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}),
}  # fmt: skip


def make(family: str, seed: int = 0, **overrides: Any) -> Any:
    """A model of `family` in fp32 on the CPU; the same seed gives the same weights."""
    kind, options = FAMILIES[family]
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, **{**SMALL, **options, **overrides})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model.eval().requires_grad_(False)


def tokens(n: int, seed: int = 1) -> torch.Tensor:
    """n random token ids, [n]."""
    return torch.randint(3, VOCABULARY, (n,), generator=torch.Generator().manual_seed(seed))
