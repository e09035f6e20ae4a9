"""The forward of a local model: the packed step for a few tokens, a plain one with the model's own weights for many.

    forward = fast_forward(network, "int8")
    logits = forward(ids, cache, rows)          # [batch, rows, vocabulary], any SinkCache of `network`

A reply's tokens (and drafts, and several streams side by side) go through the packed step, as long as batch * tokens is
at most `most_rows`; prompts go through `TorchStep` with unpacked weights, and what neither knows through the unmodified
model. A token's logits do not depend on how many came with it in the compiled step; torch's kernels round differently
for different counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from chatdev.llm.local.cache import SinkCache
from chatdev.llm.local.fast.anatomy import Anatomy, UnknownAnatomyError, dissect
from chatdev.llm.local.fast.build import NoCompilerError, library
from chatdev.llm.local.fast.check import LOSS, PROMPT, ROUNDING, Truth, WrongProductError, difference
from chatdev.llm.local.fast.native import NativeStep
from chatdev.llm.local.fast.packing import Precision
from chatdev.llm.local.fast.proofs import Proofs
from chatdev.llm.local.fast.static_step import StaticStep
from chatdev.llm.local.fast.torch_step import TorchStep
from chatdev.llm.local.rope import UnsupportedModelError

if TYPE_CHECKING:
    from chatdev.llm.local.batch import Rectangle

Kernels = Literal["auto", "compiled", "torch"]
TORCH = "torch"
SMALL = 20_000_000
"""Parameters below which `auto` leaves weights as exact as they are: there is nothing to gain."""


@dataclass
class FastForward:
    """A `Forward` (see `memory`) with what a person may want to know of it."""

    network: Any
    step: NativeStep | TorchStep | StaticStep
    precision: Precision | Literal["own"]
    """`own`: the model's weights as they are, on a GPU."""
    kernels: str
    loss: float
    """Relative difference from the model's own logits, as measured when it was proved."""
    prompt: TorchStep | None = None
    """For more than `most_rows` tokens, where it is faster than the model itself."""

    @property
    def most_rows(self) -> int:
        """Tokens of one call, over all batch rows, up to which the packed step serves."""
        return self.step.most_rows

    @property
    def bytes(self) -> int:
        """Memory of the packed weights."""
        return self.step.bytes

    def __call__(self, ids: Tensor, cache: Any, rows: int) -> Tensor:
        if ids.numel() <= self.step.most_rows and isinstance(cache, SinkCache) and _simple(cache):
            # The step knows no stages: a piece ends where the window evicts.
            while ids.shape[1] - rows >= cache.room:
                piece = cache.room
                self.step(ids[:, :piece], cache, 1)
                ids = ids[:, piece:]
            return self.step(ids, cache, rows)
        if self.prompt is not None and serves_prompt(ids, cache):
            return self.prompt(ids, cache, rows)
        out = self.network(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=rows)
        return out.logits[:, -rows:]  # type: ignore[no-any-return]

    def joint(self, ids: Tensor, rectangle: Rectangle) -> Tensor:
        """A token of each of several streams, with the same weights that each has alone (see `memory.Joint`)."""
        return self.step.joint(ids, rectangle)

    def describe(self) -> str:
        """One line: precision, kernels, size, loss."""
        size = f"{self.bytes / 1e6:,.0f} MB"
        return f"{self.precision} weights, {self.kernels} kernels, {size}, logits within {self.loss:.1%}"


