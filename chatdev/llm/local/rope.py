"""The rotary embedding of a model, taken from the model itself and proved before it is used.

A key that was rotated for position `p` becomes the key of position `p + d` by one more rotation with the
angles of `d` (Su et al., arXiv 2104.09864, eq. 34). That is all the sink cache needs of a model. The operator
is built from the decoder's own `rotary_emb` and its module's `apply_rotary_pos_emb`, so partial, interleaved
and scaled (Llama-3, YaRN) forms come along; `Rope.of` then runs a dozen tokens at two offsets and compares
every layer's keys. A model whose keys do not obey the rule (latent attention, learned positions) raises
`UnsupportedModelError`.

Non-goals: ALiBi, and frequencies that change with the length of the text beyond the model's original maximum.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache

LayerKind = Literal["rotated", "plain", "none"]
"""`plain`: the layer attends without positions (NoPE); `none`: the layer keeps no keys of its own."""

CHECK_TOKENS = 12
CHECK_OFFSET = 37
_PROVED = "sink_cache_rope"
_PROVING = threading.Lock()


class UnsupportedModelError(ValueError):
    """The model's keys cannot be moved by rotation; run it with windowed re-prefill instead."""


@dataclass(frozen=True)
class Rope:
    """Moves rotated keys of one decoder by a distance."""

    decoder: nn.Module
    apply: Callable[[Tensor, Tensor, Tensor], Tensor]
    per_layer_type: bool
    layer_types: tuple[str | None, ...]
    kinds: tuple[LayerKind, ...]
    widths: tuple[int, ...]
    """Rotated leading dimensions of a head, per layer."""

    @classmethod
    def of(cls, model: nn.Module) -> Rope:
        """Find the operator of `model` and prove it on every layer, once for a model.

        Raises:
            UnsupportedModelError: no rotary embedding was found, or its keys failed the check.
        """
        decoder = find_decoder(model)
        with _PROVING:
            if not hasattr(decoder, _PROVED):
                setattr(decoder, _PROVED, cls._proved(model, decoder))
        known: Rope = getattr(decoder, _PROVED)
        return known

    @classmethod
    def _proved(cls, model: nn.Module, decoder: nn.Module) -> Rope:
        apply = _apply_function(decoder)
        config = decoder.config.get_text_config(decoder=True)  # type: ignore[union-attr, operator]
        types = getattr(config, "layer_types", None) or [None] * config.num_hidden_layers
        takes_type = "layer_type" in inspect.signature(_rotary(decoder).forward).parameters
        draft = cls(decoder, apply, takes_type, tuple(types), (), ())
        kinds, widths = _prove(model, draft)
        return cls(decoder, apply, takes_type, tuple(types), kinds, widths)

    def angles(self, distance: int | Tensor, layer: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """cos and sin of a distance, or of a vector of n, for a layer.

        fp32, shape [1, n, width], free of YaRN's attention factor.
        """
        rotary = _rotary(self.decoder)
        probe = torch.zeros(1, dtype=torch.float32, device=device)
        extra = (self.layer_types[layer],) if self.per_layer_type else ()
        far = torch.as_tensor(distance, device=device).reshape(-1)
        # Position 0 has angle 0 everywhere, so its cosine is the attention factor itself. Frequencies may depend
        # on the largest position: negative ones are avoided.
        at = torch.cat([far.new_zeros(1), far.abs()])[None]
        cos, sin = rotary(probe, at, *extra)
        scale = cos[:, :1, :1]
        return cos[:, 1:] / scale, sin[:, 1:] / scale * far.sign()[None, :, None]

    def move(self, keys: Tensor, angles: tuple[Tensor, Tensor], layer: int) -> Tensor:
        """Keys [batch, heads, tokens, dim] rotated by `angles`, computed and returned in fp32."""
        width = self.widths[layer]
        cos, sin = angles
        turned = self.apply(keys[..., :width].float(), cos, sin)
        return turned if width == keys.shape[-1] else torch.cat([turned, keys[..., width:].float()], dim=-1)


def find_decoder(model: nn.Module) -> nn.Module:
    """The module that owns `rotary_emb` and takes `position_ids`.

    Raises:
        UnsupportedModelError: there is none.
    """
    decoder: nn.Module = model.get_decoder() if hasattr(model, "get_decoder") else model  # type: ignore[operator]
    if not isinstance(getattr(decoder, "rotary_emb", None), nn.Module):
        raise UnsupportedModelError(f"{type(decoder).__name__} has no rotary embedding of the usual form")
    if "position_ids" not in inspect.signature(decoder.forward).parameters:
        raise UnsupportedModelError(f"{type(decoder).__name__} takes no position_ids")
    return decoder


def _rotary(decoder: nn.Module) -> nn.Module:
    return decoder.rotary_emb  # type: ignore[return-value]


def _apply_function(decoder: nn.Module) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    module = sys.modules[type(decoder).__module__]
    function = getattr(module, "apply_rotary_pos_emb", None)
    if function is None:
        raise UnsupportedModelError(f"{module.__name__} has no apply_rotary_pos_emb")
    names = list(inspect.signature(function).parameters)
    if names[:4] == ["q", "k", "cos", "sin"]:
        return lambda x, cos, sin: function(x, x, cos, sin)[1]
    if names[1:3] == ["cos", "sin"]:
        return lambda x, cos, sin: function(x, cos, sin)
    raise UnsupportedModelError(f"{module.__name__}.apply_rotary_pos_emb has an unknown signature")


class _Spy(DynamicCache):
    """A plain cache that remembers what each layer handed it."""

    def __init__(self, config: Any) -> None:
        super().__init__(config=config)
        self.given: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any) -> Any:
        self.given[layer_idx] = (key_states.detach().float(), value_states.detach().float())
        return super().update(key_states, value_states, layer_idx, *args, **kwargs)


