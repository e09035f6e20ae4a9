"""The parts of a decoder that a step function needs, found by the attributes of its modules, not by its name.

    x = x + after_attention(out(attend(qkv(before_attention(x)))))
    x = x + after_mlp(down(act(gate(before_mlp(x))) * up(before_mlp(x))))

is the form of Llama, Mistral, Qwen 2 and 3, SmolLM3, OLMo 2, Phi-3, StableLM and others: norms may be missing on either
side, projections may be fused and may have biases, queries and keys may be normed. Norms and rotations are recognised
by what they compute. Nothing here is believed: `check.py` compares the step with the model's own forward.

Non-goals: experts, feed-forwards without a gate, parallel residuals, attention that is capped, gated or has sinks of
its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chatdev.llm.local.rope import Rope, find_decoder

ANGLE_BLOCK = 4096
"""Positions whose angles are computed at once."""


class UnknownAnatomyError(ValueError):
    """The decoder has a part that the step function does not know; the model's own forward serves it."""


@dataclass(frozen=True)
class Linear:
    """y = weight x + bias; the weight, [rows, columns], is that of one or several modules over each other."""

    parts: tuple[Tensor, ...]
    bias: Tensor | None

    @property
    def weight(self) -> Tensor:
        return self.parts[0] if len(self.parts) == 1 else torch.cat(self.parts)


@dataclass(frozen=True)
class Norm:
    """Root mean square norm, or layer norm where `centred`; weight and bias fp32 [width]."""

    weight: Tensor
    bias: Tensor | None
    eps: float
    centred: bool

    def __call__(self, x: Tensor) -> Tensor:
        shape = (x.shape[-1],)
        if self.centred:
            return functional.layer_norm(x.float(), shape, self.weight, self.bias, self.eps).to(x.dtype)
        return functional.rms_norm(x.float(), shape, self.weight, self.eps).to(x.dtype)


@dataclass(frozen=True)
class Layer:
    """One decoder layer. `query` and `key` are norms of a head, or of all heads side by side if that wide."""

    qkv: Linear
    out: Linear
    gate: Linear
    up: Linear
    down: Linear
    before_attention: Norm | None
    after_attention: Norm | None
    before_mlp: Norm | None
    after_mlp: Norm | None
    query: Norm | None
    key: Norm | None
    rotates: bool


