"""What a packed weight stands for, and that the kernels read it so."""

from __future__ import annotations

import ctypes

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdev.llm.local.fast.check import WrongProductError, prove_product
from chatdev.llm.local.fast.native import _Matrix
from chatdev.llm.local.fast.packing import PRECISIONS, dequantise4, quantise4, quantise8, to_blocks

sizes = st.tuples(st.integers(1, 70), st.integers(1, 130), st.integers(0, 5))


def weight_of(size):
    rows, columns, seed = size
    w = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    return w * 10.0 ** (seed - 3)


def stands_for(weight, precision):
    if precision == "int8":
        q, scale = quantise8(weight)
        return q.float() * scale[:, None]
    if precision == "int4":
        return dequantise4(*quantise4(weight))[:, : weight.shape[1]]
    return weight.bfloat16().float() if precision == "bf16" else weight


def on_the_grid(x):
    """Values that rounding to 16 bits leaves as they are: 32,767 steps to the largest of each 256 (`kernels.h`)."""
    spans = [span * (32767 / span.abs().max()) for span in x.split(256)]
    tops = [span.abs().max() / 32767 for span in x.split(256)]
    return torch.cat([span.round() * top for span, top in zip(spans, tops, strict=True)])


def multiply(kernels, weight, precision, x):
    blocks = to_blocks(weight, precision)
    group = blocks.columns // blocks.scale.shape[1] if precision == "int4" else 0
    scale = None if blocks.scale is None else blocks.scale.data_ptr()
    matrix = _Matrix(blocks.data.data_ptr(), scale, None, blocks.rows, blocks.columns, blocks.kind, group)
    room, out = torch.zeros(2 * blocks.columns), torch.empty(-(-blocks.rows // 16) * 16)
    room[: len(x)] = x
    kernels.multiply(ctypes.byref(matrix), room.data_ptr(), out.data_ptr())
    return out[: blocks.rows]


@given(sizes)
def test_int8_is_off_by_half_a_step_at_most(size):
    w = weight_of(size)
    _, scale = quantise8(w)
    assert ((stands_for(w, "int8") - w).abs() <= scale[:, None] * 0.501).all()


@given(sizes)
def test_int4_is_no_worse_than_rounding_between_the_extremes(size):
    w = weight_of(size)
    # Scale and minimum are rounded to bf16: an eighth of a per cent of the largest weight, on top of half a step.
    step = (w.amax(1) - w.amin(1).clamp_max(0)).clamp_min(w.abs().amax(1)) / 15
    root_mean_square = (stands_for(w, "int4") - w).square().mean(1).sqrt()
    assert (root_mean_square <= 0.75 * step + 1e-12).all()


def test_equal_and_zero_weights_survive():
    for value in (0.0, 1.0, -3.0):
        for precision in PRECISIONS:
            assert torch.allclose(stands_for(torch.full((3, 40), value), precision), torch.tensor(value), rtol=0.02)


@pytest.mark.parametrize("precision", PRECISIONS)
@settings(deadline=None)
@given(size=sizes)
def test_the_kernels_compute_with_exactly_these_weights(kernels, precision, size):
    w = weight_of(size)
    x = on_the_grid(torch.randn(size[1], generator=torch.Generator().manual_seed(9)))
    truth = stands_for(w, precision).double() @ x.double()
    given_ = multiply(kernels, w, precision, x).double()
    assert float((given_ - truth).abs().max()) <= 1e-5 * float((w.double().abs() @ x.double().abs()).max()) + 1e-12


@pytest.mark.parametrize("precision", ["int8", "int4"])
@settings(deadline=None)
@given(size=sizes)
def test_activations_are_rounded_by_half_a_step_at_most(kernels, precision, size):
    w = weight_of(size)
    x = torch.randn(size[1], generator=torch.Generator().manual_seed(9))
    exact = 1e-5 * float((w.double().abs() @ x.double().abs()).max()) + 1e-12
    off = multiply(kernels, w, precision, x).double() - stands_for(w, precision).double() @ x.double()
    assert (off.abs() <= exact + 1.01 * w.double().abs().sum(1) * x.abs().max() / 65534).all()


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_processors_without_wide_vectors_get_the_same(kernels, plain_kernels, precision):
    w, x = weight_of((50, 96, 3)), on_the_grid(torch.randn(96, generator=torch.Generator().manual_seed(2)))
    assert torch.allclose(
        multiply(plain_kernels, w, precision, x), multiply(kernels, w, precision, x), rtol=1e-4, atol=1e-5
    )


def test_a_wrong_product_is_noticed():
    w = weight_of((64, 64, 3))
    prove_product(lambda x: x @ w.t(), w, "int8")
    with pytest.raises(WrongProductError, match="off by"):
        prove_product(lambda x: x @ w.t().roll(1, 1), w, "int4")
    with pytest.raises(WrongProductError):
        prove_product(lambda x: torch.full((1, 64), torch.nan), w, "int4")