@torch.no_grad()
def _prove(model: nn.Module, rope: Rope) -> tuple[tuple[LayerKind, ...], tuple[int, ...]]:
    config: Any = model.config
    vocabulary = config.get_text_config(decoder=True).vocab_size
    device = next(model.parameters()).device
    ids = (torch.arange(CHECK_TOKENS, device=device) * 7 + 5)[None] % vocabulary
    runs: list[tuple[_Spy, Tensor]] = []
    for offset in (0, CHECK_OFFSET):
        spy = _Spy(config)
        positions = torch.arange(CHECK_TOKENS, device=device)[None] + offset
        try:
            out = model(input_ids=ids, position_ids=positions, past_key_values=spy, use_cache=True)
        except (TypeError, ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
            raise UnsupportedModelError(f"a forward with explicit positions failed: {error}") from error
        runs.append((spy, out[0].float()))
    # In fp32 a right rotation leaves 1e-6 and a wrong one 0.5 or more; bf16 adds its own rounding layer by
    # layer.
    exact = next(model.parameters()).dtype in (torch.float32, torch.float64)
    tolerance = 2e-3 if exact else 0.12
    if _far(runs[0][1], runs[1][1]) > tolerance:
        raise UnsupportedModelError("its output depends on absolute positions")
    kinds: list[LayerKind] = []
    widths: list[int] = []
    for layer in range(len(rope.layer_types)):
        if layer not in runs[0][0].given:
            kinds.append("none")
            widths.append(0)
            continue
        kind, width = _classify(rope, layer, runs[0][0].given[layer], runs[1][0].given[layer], tolerance)
        kinds.append(kind)
        widths.append(width)
    if "rotated" not in kinds:
        raise UnsupportedModelError("no layer rotates its keys")
    return tuple(kinds), tuple(widths)


def _classify(
    rope: Rope, layer: int, here: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor], tolerance: float
) -> tuple[LayerKind, int]:
    if here[1].shape == there[1].shape and _far(here[1], there[1]) > tolerance:
        raise UnsupportedModelError(f"the values of layer {layer} carry positions")
    dim = here[0].shape[-1]
    angles = rope.angles(CHECK_OFFSET, layer, here[0].device)
    # cos spans the rotated width in most models and half of it in those that keep the halves apart.
    for width in dict.fromkeys((angles[0].shape[-1], 2 * angles[0].shape[-1])):
        if width > dim:
            continue
        trial = Rope(rope.decoder, rope.apply, rope.per_layer_type, rope.layer_types, (), (width,) * (layer + 1))
        try:
            moved = trial.move(here[0], angles, layer)
        except RuntimeError:
            continue
        if _far(moved, there[0]) < tolerance:
            return "rotated", width
    if _far(here[0], there[0]) < tolerance:
        return "plain", 0
    raise UnsupportedModelError(f"the keys of layer {layer} do not follow its rotary embedding")


def _far(a: Tensor, b: Tensor) -> float:
    """Root mean square difference relative to the size of `b`."""
    return float((a - b).pow(2).mean().sqrt() / b.pow(2).mean().sqrt().clamp_min(1e-12))