@dataclass(frozen=True)
class Anatomy:
    """A whole decoder with its head."""

    embed: nn.Module
    layers: tuple[Layer, ...]
    last: Norm
    head: Linear
    hidden: int
    heads: int
    kv_heads: int
    dim: int
    inner: int
    scaling: float
    act: str
    """silu or gelu (the tanh form)."""
    rope: Rope
    interleaved: bool
    halves: slice
    """Which of the columns of `rotary_emb`'s cosines to take, one for each pair."""

    @property
    def rotary(self) -> int:
        """Rotated leading dimensions of a head."""
        return max(self.rope.widths)

    def angles(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """cos and sin of `count` positions from `first`, fp32 [count, rotary / 2], from the model's own embedding."""
        device = self.last.weight.device
        at = torch.arange(first, first + count, device=device)[None]
        extra = (self.rope.layer_types[0],) if self.rope.per_layer_type else ()
        one = torch.zeros(1, dtype=torch.float32, device=device)
        cos, sin = self.rope.decoder.rotary_emb(one, at, *extra)  # type: ignore[operator]
        return cos[0, :, self.halves].contiguous(), sin[0, :, self.halves].contiguous()


def dissect(model: Any) -> Anatomy:
    """Find the parts of `model`.

    Raises:
        UnknownAnatomyError: a part is missing, or is of an unknown form.
        UnsupportedModelError: its keys do not follow a rotary embedding.
    """
    decoder: Any = find_decoder(model)
    rope = Rope.of(model)
    if "none" in rope.kinds or len({w for w in rope.widths if w}) != 1:
        raise UnknownAnatomyError("its layers rotate in different ways")
    if rope.per_layer_type and len(set(rope.layer_types)) > 1:
        raise UnknownAnatomyError("its layers have rotary embeddings of their own")
    layers = _need(decoder, "layers")
    attention, head = _need(layers[0], "self_attn"), model.get_output_embeddings()
    config = model.config.get_text_config(decoder=True)
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    dim = getattr(attention, "head_dim", None) or config.hidden_size // heads
    with torch.no_grad():
        interleaved, halves = _rotation(rope)
        parts = tuple(_layer(layer, kind == "rotated") for layer, kind in zip(layers, rope.kinds, strict=True))
        last = _norm(_need(decoder, "norm"))
        act = _activation(_mlp_activation(_need(layers[0], "mlp")))
    assert last is not None
    if parts[0].qkv.weight.shape[0] != (heads + 2 * kv_heads) * dim or heads % kv_heads:
        raise UnknownAnatomyError("its projections do not have the size of its heads")
    return Anatomy(
        embed=_need(decoder, "embed_tokens"),
        layers=parts,
        last=last,
        head=_linear(head),
        hidden=config.hidden_size,
        heads=heads,
        kv_heads=kv_heads,
        dim=dim,
        inner=parts[0].gate.weight.shape[0],
        scaling=float(_need(attention, "scaling")),
        act=act,
        rope=rope,
        interleaved=interleaved,
        halves=halves,
    )


def _need(module: Any, name: str) -> Any:
    found = getattr(module, name, None)
    if found is None:
        raise UnknownAnatomyError(f"{type(module).__name__} has no {name}")
    return found


def _linear(module: Any) -> Linear:
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if not isinstance(module, nn.Linear) or weight is None:
        raise UnknownAnatomyError(f"{type(module).__name__} is not a plain linear layer")
    return Linear((weight.detach(),), None if bias is None else bias.detach().float())


def _side_by_side(modules: list[Any]) -> Linear:
    parts = [_linear(m) for m in modules]
    if all(p.bias is None for p in parts):
        return Linear(tuple(p.weight for p in parts), None)
    biases = [p.weight.new_zeros(p.weight.shape[0]).float() if p.bias is None else p.bias for p in parts]
    return Linear(tuple(p.weight for p in parts), torch.cat(biases))


def _layer(layer: Any, rotates: bool) -> Layer:
    attention, mlp = _need(layer, "self_attn"), _need(layer, "mlp")
    if hasattr(attention, "qkv_proj"):
        qkv = _linear(attention.qkv_proj)
    else:
        qkv = _side_by_side([_need(attention, name) for name in ("q_proj", "k_proj", "v_proj")])
    if hasattr(mlp, "gate_up_proj"):
        both = _linear(mlp.gate_up_proj)
        half = both.weight.shape[0] // 2
        cut = [None, None] if both.bias is None else [both.bias[:half], both.bias[half:]]
        gate, up = Linear((both.weight[:half],), cut[0]), Linear((both.weight[half:],), cut[1])
    else:
        gate, up = _linear(_need(mlp, "gate_proj")), _linear(_need(mlp, "up_proj"))
    norms = [getattr(layer, name, None) for name in _NORMS]
    before, after, before_mlp, after_mlp = norms
    if before_mlp is None and after_mlp is None:
        # Llama's names: what is called "after attention" stands before the feed-forward.
        before_mlp, after = after, None
    return Layer(
        qkv=qkv,
        out=_linear(_need(attention, "o_proj")),
        gate=gate,
        up=up,
        down=_linear(_need(mlp, "down_proj")),
        before_attention=_norm(before),
        after_attention=_norm(after),
        before_mlp=_norm(before_mlp),
        after_mlp=_norm(after_mlp),
        query=_norm(getattr(attention, "q_norm", None)),
        key=_norm(getattr(attention, "k_norm", None)),
        rotates=rotates,
    )


_NORMS = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")


def _norm(module: Any) -> Norm | None:
    """Which norm a module computes, by trying it."""
    if module is None:
        return None
    weight: Tensor = _need(module, "weight").detach().float()
    bias = getattr(module, "bias", None)
    bias = None if bias is None else bias.detach().float()
    eps = next((getattr(module, n) for n in ("variance_epsilon", "eps", "norm_eps") if hasattr(module, n)), None)
    if eps is None or weight.ndim != 1:
        raise UnknownAnatomyError(f"{type(module).__name__} is an unknown norm")
    # Of the order of eps as well, so that eps itself is seen.
    probe = torch.randn(2, weight.shape[0], dtype=torch.float32, generator=torch.Generator().manual_seed(0))
    probe[1] *= eps**0.5
    probe = probe.to(weight.device)
    given: Tensor = module(probe.to(module.weight.dtype)).float()
    near = 1e-4 if module.weight.dtype == torch.float32 else 3e-2
    for w, centred in ((weight, False), (weight + 1, False), (weight, True)):
        norm = Norm(w, bias, float(eps), centred)
        if float((norm(probe.to(module.weight.dtype).float()) - given).abs().max()) <= near * float(given.abs().max()):
            return norm
    raise UnknownAnatomyError(f"{type(module).__name__} is an unknown norm")


def _mlp_activation(mlp: Any) -> Any:
    return getattr(mlp, "act_fn", None) or _need(mlp, "activation_fn")


def _activation(function: Callable[[Tensor], Tensor]) -> str:
    probe = torch.linspace(-4, 4, 64, dtype=torch.float32)
    forms: dict[str, Callable[[Tensor], Tensor]] = {
        "silu": functional.silu,
        "gelu": lambda x: functional.gelu(x, approximate="tanh"),
    }
    for name, form in forms.items():
        if torch.allclose(function(probe), form(probe), atol=1e-5):
            return name
    raise UnknownAnatomyError("an unknown activation")


def rotate(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """x [..., tokens, dim] with its leading 2 * cos.shape[-1] dimensions turned; cos, sin [tokens, pairs]."""
    pairs = cos.shape[-1]
    if interleaved:
        p, q = x[..., 0 : 2 * pairs : 2], x[..., 1 : 2 * pairs : 2]
        turned = torch.stack([p * cos - q * sin, q * cos + p * sin], -1).flatten(-2)
    else:
        p, q = x[..., :pairs], x[..., pairs : 2 * pairs]
        turned = torch.cat([p * cos - q * sin, q * cos + p * sin], -1)
    return turned if 2 * pairs == x.shape[-1] else torch.cat([turned, x[..., 2 * pairs :]], -1)


def _rotation(rope: Rope) -> tuple[bool, slice]:
    """Whether pairs lie side by side or half a head apart, and which cosines belong to them."""
    extra = (rope.layer_types[0],) if rope.per_layer_type else ()
    device = next(rope.decoder.parameters()).device
    at = torch.arange(5, device=device)[None]
    one = torch.zeros(1, dtype=torch.float32, device=device)
    cos, sin = rope.decoder.rotary_emb(one, at, *extra)  # type: ignore[operator]
    width = max(rope.widths)
    x = torch.randn(1, 1, 5, width, dtype=torch.float32, generator=torch.Generator().manual_seed(0)).to(device)
    truth = rope.apply(x, cos, sin)
    for halves in (slice(0, width // 2), slice(0, width, 2)):
        for interleaved in (False, True):
            c, s = cos[0, :, halves], sin[0, :, halves]
            if c.shape[-1] == width // 2 and torch.allclose(rotate(x, c, s, interleaved), truth, atol=1e-5):
                return interleaved, halves
    raise UnknownAnatomyError("an unknown form of rotary embedding")
