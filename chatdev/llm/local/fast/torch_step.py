"""A step in plain torch: the same parts without modules, hooks or casts between them.

With the model's own weights it proves the anatomy (`check.py`) and runs the prompts, across evictions too; with torch's
packed int8 and int4 kernels it serves machines without a compiler. Those kernels take bf16 activations. Non-goal: to be
the fastest for a few tokens; `native.py` is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from chatdev.llm.local.fast.anatomy import Anatomy, Layer, Linear, Norm, rotate
from chatdev.llm.local.fast.check import prove_product
from chatdev.llm.local.fast.packing import GROUP, PARTS, Precision, for_part, quantise4, quantise8
from chatdev.llm.local.stages import added

Product = Callable[[Tensor], Tensor]
"""x [tokens, columns] to [tokens, rows], in the dtype of x."""
MOST_ROWS = 16
MANY = 32
"""Rows from which oneDNN's product of fp32 matrices is the faster one (by a fifth on an AMD EPYC)."""


class TorchStep:
    """`step(ids [batch, n], cache, rows)` on a SinkCache; `bytes` is what the packed weights take.

    Args:
        anatomy: what `dissect` found.
        precision: of the weights; None leaves the model's own, unpacked.
        check: called before each layer with the share that is packed.
        proved: the products of these very weights were proved here before.

    Raises:
        WrongProductError: a packed matrix does not stand for its weight.
    """

    most_rows = MOST_ROWS

    def __init__(
        self,
        anatomy: Anatomy,
        precision: Precision | None,
        check: Callable[[float], None] = lambda done: None,
        proved: bool = False,
    ) -> None:
        self.anatomy, self._proved = anatomy, proved
        self.dtype: torch.dtype = anatomy.layers[0].qkv.parts[0].dtype
        self.bytes = 0
        self.layers: list[tuple[Layer, list[Product]]] = []
        for i, layer in enumerate(anatomy.layers):
            check(i / len(anatomy.layers))
            kinds = [for_part(precision, part, anatomy.hidden) for part in PARTS]
            products = [self._product(getattr(layer, p), kind) for p, kind in zip(PARTS, kinds, strict=True)]
            self.layers.append((layer, products))
        self.head = self._product(anatomy.head, for_part(precision, "head", anatomy.hidden))

    @torch.no_grad()
    def __call__(self, ids: Tensor, cache: Any, rows: int) -> Tensor:
        """Run [batch, n] tokens; fp32 logits [batch, rows, vocabulary] of the last `rows` of each batch row."""
        n, first = ids.shape[1], cache.seen
        cache.begin(n)
        logits = self.begun(ids, cache, rows, first - cache.plan.offset)
        cache.commit(n)
        return logits

    def begun(self, ids: Tensor, cache: Any, rows: int, first: int) -> Tensor:
        """The same between `cache.begin` and `cache.commit`; `first` is the live position of the first token."""
        n, groups = ids.shape[1], self.anatomy.heads // self.anatomy.kv_heads
        mask = None
        if n > 1:
            # In the form that is added to the scores: otherwise every layer converts it anew.
            mask = added(self._seen(cache, n, ids.device), self.dtype).repeat(1, 1, groups, 1)
        return self.run(ids, self.anatomy.angles(first, n), mask, cache.layers, rows)

    def _seen(self, cache: Any, n: int, device: Any) -> Tensor:
        """Which columns each of n tokens sees, bool [1, 1, n, columns]."""
        if n > cache.plan.total - cache.plan.held:
            stages: Tensor = cache.begin_stages(n)
            return stages
        seen = cache.plan.held + n
        return torch.ones(1, 1, n, seen, dtype=torch.bool, device=device).tril(seen - n)

    @torch.no_grad()
    def joint(self, ids: Tensor, rectangle: Any) -> Tensor:
        """One token of every row of a rectangle (see `batch`): ids [rows, 1] to fp32 logits [rows, vocabulary]."""
        parts = zip(*(self.anatomy.angles(position, 1) for position in rectangle.positions()), strict=True)
        cos, sin = (torch.stack(part)[:, None] for part in parts)
        return self.run(ids, (cos, sin), rectangle.mask(), rectangle.columns, 1)[:, 0]

    def run(self, ids: Tensor, angles: tuple[Tensor, Tensor], mask: Tensor | None, layers: Any, rows: int) -> Tensor:
        """All layers; `angles` fit [batch, heads, n, pairs], and `mask` [batch, kv heads, group * n, held]."""
        a, (batch, n) = self.anatomy, ids.shape
        x = a.embed(ids).view(batch * n, a.hidden)
        for i, (layer, (qkv, out, gate, up, down)) in enumerate(self.layers):
            mixed = self._attend(layer, qkv(_normed(layer.before_attention, x)), (batch, n), angles, mask, layers[i])
            x = x + _normed(layer.after_attention, out(mixed))
            y = _normed(layer.before_mlp, x)
            act = functional.silu(gate(y)) if a.act == "silu" else functional.gelu(gate(y), approximate="tanh")
            x = x + _normed(layer.after_mlp, down(act * up(y)))
        last = a.last(x).view(batch, n, a.hidden)[:, n - rows :].reshape(batch * rows, a.hidden)
        return self.head(last).float().view(batch, rows, -1)

    def _attend(
        self,
        layer: Layer,
        qkv: Tensor,
        shape: tuple[int, int],
        angles: tuple[Tensor, Tensor],
        mask: Tensor | None,
        store: Any,
    ) -> Tensor:
        a, (batch, n) = self.anatomy, shape
        both, v = torch.split(qkv, [(a.heads + a.kv_heads) * a.dim, a.kv_heads * a.dim], dim=-1)
        if layer.query is not None or layer.key is not None:
            q, k = torch.split(both, [a.heads * a.dim, a.kv_heads * a.dim], dim=-1)
            heads = _heads(layer.query, q, a.heads, a.dim), _heads(layer.key, k, a.kv_heads, a.dim)
            both = torch.cat(heads, 1)
        both = both.reshape(batch, n, -1, a.dim).transpose(1, 2)
        if layer.rotates:
            both = rotate(both.float(), *angles, a.interleaved).to(both.dtype)
        q, k = torch.split(both, [a.heads, a.kv_heads], dim=1)
        keys, values = store.update(k, v.view(batch, n, a.kv_heads, a.dim).transpose(1, 2))
        # The query heads that share a key head become rows of one product.
        q = q.reshape(batch, a.kv_heads, -1, a.dim)
        mixed = functional.scaled_dot_product_attention(q, keys, values, mask, scale=a.scaling)
        return mixed.view(batch, a.heads, n, a.dim).transpose(1, 2).reshape(batch * n, -1)

    def _product(self, linear: Linear, precision: Precision | None) -> Product:
        bias = linear.bias
        product, size = _own(linear) if precision is None else _packed(linear.weight, precision, self._proved)
        self.bytes += size
        return product if bias is None else (lambda x: (product(x) + bias).to(x.dtype))