def fast_forward(
    network: Any,
    precision: Precision | Literal["auto"] = "auto",
    kernels: Kernels = "auto",
    on_notice: Callable[[str], None] | None = None,
    check: Callable[[float], None] | None = None,
    on_prompt: Callable[[TorchStep], None] | None = None,
    identity: str = "",
) -> FastForward | None:
    """The fast forward of `network`, or None where its own is the better one; the reason goes to `on_notice`.

    Args:
        network: an unmodified Hugging Face causal language model: on the CPU in fp32 or bf16, on a GPU in fp16 as well.
        precision: on the CPU: `auto` is int8, and for small models the weights as they are.
        kernels: on the CPU `compiled` needs a C++ compiler, and `auto` takes torch's where there is none; on a GPU
            the step is captured as a CUDA graph, and with `compiled` fused by `torch.compile` before.
        check: called now and then with the share that is packed; what it raises ends the packing.
        on_prompt: given the step for prompts as soon as it is proved, before anything is packed.
        identity: tells the weights from all others, so that what was proved of them is remembered (`proofs`).
    """
    say = on_notice or (lambda _: None)
    dtype, device = next(network.parameters()).dtype, next(network.parameters()).device.type
    if device not in ("cpu", "cuda") or dtype not in ROUNDING or (device == "cpu" and dtype == torch.float16):
        return None
    try:
        anatomy = dissect(network)
        plain = TorchStep(anatomy, None)
        proofs, reply = Proofs(identity, network), cache(lambda: Truth(network))
        exact = proofs.recall("anatomy")
        if exact is None:
            exact = max(difference(reply(), plain), difference(Truth(network, PROMPT), plain))
    except (UnknownAnatomyError, UnsupportedModelError, RuntimeError) as error:
        say(f"the fast step does not know this model ({error}); its own forward serves it")
        return None
    if exact > ROUNDING[dtype]:
        say(f"the fast step differs from this model by {exact:.1e}; its own forward serves it")
        return None
    proofs.keep("anatomy", exact)
    if device == "cuda":
        return _captured(network, reply(), anatomy, kernels, say)
    if on_prompt is not None:
        on_prompt(plain)
    chosen = pick(precision, network)
    kernel = _kernel(kernels, say)
    loss = proofs.recall(f"{chosen} {kernel}")
    kind = TorchStep if kernel == TORCH else NativeStep
    try:
        step = kind(anatomy, chosen, check or (lambda _: None), proved=loss is not None)
    except WrongProductError as error:
        say(f"{error}; the model's own forward serves it")
        return None
    if loss is None:
        loss = difference(reply(), step)
    if loss > LOSS[chosen]:
        say(f"{chosen} weights change this model's logits by {loss:.0%}; its own forward serves it")
        return None
    proofs.keep(f"{chosen} {kernel}", loss)
    name = "torch" if kernel == TORCH else "compiled"
    return FastForward(network, step, chosen, name, loss, plain)


def serves_prompt(ids: Tensor, cache: Any) -> bool:
    """Whether the plain step can run these tokens at once."""
    return isinstance(cache, SinkCache) and _simple(cache) and ids.shape[1] <= cache.reach


def pick(precision: Precision | Literal["auto"], network: Any) -> Precision:
    """What `auto` stands for with this model."""
    if precision != "auto":
        return precision
    if sum(p.numel() for p in network.parameters()) < SMALL:
        return "fp32" if next(network.parameters()).dtype == torch.float32 else "bf16"
    return "int8"


def _kernel(kernels: Kernels, say: Callable[[str], None]) -> str:
    """Which kernels multiply packed weights: the name of the library, which says how it was built, or `TORCH`."""
    if kernels != TORCH:
        try:
            return Path(library()._name).name
        except NoCompilerError as error:
            if kernels == "compiled":
                raise
            say(f"the compiled kernels cannot be built ({error}); torch's serve, more slowly")
    return TORCH


def _captured(
    network: Any, reply: Truth, anatomy: Anatomy, kernels: Kernels, say: Callable[[str], None]
) -> FastForward | None:
    step = StaticStep(anatomy, compiled=kernels == "compiled")
    try:
        loss = difference(reply, step)
    except RuntimeError as error:
        say(f"the step cannot be captured ({' '.join(str(error).split())[:160]}); the model's own forward serves it")
        return None
    if loss > ROUNDING[network.dtype]:
        say(f"the captured step differs from this model by {loss:.1e}; its own forward serves it")
        return None
    return FastForward(network, step, "own", "fused" if kernels == "compiled" else "captured", loss)


def _simple(cache: SinkCache) -> bool:
    return len(cache.sink_layers) == len(cache.layers)
