"""The apprentice's shape: a Llama of at most 16 million parameters, in sizes for trying and for shipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatdev.apprentice.rehearsal import BLOCK, WINDOW

MOST_PARAMETERS = 16_000_000


@dataclass(frozen=True)
class Shape:
    """Numbers of one size."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int
    size: int = 64
    """Dimensions of a head."""


SHAPES = {
    "nano": Shape(128, 4, 2, 2, 352, 2048),
    "mini": Shape(192, 4, 6, 6, 512, 6144),
    "small": Shape(256, 5, 4, 4, 704, 6144),
    "full": Shape(384, 7, 6, 6, 1024, 6144),
}
"""nano and mini for experiments, small for a CPU, full for shipping. Heads are 64 wide."""
THETA = 1e12
"""Base of the rotary embedding: with 10,000, five of 32 pairs of dimensions could compare tokens 500 places apart; now
24 can."""


def new(shape: Shape, tokenizer: Any, seed: int) -> Any:
    """A fresh network in fp32, its weights drawn with `seed`, two heads that copy built in."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from chatdev.apprentice.priming import prime

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        head_dim=shape.size,
        num_key_value_heads=shape.kv_heads,
        # A stream needs positions for its window and one block more.
        max_position_embeddings=WINDOW + BLOCK,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
        tie_word_embeddings=True,
        initializer_range=0.02,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    network = LlamaForCausalLM(config)
    count = sum(weight.numel() for weight in network.parameters())
    if count > MOST_PARAMETERS:
        raise ValueError(f"{count:,} parameters are more than the {MOST_PARAMETERS:,} that may be shipped")
    with torch.no_grad():
        # What is added to the residual stream begins small, the smaller the deeper the network (as in GPT-2).
        for layer in network.model.layers:
            for part in (layer.self_attn.o_proj, layer.mlp.down_proj):
                part.weight.mul_((2 * shape.layers) ** -0.5)
    prime(network)
    return network