def _own(linear: Linear) -> tuple[Product, int]:
    """With the model's own weights, which a processor need not have twice; a GPU has fewer calls with one matrix."""
    parts = (linear.weight,) if linear.parts[0].is_cuda else linear.parts

    def product(x: Tensor) -> Tensor:
        return _times(x, parts[0]) if len(parts) == 1 else torch.cat([_times(x, part) for part in parts], -1)

    return product, sum(part.nbytes for part in parts)


def _times(x: Tensor, weight: Tensor) -> Tensor:
    if x.shape[0] >= MANY and x.dtype == weight.dtype == torch.float32 and _onednn and not weight.is_cuda:
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return y
    return functional.linear(x.to(weight.dtype), weight).to(x.dtype)


_onednn = hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Builds of torch without oneDNN have no such product."""


def _packed(weight: Tensor, precision: Precision, proved: bool) -> tuple[Product, int]:
    product: Product
    if precision == "int4" and weight.shape[0] % 64 == 0:
        product, size = _int4(weight)
    elif precision in ("int8", "int4"):
        product, size = _int8(weight)
    else:
        weight = weight.to(torch.float32 if precision == "fp32" else torch.bfloat16)
        product, size = (lambda x: _times(x.to(weight.dtype), weight).to(x.dtype)), weight.nbytes
    if not proved:
        prove_product(product, weight, precision)
    return product, size


def _int8(weight: Tensor) -> tuple[Product, int]:
    # The kernel reads beyond rows of another width: columns are filled up with zeros.
    more = -weight.shape[1] % 32
    q, scale = quantise8(functional.pad(weight, (0, more)))
    narrow = scale.bfloat16()

    def product(x: Tensor) -> Tensor:
        given = functional.pad(x.bfloat16(), (0, more)) if more else x.bfloat16()
        y: Tensor = torch.ops.aten._weight_int8pack_mm(given, q, narrow).to(x.dtype)
        return y

    return product, q.nbytes + narrow.nbytes


def _int4(weight: Tensor) -> tuple[Product, int]:
    q, scale, low = quantise4(weight)
    more = q.shape[1] - weight.shape[1]
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(q.to(torch.int32), 1)
    # The kernel computes (q - 8) * scale + zero, with both as [groups, rows, 2].
    zero = (low.float() + 8 * scale.float()).bfloat16()
    both = torch.stack([scale.t(), zero.t()], -1).contiguous()

    def product(x: Tensor) -> Tensor:
        given = functional.pad(x.bfloat16(), (0, more)) if more else x.bfloat16()
        y: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(given, packed, GROUP, both).to(x.dtype)
        return y

    return product, packed.nbytes + both.nbytes


def _normed(norm: Norm | None, x: Tensor) -> Tensor:
    return x if norm is None else norm(x)


def _heads(norm: Norm | None, x: Tensor, heads: int, dim: int) -> Tensor:
    """x [tokens, heads * dim] as [tokens, heads, dim], normed a head at a time or, if the norm is that wide, whole."""
    if norm is not None and norm.weight.shape[0] > dim:
        x = norm(x)
    x = x.view(-1, heads, dim)
    return norm(x) if norm is not None and norm.weight.shape[0] == dim else x
