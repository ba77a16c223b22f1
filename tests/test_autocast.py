"""autocast: which products round their factors, to what, and what their gradients do."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigan
import minigan.nn.functional as F
from minigan.fused import rounded
from minigan.precision import computing


def nearest(x):
    """BF16 by comparing the two neighbours in float64; where both are as near, the even one."""
    x = np.asarray(x, np.float32)
    bits = x.reshape(-1).view(np.uint32)
    result = x.reshape(-1).copy()
    for i, (value, b) in enumerate(zip(x.reshape(-1).astype(np.float64), bits, strict=True)):
        if not np.isfinite(value):
            continue
        words = [int(b) & 0xFFFF0000, (int(b) & 0xFFFF0000) + 0x10000]
        sides = [float(np.uint32(w).view(np.float32)) for w in words]
        if np.isinf(sides[1]):  # the next power of two stands for it
            sides[1] = np.copysign(2.0**128, value)
        apart = [abs(side - value) for side in sides]
        even = words[0] >> 16 & 1
        chosen = even if apart[0] == apart[1] else int(apart[1] < apart[0])
        result[i] = np.uint32(words[chosen]).view(np.float32)
    return result.reshape(x.shape)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def tensors(*arrays):
    return [minigan.tensor(a, requires_grad=True) for a in arrays]


def same(tensor, array):
    assert_array_equal(tensor.detach().numpy(), array)


# -- the rounding


def test_rounding_is_to_the_nearest_and_even_where_there_are_two():
    bits = np.random.default_rng(0).integers(0, 2**32, 4000, np.uint32)
    ties = bits[:1000] & 0xFFFF0000 | 0x8000
    special = [0, 1, 0x7FFF, 0x8000, 0x8001, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0x7F800000]
    special += [s | 0x80000000 for s in special]
    x = np.concatenate([bits, ties, np.array(special, np.uint32)]).view(np.float32)
    with np.errstate(invalid="ignore"):
        got, expected = rounded(x), nearest(x)
    finite = ~np.isnan(x)
    assert_array_equal(got[finite].view(np.uint32), expected[finite].view(np.uint32))
    assert not (got[finite].view(np.uint32) & 0xFFFF).any()


def test_what_is_no_number_stays_none():
    payloads = np.array([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0xFF800001], np.uint32)
    with np.errstate(invalid="ignore"):
        assert np.isnan(rounded(payloads.view(np.float32))).all()


def test_other_dtypes_layouts_and_the_operand_itself_stay_as_they_are():
    x = drawn(3, 4, 5).transpose(2, 0, 1)[::2]
    before = x.copy()
    assert_array_equal(rounded(x), nearest(x))
    assert_array_equal(x, before)
    assert_array_equal(rounded(np.broadcast_to(x[:1], (4, 3, 4))), nearest(x[:1]).repeat(4, 0))
    for other in (x.astype(np.float64), np.arange(3), x.astype(np.complex64)):
        assert rounded(other) is other


# -- what rounds


def results(x, w, a, b):
    """By everything that multiplies and adds up, on (N, C, H, W), filters and matrices."""
    return {
        "conv2d": F.conv2d(x, w, padding=1),
        "conv_transpose2d": F.conv_transpose2d(x, w.transpose(0, 1), stride=2),
        "conv1d": F.conv1d(x[:, :, 0], w[:, :, 0]),
        "matmul": a @ b,
        "linear": F.linear(a, b.T),
        "einsum": minigan.einsum("ij,jk->ik", a, b),
    }


def test_products_are_those_of_rounded_factors_and_exact():
    """The same routine on numbers that an independent rounding gives; whole numbers unchanged."""
    operands = [drawn(2, 3, 6, 6), drawn(4, 3, 3, 3), drawn(5, 7), drawn(7, 2)]
    with minigan.autocast("cpu"):
        got = results(*map(minigan.tensor, operands))
    expected = results(*[minigan.tensor(nearest(a)) for a in operands])
    plain = results(*map(minigan.tensor, operands))
    for name, value in got.items():
        assert value.dtype == minigan.float32
        same(value, expected[name].numpy())
        assert (value != plain[name]).any()
    whole = [minigan.tensor(np.round(40 * a)) for a in operands]  # at most 8 bits
    assert max(a.abs().max().item() for a in whole) <= 256
    with minigan.autocast("cpu"):
        got = results(*whole)
    for name, value in results(*whole).items():
        same(got[name], value.numpy())


def test_sums_are_in_float32():
    """2¹⁶ products of 1: in BF16 the sum would end at 256."""
    ones = minigan.ones(1, 2**16)
    with minigan.autocast("cpu"):
        assert (ones @ ones.T).item() == 2**16
        assert F.conv2d(minigan.ones(1, 64, 32, 32), minigan.ones(1, 64, 32, 32)).item() == 2**16


def test_biases_other_operations_and_other_dtypes_are_not_rounded():
    fine = np.float32(1 + 2.0**-12)
    x = minigan.tensor(np.full((1, 1, 2, 2), fine))
    with minigan.autocast("cpu"):
        y = F.conv2d(x, minigan.ones(1, 1, 1, 1), minigan.tensor([fine - 1]))
        same(y, np.full((1, 1, 2, 2), fine))  # 1, and what rounding took away
        same(x * x, (x.numpy() * x.numpy()))
        same(x.sum(), x.numpy().sum())
        wide = x.double()
        assert F.conv2d(wide, wide[:, :, :1, :1]).max().item() == float(fine) ** 2
        assert (wide[0, 0] @ wide[0, 0]).max().item() == 2 * float(fine) ** 2


# -- where


def off(x):
    """Whether a product of x is rounded."""
    return bool((x @ minigan.ones(1, 1)).item() != x.item())


FINE = minigan.tensor([[1 + 2.0**-12]])


def test_blocks_nest_and_end():
    assert not off(FINE)
    with minigan.autocast("cpu", dtype=minigan.bfloat16) as block:
        assert off(FINE) and minigan.is_autocast_enabled("cpu")
        with minigan.autocast("cpu", enabled=False):
            assert not off(FINE) and not minigan.is_autocast_enabled("cpu")
            with block:  # again, inside itself
                assert off(FINE)
            assert not off(FINE)
        with minigan.autocast("cuda"):
            assert off(FINE) and minigan.is_autocast_enabled("cuda")
        assert off(FINE) and not minigan.is_autocast_enabled()
    assert not off(FINE)
    with minigan.autocast("cuda"):
        assert not off(FINE)  # it lies on the CPU
    with pytest.raises(ZeroDivisionError), minigan.autocast("cpu"):
        1 / 0  # noqa: B018
    assert not off(FINE)


def test_a_function_may_be_decorated():
    @minigan.autocast("cpu", "bfloat16")
    def rounding(depth):
        return off(FINE) and (not depth or rounding(depth - 1))

    assert rounding(2)
    assert not off(FINE)


def test_every_thread_has_its_own():
    seen = {}
    inside, done = threading.Event(), threading.Event()

    def other():
        with minigan.autocast("cpu"):
            inside.set()
            done.wait(10)
            seen["other"] = off(FINE)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    seen["here"] = off(FINE)
    done.set()
    thread.join()
    assert seen == {"here": False, "other": True}


@pytest.mark.parametrize("device", ["tpu", "cuda:0", None, 0])
def test_another_device_is_refused(device):
    for function in (minigan.autocast, minigan.is_autocast_enabled, minigan.get_autocast_dtype):
        with pytest.raises(RuntimeError, match=r'device_type expects "cpu" or "cuda", got '):
            function(device)


@pytest.mark.parametrize("dtype", ["float16", minigan.float32, minigan.half, 3])
def test_another_dtype_is_refused(dtype):
    with pytest.raises(ValueError, match=f"autocast: dtype expects bfloat16, got {dtype}"):
        minigan.autocast("cpu", dtype)


def test_no_array_is_of_bfloat16():
    assert minigan.get_autocast_dtype("cpu") is minigan.bfloat16
    assert str(minigan.bfloat16) == "bfloat16"
    with pytest.raises(TypeError, match="bfloat16 is what autocast rounds to"):
        minigan.zeros(2, dtype=minigan.bfloat16)


# -- gradients


@pytest.mark.parametrize(
    "product", [minigan.matmul, lambda x, y: minigan.einsum("ij,jk->ik", x, y)]
)
def test_gradients_round_as_their_operation_did_wherever_they_are_computed(product):
    """∂/∂a and ∂/∂b of ⟨a·b, c⟩, and the derivatives of those along a direction."""
    a, b, c, d = drawn(3, 4), drawn(4, 5, seed=1), drawn(3, 5, seed=2), drawn(3, 4, seed=3)
    ra, rb, rc, rd = map(nearest, (a, b, c, d))

    def same(tensor, array):  # sums of a few products, perhaps in another order
        assert_allclose(tensor.detach().numpy(), array, rtol=0, atol=3e-6)

    def check(loss, factors, x, y):
        fa, fb, fc, fd = factors
        ga, gb = minigan.grad(loss, [x, y], create_graph=True)
        same(ga, fc @ fb.T)
        same(gb, fa.T @ fc)
        (second,) = minigan.grad((ga * minigan.tensor(d)).sum(), y)
        same(second, fd.T @ fc)

    weights = minigan.tensor(c)
    x, y = tensors(a, b)
    with minigan.autocast("cpu"):
        low = (product(x, y) * weights).sum()
    check(low, (ra, rb, rc, rd), x, y)
    full = (product(x, y) * weights).sum()
    with minigan.autocast("cpu"):
        check(full, (a, b, c, d), x, y)


@pytest.mark.parametrize("transposed", [False, True])
def test_gradients_of_convolutions_round_to_any_order(transposed):
    """Convolution is linear in each operand: every derivative is another of rounded factors."""

    def apply(x, w):
        return F.conv_transpose2d(x, w, stride=2) if transposed else F.conv2d(x, w, padding=1)

    def derivatives(x, w, c, d, e):
        y = apply(x, w)
        first = minigan.grad(y, [x, w], c, create_graph=True)
        second = minigan.grad(first, [x, w], [d, e], create_graph=True)
        return [y, *first, *second]

    x, w = drawn(2, 3, 5, 5), drawn(3, 4, 3, 3, seed=1)
    w = w if transposed else w.transpose(1, 0, 2, 3).copy()
    c = drawn(*apply(minigan.tensor(x), minigan.tensor(w)).shape, seed=2)
    d, e = drawn(*x.shape, seed=3), drawn(*w.shape, seed=4)
    with minigan.autocast("cpu"):
        low = derivatives(*tensors(x, w, c, d, e))
    plain = derivatives(*tensors(x, w, c, d, e))
    exact = derivatives(*tensors(*map(nearest, (x, w, c, d, e))))
    for got, expected, unrounded in zip(low, exact, plain, strict=True):
        same(got, expected.detach().numpy())
        assert (got != unrounded).any()


# -- runs


def test_a_run_computes_as_its_precision_says():
    with computing("fp32", "cpu"):
        assert not off(FINE)
    with computing("bf16", "cpu"):
        assert off(FINE)
    with computing("tf32", "cuda"):
        assert minigan.cuda.allow_tf32
        assert not minigan.is_autocast_enabled("cuda")
    assert not minigan.cuda.allow_tf32
    with pytest.raises(ZeroDivisionError), computing("tf32", "cuda"):
        1 / 0  # noqa: B018
    assert not minigan.cuda.allow_tf32


def test_operands_and_results_without_dimensions():
    """A scalar is rounded too, and its gradient, which is computed outside of the block."""
    x, y = minigan.tensor(1.01, requires_grad=True), minigan.tensor([1.01, 2.0], requires_grad=True)
    with minigan.autocast("cpu"):
        z = minigan.einsum(",i->", x, y)
    z.backward()
    low, total = 1.0078125, 3.015625  # 1.01 in BF16, and 3.01, what y is summed to first
    assert z.item() == low * total
    assert x.grad.item() == total and y.grad.tolist() == [low, low]
