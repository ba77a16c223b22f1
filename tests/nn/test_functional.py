"""Functions of networks that are no layer's alone: rows of tables, directions, channels, images."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import gradcheck, nn, tensor
from minigan.nn import functional as F


def draws(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


# -- embedding


@pytest.mark.parametrize("index", [[[0, 4], [2, 2]], [1, 1, 1], 3, []], ids=str)
def test_embedding_takes_rows_and_its_gradient_counts_them(index):
    table = draws(5, 3)
    i = np.array(index, dtype="int64")
    w = tensor(table, requires_grad=True)
    y = F.embedding(tensor(i), w)
    assert y.tolist() == table[i].tolist()
    g = draws(*i.shape, 3, seed=1)
    (found,) = minigan.grad((y * tensor(g)).sum(), w)
    expected = np.zeros((5, 3))
    for place in np.ndindex(i.shape):
        expected[i[place]] += g[place]
    assert_allclose(found.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize(("padding_idx", "row"), [(0, 0), (4, 4), (-1, 4), (-5, 0)])
def test_the_padding_row_is_looked_up_but_gets_no_gradient(padding_idx, row):
    table, index = draws(5, 3), tensor([0, 4, 2, 0])
    w = tensor(table, requires_grad=True)
    y = F.embedding(index, w, padding_idx)
    assert y.tolist() == table[[0, 4, 2, 0]].tolist()
    expected = np.zeros((5, 3))
    expected[[0, 4, 2]] = [[2.0] * 3, [1.0] * 3, [1.0] * 3]
    expected[row] = 0
    assert minigan.grad(y.sum(), w)[0].tolist() == expected.tolist()


def test_embedding_derivatives_are_right_to_order_3():
    index = tensor([[0, 2], [2, 1]])
    gradcheck(lambda w: F.embedding(index, w).tanh(), draws(3, 2), order=3)


@pytest.mark.parametrize(
    ("index", "padding", "error", "message"),
    [
        ([5], None, IndexError, "index out of range, expected 0 to 4"),
        ([-1], None, IndexError, "index out of range"),
        ([1.0], None, RuntimeError, "expected integer indices, got float32"),
        ([True], None, RuntimeError, "expected integer indices, got bool"),
        ([1], 5, ValueError, "padding_idx must lie within 5 rows, got 5"),
        ([1], -6, ValueError, "padding_idx must lie within 5 rows, got -6"),
    ],
)
def test_embedding_errors_say_what_is_expected(index, padding, error, message):
    with pytest.raises(error, match=f"^embedding: .*{message}"):
        F.embedding(tensor(index), minigan.ones(5, 3), padding)


def test_embedding_refuses_a_table_that_is_no_matrix():
    with pytest.raises(RuntimeError, match=r"^embedding: expected weight .* got \(4,\)"):
        F.embedding(tensor([1]), minigan.ones(4))


def test_the_embedding_layer_starts_with_a_zero_padding_row_and_keeps_it():
    layer = nn.Embedding(5, 3, padding_idx=-2)
    assert layer.padding_idx == 3
    assert layer.weight[3].tolist() == [0.0, 0.0, 0.0]
    assert np.count_nonzero(layer.weight.detach().numpy()) == 12
    layer(tensor([3, 1])).sum().backward()
    assert layer.weight.grad.tolist() == [[0.0] * 3, [1.0] * 3, *[[0.0] * 3] * 3]
    assert repr(layer) == "Embedding(5, 3, padding_idx=3)"
    assert repr(nn.Embedding(5, 3)) == "Embedding(5, 3)"
    assert list(layer.state_dict()) == ["weight"]
    for padding_idx in (5, -6):
        with pytest.raises(ValueError, match=f"^Embedding: .* within 5 rows, got {padding_idx}"):
            nn.Embedding(5, 3, padding_idx)


# -- directions


def length(values, p):
    if p == math.inf:
        return max(map(abs, values))
    return sum(bool(v) for v in values) if p == 0 else sum(abs(v) ** p for v in values) ** (1 / p)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 0.5, math.inf, 0.0])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_normalize_divides_by_the_length_along_dim(p, dim):
    x = draws(3, 4, 2)
    y = np.moveaxis(F.normalize(tensor(x), p, dim).numpy(), dim, -1)
    moved = np.moveaxis(x, dim, -1)
    for place in np.ndindex(moved.shape[:-1]):
        assert_allclose(y[place], moved[place] / length(moved[place].tolist(), p), rtol=1e-12)


def test_normalize_divides_by_eps_where_vectors_are_shorter():
    assert F.normalize(tensor([[0.0, 0.0], [0.25, 0.0]]), eps=0.5).tolist() == [[0, 0], [0.5, 0]]
    x = minigan.zeros(2, 3, requires_grad=True)
    assert np.isfinite(minigan.grad(F.normalize(x).sum(), x)[0].numpy()).all()
    assert F.normalize(minigan.zeros(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("a", "b", "dim"),
    [
        ((3, 4), (3, 4), 1),
        ((3, 4), (4,), 1),
        ((2, 3, 4), (3, 1), -2),
        ((2, 1, 4), (1, 3, 4), -1),
        ((3, 1), (1, 4), 0),
        ((4,), (4,), 0),
    ],
)
def test_cosine_similarity_broadcasts_first(a, b, dim):
    x, y = draws(*a), draws(*b, seed=1)
    wide, other = (np.moveaxis(v, dim, -1) for v in np.broadcast_arrays(x, y))
    found = F.cosine_similarity(tensor(x), tensor(y), dim).numpy()
    assert found.shape == wide.shape[:-1]
    for place in np.ndindex(found.shape):
        u, v = wide[place].tolist(), other[place].tolist()
        dot = math.fsum(p * q for p, q in zip(u, v, strict=True))
        assert_allclose(found[place], dot / math.hypot(*u) / math.hypot(*v), rtol=1e-12)


def test_cosine_similarity_of_long_and_short_vectors():
    x = tensor([[3e18, 4e18], [0.0, 0.0], [3e-3, 0.0]])
    found = F.cosine_similarity(x, x, eps=1e-2).tolist()
    assert_allclose(found, [1.0, 0.0, 0.09], rtol=1e-6)


def test_derivatives_of_directions_are_right_to_order_3():
    gradcheck(F.normalize, draws(2, 3), order=3)
    gradcheck(lambda x: F.normalize(x, 3.0, 0), draws(3, 2) + 2, order=3)
    gradcheck(F.cosine_similarity, draws(2, 3), draws(3), order=3)


def test_cosine_similarity_refuses_shapes_that_do_not_broadcast():
    with pytest.raises(RuntimeError, match=r"^cosine_similarity: shapes \(3, 4\) and \(2, 4\) do"):
        F.cosine_similarity(minigan.ones(3, 4), minigan.ones(2, 4))


# -- dropout of channels


def test_dropout2d_zeroes_whole_channels_and_scales_the_others():
    minigan.manual_seed(5)
    x = minigan.ones(100, 80, 2, 3, requires_grad=True)
    y = F.dropout2d(x, 0.25)
    values = y.detach().numpy().reshape(8000, 6)
    assert (values == values[:, :1]).all()
    assert np.unique(values).tolist() == [0.0, np.float32(1) / np.float32(0.75)]
    share = (values[:, 0] == 0).mean()
    assert abs(share - 0.25) < 5 * math.sqrt(0.25 * 0.75 / 8000)  # five standard errors
    assert minigan.grad(y.sum(), x)[0].tolist() == y.tolist()
    assert y.dtype == np.float32


def test_dropout2d_of_one_image_in_evaluation_and_at_the_ends():
    x = tensor(draws(50, 2, 2).astype("float32"))
    dropped = (F.dropout2d(x, 0.5, generator=minigan.Generator().manual_seed(1)) == 0).numpy()
    assert dropped.any() and not dropped.all()
    assert (dropped == dropped[:, :1, :1]).all()
    assert F.dropout2d(x, 0.5, training=False).tolist() == x.tolist()
    assert F.dropout2d(x, 0.0).tolist() == nn.Dropout2d(0.5).eval()(x).tolist() == x.tolist()
    assert not F.dropout2d(x, 1.0).numpy().any()
    assert repr(nn.Dropout2d(0.3)) == "Dropout2d(p=0.3, inplace=False)"
    for wrong in (minigan.ones(3), minigan.ones(1, 1, 1, 1, 1)):
        with pytest.raises(RuntimeError, match=r"^dropout2d: expected \(N, C, H, W\)"):
            F.dropout2d(wrong)
    with pytest.raises(ValueError, match=r"^dropout2d: expected a probability .* got 1.5"):
        F.dropout2d(x, 1.5)


# -- bilinear images


def bilinear(line, new, scale, align):
    """One row of pixels at another length, by the two nearest ones."""
    if new == len(line):
        return line
    found = []
    for i in range(new):
        at = i * scale if align else max((i + 0.5) * scale - 0.5, 0)
        low = min(int(at), len(line) - 1)
        high, part = min(low + 1, len(line) - 1), min(at - low, 1)
        found.append(line[low] * (1 - part) + line[high] * part)
    return found


SETTINGS = [{"size": (5, 7)}, {"size": 1}, {"size": (3, 2)}, {"size": 4}, {"scale_factor": 2}]
SETTINGS += [{"scale_factor": 1.5}, {"scale_factor": (0.7, 2.3)}]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("align", [True, False, None])
def test_bilinear_mixes_the_two_nearest_rows_and_columns(setting, align):
    x = draws(2, 3, 3, 4)
    ((name, value),) = setting.items()
    value = value if isinstance(value, tuple) else (value, value)
    expected = x
    for axis, v in zip((2, 3), value, strict=True):
        old = x.shape[axis]
        new = v if name == "size" else int(old * v)
        scale = 1 / v if name == "scale_factor" else old / new
        scale = (old - 1) / max(new - 1, 1) if align else scale
        expected = np.apply_along_axis(bilinear, axis, expected, new, scale, align)
    layer = nn.Upsample(**setting, mode="bilinear", align_corners=align)
    assert_allclose(layer(tensor(x)).numpy(), expected, rtol=1e-12, atol=1e-14)


def test_bilinear_as_in_pytorch():
    # PyTorch 2.13: F.interpolate of 0, 1, 2, 3 as (2, 2) at twice the size, first row and column.
    x = minigan.arange(4.0).reshape(1, 1, 2, 2)
    y = F.interpolate(x, scale_factor=2, mode="bilinear")[0, 0]
    assert y[0].tolist() == [0.0, 0.25, 0.75, 1.0]
    assert y[:, 0].tolist() == [0.0, 0.5, 1.5, 2.0]
    y = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)[0, 0]
    assert_allclose(y[0].numpy(), [0, 1 / 3, 2 / 3, 1], rtol=1e-6)
    assert_allclose(y[:, 0].numpy(), [0, 2 / 3, 4 / 3, 2], rtol=1e-6)


@pytest.mark.parametrize("align", [True, False])
def test_bilinear_derivatives_are_right_to_order_3_and_float32_stays(align):
    def enlarged(x):
        return F.interpolate(x, size=(4, 3), mode="bilinear", align_corners=align)

    gradcheck(lambda x: enlarged(x).tanh(), draws(1, 2, 3, 2), order=3)
    assert enlarged(minigan.ones(1, 1, 2, 2)).dtype == np.float32
    assert enlarged(minigan.zeros(0, 1, 2, 2)).shape == (0, 1, 4, 3)


def test_align_corners_is_for_bilinear_only():
    with pytest.raises(ValueError, match="align_corners is for bilinear only"):
        F.interpolate(minigan.ones(1, 1, 2, 2), size=2, align_corners=True)
