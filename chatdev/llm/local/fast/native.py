"""The whole decode step in one call of compiled code: `step.cpp`, built on this machine by its own C++ compiler.

The build takes a few seconds, once for each version of the source and each kind of processor; the library is kept in
the user's cache folder. Where there is no compiler, or it fails, `NoCompilerError` says why and torch's kernels serve.

Non-goals: processors without fp32 vectors, Windows' own compiler, more than 32 rows in a call.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chatdev.llm.local.fast.anatomy import ANGLE_BLOCK, Anatomy, Linear, Norm
from chatdev.llm.local.fast.build import library
from chatdev.llm.local.fast.check import prove_product
from chatdev.llm.local.fast.packing import PARTS, Blocks, Precision, for_part, to_blocks

MOST_ROWS = 32
_VOID, _INT, _FLOAT = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float
Pair = tuple[Tensor, Tensor]
KV_KINDS = {torch.float32: 0, torch.bfloat16: 1}


def _fields(**kinds: Any) -> list[tuple[str, Any]]:
    return list(kinds.items())


class _Matrix(ctypes.Structure):
    _fields_ = _fields(data=_VOID, scale=_VOID, bias=_VOID, rows=_INT, columns=_INT, kind=_INT, group=_INT)


class _Norm(ctypes.Structure):
    _fields_ = _fields(weight=_VOID, bias=_VOID, eps=_FLOAT, form=_INT)


def _floats(*shape: int) -> Tensor:
    """For C to read and write. The type is said: torch's default is another one while, in another thread, a model in 16
    bits is being loaded.
    """
    return torch.empty(*shape, dtype=torch.float32)


_NORMS = ("before_attention", "after_attention", "before_mlp", "after_mlp", "query", "key")


class _Layer(ctypes.Structure):
    _fields_ = [
        *((name, _Matrix) for name in PARTS),
        *((name, _Norm) for name in _NORMS),
        *_fields(keys=_VOID, values=_VOID, rotates=_INT, unused=_INT),
    ]


class _Model(ctypes.Structure):
    _fields_ = [
        ("layer", ctypes.POINTER(_Layer)),
        ("head", _Matrix),
        ("last", _Norm),
        *_fields(layers=_INT, hidden=_INT, heads=_INT, kv_heads=_INT, dim=_INT, inner=_INT, rotary=_INT),
        *_fields(interleaved=_INT, act=_INT, kv_kind=_INT, scaling=_FLOAT),
    ]


class _Call(ctypes.Structure):
    _fields_ = [
        *_fields(x=_VOID, logits=_VOID, cos=_VOID, sin=_VOID, scratch=_VOID, wanted=_VOID, start=_VOID),
        *_fields(batch=_INT, n=_INT, wanted_rows=_INT, capacity=_INT, at=_INT, threads=_INT, stride=_INT, unused=_INT),
    ]


class NativeStep:
    """`step(ids [batch, n], cache, rows)` for batch * n up to `MOST_ROWS` on a SinkCache.

    Args:
        anatomy: what `dissect` found; its tensors are packed and not kept.
        precision: of all weights; with int4, the head is int8.
        check: called before each layer with the share that is packed.
        proved: the products of these very weights were proved here before.

    Raises:
        NoCompilerError: the kernels could not be built.
        WrongProductError: a packed matrix does not stand for its weight.
    """

    most_rows = MOST_ROWS

    def __init__(
        self,
        anatomy: Anatomy,
        precision: Precision,
        check: Callable[[float], None] = lambda done: None,
        proved: bool = False,
    ) -> None:
        self.library, self._proved = library(), proved
        self.anatomy_rope = anatomy
        self.embed = anatomy.embed
        self.dtype: torch.dtype = anatomy.embed(torch.zeros(1, 1, dtype=torch.long)).dtype
        """Of the hidden states, and so of keys and values."""
        self._kept: list[Tensor] = []
        """Everything that C holds pointers to."""
        self.bytes = 0
        self._lock = threading.Lock()
        self.layers = (_Layer * len(anatomy.layers))()
        for i, (there, here) in enumerate(zip(self.layers, anatomy.layers, strict=True)):
            check(i / len(anatomy.layers))
            for name in PARTS:
                chosen = for_part(precision, name, anatomy.hidden) or precision
                setattr(there, name, self._matrix(getattr(here, name), chosen))
            for name in _NORMS:
                setattr(there, name, self._norm(getattr(here, name), anatomy.dim if name in ("query", "key") else 0))
            there.rotates = here.rotates
        self.model = _Model(
            layer=self.layers,
            head=self._matrix(anatomy.head, for_part(precision, "head", anatomy.hidden) or precision),
            last=self._norm(anatomy.last, 0),
            layers=len(anatomy.layers),
            interleaved=anatomy.interleaved,
            act=("silu", "gelu").index(anatomy.act),
            **{k: getattr(anatomy, k) for k in ("hidden", "heads", "kv_heads", "dim", "inner", "rotary", "scaling")},
        )
        matrices = [getattr(layer, name) for layer in self.layers for name in PARTS]
        # Rows are written in whole blocks, and what belongs to its columns is kept behind them (kernels.h).
        self.stride = max(-(-m.rows // 16) * 16 + 2 * m.columns for m in matrices) // 64 * 64 + 128
        self.vocabulary = self.model.head.rows
        self._angles: dict[int, tuple[Tensor, Tensor]] = {}
        self._scratch = _floats(0)

    def _keep(self, tensor: Tensor | None) -> int | None:
        if tensor is None:
            return None
        self._kept.append(tensor)
        return tensor.data_ptr()

    def _matrix(self, linear: Linear, precision: Precision) -> _Matrix:
        blocks: Blocks = to_blocks(linear.weight, precision)
        self.bytes += blocks.bytes
        bias = None
        if linear.bias is not None:
            bias = _floats(-(-blocks.rows // 16) * 16).zero_()
            bias[: blocks.rows] = linear.bias
        group = blocks.columns // blocks.scale.shape[1] if blocks.scale is not None and blocks.scale.ndim == 4 else 0
        pointers = (self._keep(blocks.data), self._keep(blocks.scale), self._keep(bias))
        matrix = _Matrix(*pointers, blocks.rows, blocks.columns, blocks.kind, group)

        def product(x: Tensor) -> Tensor:
            given, found = _floats(2 * blocks.columns).zero_(), _floats(-(-blocks.rows // 16) * 16)
            given[: x.shape[1]] = x[0]
            self.library.multiply(ctypes.byref(matrix), given.data_ptr(), found.data_ptr())
            return (found if bias is None else found - bias)[None, : blocks.rows]

        if not self._proved:
            prove_product(product, linear.weight, precision)
        return matrix

    def _norm(self, norm: Norm | None, dim: int) -> _Norm:
        if norm is None:
            return _Norm()
        form = 1 if norm.centred else 2 if dim and norm.weight.shape[0] > dim else 0
        weight = norm.weight.contiguous()
        return _Norm(self._keep(weight), self._keep(norm.bias), norm.eps, form)

    def angles(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Rows [count, rotary / 2] of cosines and sines, from blocks that are kept."""
        block, at = divmod(first, ANGLE_BLOCK)
        if at + count > ANGLE_BLOCK:
            return self.anatomy_rope.angles(first, count)
        if block not in self._angles:
            self._angles[block] = self.anatomy_rope.angles(block * ANGLE_BLOCK, ANGLE_BLOCK)
        cos, sin = self._angles[block]
        return cos[at : at + count], sin[at : at + count]

    def __call__(self, ids: Tensor, cache: Any, rows: int) -> Tensor:
        """Run [batch, n] tokens; fp32 logits [batch, rows, vocabulary] of the last `rows` of each batch row."""
        batch, n = ids.shape
        plan = cache.plan
        with self._lock, torch.no_grad():
            cache.begin(n)
            for layer in cache.layers:
                if not layer.is_initialized:
                    shape = torch.empty(batch, self.model.kv_heads, 0, self.model.dim, dtype=self.dtype)
                    layer.lazy_initialization(shape, shape)
            cos, sin = self.angles(plan.seen - plan.offset, n)
            if batch > 1:
                cos, sin = cos.repeat(batch, 1), sin.repeat(batch, 1)
            buffers = [(layer.keys, layer.values) for layer in cache.layers]
            logits = self._run(ids, rows, (cos, sin), buffers, [plan.start] * batch, plan.start + plan.held)
            cache.commit(n)
        return logits

    def joint(self, ids: Tensor, rectangle: Any) -> Tensor:
        """One token of every row of a rectangle (see `batch`): ids [rows, 1] to fp32 logits [rows, vocabulary]."""
        with self._lock, torch.no_grad():
            angles = [self.angles(position, 1) for position in rectangle.positions()]
            starts, logits = rectangle.starts(), []
            for some in (slice(i, i + MOST_ROWS) for i in range(0, len(ids), MOST_ROWS)):
                cos, sin = (torch.cat(parts) for parts in zip(*angles[some], strict=True))
                buffers = [(layer.keys[some], layer.values[some]) for layer in rectangle.columns]
                logits.append(self._run(ids[some], 1, (cos, sin), buffers, starts[some], rectangle.end)[:, 0])
        return logits[0] if len(logits) == 1 else torch.cat(logits)

    def _run(self, ids: Tensor, rows: int, angles: Pair, buffers: list[Pair], starts: list[int], at: int) -> Tensor:
        """The call itself. `buffers` are each layer's keys and values; batch row b holds the columns from starts[b],
        and its new tokens are written from column `at`.
        """
        batch, n = ids.shape
        hidden = self.embed(ids)
        x = _floats(batch * n, self.stride)
        x[:, : self.model.hidden] = hidden.view(batch * n, -1)
        for there, (keys, values) in zip(self.layers, buffers, strict=True):
            there.keys, there.values = keys.data_ptr(), values.data_ptr()
        self.model.kv_kind = KV_KINDS[buffers[0][0].dtype]
        logits = _floats(batch * rows, -(-self.vocabulary // 16) * 16)
        wanted = torch.arange(batch * n, dtype=torch.int32).view(batch, n)[:, n - rows :].contiguous()
        first = torch.tensor(starts, dtype=torch.int32)
        cos, sin = angles
        call = _Call(
            x.data_ptr(), logits.data_ptr(), cos.data_ptr(), sin.data_ptr(), None, wanted.data_ptr(), first.data_ptr(),
            batch, n, batch * rows, buffers[0][0].shape[2], at, torch.get_num_threads(), self.stride,
        )  # fmt: skip
        floats = self.library.scratch_floats(ctypes.byref(self.model), ctypes.byref(call))
        if self._scratch.numel() < floats:
            self._scratch = _floats(floats)
        call.scratch = self._scratch.data_ptr()
        self.library.step(ctypes.byref(self.model), ctypes.byref(call))
        return logits.view(batch, rows, -1)[..., : self.vocabulary]
