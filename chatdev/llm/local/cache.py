"""SinkCache: constant memory for an endless text, on any unmodified rotary language model.

    cache = SinkCache(model, sinks=4, window=1020)
    model(input_ids=ids, position_ids=cache.positions(ids.shape[1]), past_key_values=cache)
    model.generate(ids, past_key_values=cache)          # also for a second and a third turn

Contract. Positions are the ordinary ones of the text (`cache.positions(n)`, or what `generate` counts
itself); the cache turns them into live positions, which stay small, in a forward hook of the decoder that
acts only when a SinkCache is in use. A chunk of at most `cache.reach` tokens gives what the same tokens one by
one give; a longer one sees its whole past and is trimmed afterwards (use `feed`, or `prefill_chunk_size=`, to
split it). Layers of hybrid models that slide or carry a recurrent state keep their own caches. Rows of a
batch have equal lengths: no padding.

Non-goals: learned absolute positions, ALiBi and latent attention (`UnsupportedModelError`), quantised keys.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import (
    DYNAMIC_LAYER_TYPE_MAPPING,
    Cache,
    DynamicSlidingWindowLayer,
    get_layer_types_and_kwargs,
)

from chatdev.llm.local.layer import Angles, SinkLayer
from chatdev.llm.local.rope import Rope, UnsupportedModelError, find_decoder
from chatdev.llm.local.stages import MASKED, added, stage_mask
from chatdev.llm.local.window import Moves, Window

_HOOKED = "sink_cache_hooked"
"""Attribute of a decoder whose forward is followed by the cache that it is given."""

_HOOKING = threading.Lock()
"""The fast step is made beside the first prompt, and both need the hooks, once."""

_LAYER_TYPES = {
    "full_attention",
    "sliding_attention",
    "chunked_attention",
    "conv",
    "linear_attention",
    "dummy",
}


class SinkCache(Cache):
    """Pinned prefix and recent window for a decoder-only model (see the module's docstring).

    Args:
        model: a Hugging Face causal language model, or its decoder.
        sinks: tokens at the head that are never evicted; the paper's minimum is 4.
        window: most recent tokens held behind them.
        block: tokens evicted at once; default an eighth of the window. 1 is the paper's policy.
        limit: live positions stay below it; by default what the dtype and the model's trained length allow.

    Raises:
        UnsupportedModelError: the model's keys cannot be moved by rotation.
        ValueError: the window does not fit the model's trained length.
    """

    def __init__(
        self,
        model: nn.Module,
        sinks: int = 4,
        window: int = 1020,
        block: int | None = None,
        limit: int | None = None,
    ) -> None:
        decoder = find_decoder(model)
        self.rope = Rope.of(model)
        with _HOOKING:
            if not hasattr(decoder, _HOOKED):
                setattr(decoder, _HOOKED, True)
                decoder.register_forward_pre_hook(_before, with_kwargs=True)
                decoder.register_forward_hook(_after, with_kwargs=True)
        block = block or max(1, window // 8)
        total = sinks + window
        self.plan = Window(sinks, window, block, limit or live_limit(decoder, total, block))
        super().__init__(layers=self._make_layers(decoder))
        self.recording = False
        self.stages = 0
        """Evictions on the way of the tokens that are coming in (see `stages`)."""

    def _make_layers(self, decoder: nn.Module) -> list[Any]:
        types, options = get_layer_types_and_kwargs(decoder.config.get_text_config(decoder=True))  # type: ignore[union-attr, operator]
        if strange := set(types) - _LAYER_TYPES:
            raise UnsupportedModelError(f"layers of type {', '.join(sorted(strange))} keep every token")
        if "full_attention" not in types:
            # Every layer slides. While the model's own window is the wider one, ours is what limits sight.
            narrow = min((o["sliding_window"] for o in options if "sliding_window" in o), default=0)
            if narrow < self.plan.total + self.plan.block:
                raise ValueError(
                    f"every layer of this model slides over {narrow} tokens: sinks, window and block "
                    f"together must not be more, and are {self.plan.total + self.plan.block}"
                )
            types = ["full_attention" if kind == "sliding_attention" else kind for kind in types]
        return [
            SinkLayer(self.plan, self.rope, i)
            if kind == "full_attention"
            else DYNAMIC_LAYER_TYPE_MAPPING[kind](**option)
            for i, (kind, option) in enumerate(zip(types, options, strict=True))
        ]

    @property
    def room(self) -> int:
        """Tokens up to the next eviction."""
        return self.plan.room

    @property
    def reach(self) -> int:
        """Most tokens of one exact chunk: beyond `room` where the model's attention can be told of evictions."""
        config: Any = self.rope.decoder.config
        simple = config._attn_implementation in MASKED and len(self.sink_layers) == len(self.layers)
        return self.plan.reach if simple else self.plan.room

    @property
    def held(self) -> int:
        """Tokens the model can still see."""
        return self.plan.held

    @property
    def seen(self) -> int:
        """Tokens of the stream so far."""
        return self.plan.seen

    @property
    def sink_layers(self) -> list[SinkLayer]:
        return [layer for layer in self.layers if isinstance(layer, SinkLayer)]

    def positions(self, n: int) -> Tensor:
        """`position_ids` of the next n tokens, [1, n]."""
        return torch.arange(self.plan.seen, self.plan.seen + n, device=self.device)[None]

    @property
    def device(self) -> torch.device:
        return next(self.rope.decoder.parameters()).device

    def live_positions(self, n: int) -> Tensor:
        """The positions that the rotary embedding is to see, [1, n]; valid after `begin(n)`."""
        return self.positions(n) - self.plan.offset

    def begin(self, n: int) -> None:
        """Make room for n tokens. The decoder's hook calls it; a step function of one's own calls it
        itself.
        """
        if self.recording:
            self._each_foreign(lambda layer: layer.crop(0))
        before = (self.plan.start, self.plan.held)
        self._move(self.plan.begin(n), before)
        self._stage(0)

    def begin_stages(self, n: int) -> Tensor:
        """After `begin(n)`: let n tokens, more than `room` and at most `reach`, go through their evictions; the
        mask they need, bool [1, 1, n, columns].
        """
        mask = stage_mask(self.plan, n, self.device)
        self._stage(len(self.plan.stages(n)))
        return mask

    def commit(self, n: int) -> None:
        """The n tokens announced by `begin` went through every layer."""
        self.plan.commit(n)
        if self.stages:
            before = (self.plan.start, self.plan.held)
            self._move(self.plan.leave(self.stages), before)
            self._stage(0)

    def _stage(self, stages: int) -> None:
        if stages == self.stages == 0:
            return
        self.stages, plan = stages, self.plan
        walks = [plan.walk + (i + 1) * plan.block for i in range(stages)]
        angles: dict[str | None, list[Angles | None]] = {}
        for layer in self.sink_layers:
            kind = self.rope.layer_types[layer.index]
            if layer.rotates and kind not in angles:
                angles[kind] = [self.rope.angles(walk, layer.index, self.device) for walk in walks]
            layer.stages = angles[kind] if layer.rotates else [None] * stages

    def _move(self, moves: Moves, before: tuple[int, int]) -> None:
        if moves.evict or moves.compact:
            self._carry_out(moves, before)

    @torch.no_grad()
    def _carry_out(self, moves: Moves, before: tuple[int, int]) -> None:
        walks: dict[str | None, Angles] = {}
        backs: dict[str | None, Angles] = {}
        for i, layer in enumerate(self.layers):
            turns = self.rope.kinds[i] == "rotated"
            kind = self.rope.layer_types[i]
            if turns and kind not in walks:
                walks[kind] = self.rope.angles(self.plan.walk, i, self.device)
                if moves.shift:
                    backs[kind] = self.rope.angles(-moves.shift, i, self.device)
            if isinstance(layer, SinkLayer):
                layer.apply(moves, before, walks[kind] if turns else None, backs.get(kind) if turns else None)
            elif moves.shift and turns and isinstance(layer, DynamicSlidingWindowLayer):  # noqa: SIM102
                if (keys := layer.keys) is not None:
                    layer.keys = self.rope.move(keys, backs[kind], i).to(keys.dtype)

    def crop(self, tokens_to_remove: int) -> None:
        """Step back: `crop(-n)` takes the newest n tokens out again. What their coming evicted stays evicted.

        A chunk within `room` of which at least its first token is kept can be stepped back without any trace.
        """
        if tokens_to_remove > 0:
            raise ValueError("crop takes the number of tokens to remove, as a negative number")
        self.plan.step_back(-tokens_to_remove)
        self._each_foreign(lambda layer: layer.crop(tokens_to_remove))

    def activate_past_recording(self) -> None:
        self.recording = True
        super().activate_past_recording()  # type: ignore[no-untyped-call]

    def pin(self, sinks: int) -> None:
        """Pin the first `sinks` tokens instead, the total staying the same; only before the first
        eviction.
        """
        self.plan.pin(sinks)

    @torch.no_grad()
    def feed(self, model: nn.Module, input_ids: Tensor) -> Tensor:
        """Run [batch, n] tokens through `model` in exact chunks; logits of the last one, [batch,
        vocabulary].
        """
        logits: Tensor | None = None
        done = 0
        while done < input_ids.shape[1]:
            chunk = input_ids[:, done : done + self.reach]
            out = model(
                input_ids=chunk,
                position_ids=self.positions(chunk.shape[1]),
                past_key_values=self,
                use_cache=True,
                logits_to_keep=1,
            )
            logits = out.logits[:, -1]
            done += chunk.shape[1]
        if logits is None:
            raise ValueError("nothing to feed")
        return logits

    def fork(self) -> SinkCache:
        """An independent copy: the same tokens, bit for bit, without any forward."""
        twin = copy.copy(self)
        twin.plan = replace(self.plan)
        twin.layers = [
            layer.copy_for(twin.plan) if isinstance(layer, SinkLayer) else copy.deepcopy(layer) for layer in self.layers
        ]
        return twin

    def bytes(self) -> int:
        """Memory of all buffers."""
        foreign = [t for layer in self.layers if not isinstance(layer, SinkLayer) for t in _tensors(layer)]
        return sum(layer.bytes() for layer in self.sink_layers) + sum(t.nbytes for t in foreign)

    def reset(self) -> None:
        plan = self.plan
        plan.seen = plan.evicted = plan.offset = plan.start = 0
        plan.capacity = plan.standard
        self.stages = 0
        super().reset()  # type: ignore[no-untyped-call]

    def _each_foreign(self, change: Any) -> None:
        for layer in self.layers:
            # A layer without a token yet has nothing to cut, and some stumble over it.
            if not isinstance(layer, SinkLayer) and getattr(layer, "is_initialized", True):
                change(layer)


def live_limit(decoder: nn.Module, total: int, block: int) -> int:
    """The live position that a stream of this shape may not reach.

    fp32 angles err by about 6e-8 of the position: rebasing every few windows costs nothing there. In 16 bits
    a rebase rounds the recent keys once more, and the angles' own error shows only beyond 64k.
    """
    config: Any = decoder.config.get_text_config(decoder=True)  # type: ignore[union-attr, operator]
    exact = next(decoder.parameters()).dtype in (torch.float32, torch.float64)
    wish = max(2 * (total + block), 128) if exact else 65_536
    return min(wish, trained_length(config) or wish)


def trained_length(config: Any) -> int | None:
    """Positions that the model was made for; of those that stretch them (dynamic, longrope), the original
    ones.
    """
    most = getattr(config, "max_position_embeddings", None)
    ropes = getattr(config, "rope_parameters", None) or {}
    for rope in [ropes, *(r for r in ropes.values() if isinstance(r, dict))]:
        if rope.get("rope_type") == "longrope":
            original = rope.get("original_max_position_embeddings")
            most = min(x for x in (most, original) if x)
    return most


def _tensors(layer: Any) -> list[Tensor]:
    return [v for v in vars(layer).values() if isinstance(v, Tensor)]


def _cache_of(kwargs: dict[str, Any]) -> SinkCache | None:
    cache = kwargs.get("past_key_values")
    return cache if isinstance(cache, SinkCache) else None


def _width(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    ids = kwargs.get("input_ids", args[0] if args else None)
    given = ids if ids is not None else kwargs["inputs_embeds"]
    return int(given.shape[1])


def _before(decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    cache = _cache_of(kwargs)
    if cache is None:
        return None
    mask = kwargs.get("attention_mask")
    if isinstance(mask, Tensor) and mask.ndim == 2 and not bool(mask.all()):
        raise ValueError(
            "a sink cache takes no padding: give every row of the batch the same length, and generate() "
            "an attention_mask of ones where the pad token is an ordinary word of the text"
        )
    n = _width(args, kwargs)
    staged = cache.room < n <= cache.reach
    cache.begin(n)
    if staged:
        # In the form that is added to the scores: otherwise every layer converts it anew.
        kwargs["attention_mask"] = added(cache.begin_stages(n), next(decoder.parameters()).dtype)
    given = kwargs.get("position_ids")
    kwargs["position_ids"] = cache.live_positions(n) if given is None else given - cache.plan.offset
    return args, kwargs


def _after(decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
    cache = _cache_of(kwargs)
    if cache is not None:
        cache.commit(_width(args, kwargs))
