"""einsum and the products it names: every index written out, gradients, shapes, errors."""

import string
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, in_layout, layouts, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.einsum import addmm, bmm, dot, einsum, mm, outer


def written_out(equation, *operands):
    """One product after the other, over every value of every label (no dots)."""
    left, arrow, out = equation.partition("->")
    labels = left.split(",")
    if not arrow:
        out = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    sizes = {}
    for one, x in zip(labels, operands, strict=True):
        for c, n in zip(one, x.shape, strict=True):
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    result = np.zeros([sizes[c] for c in out])
    for values in product(*[range(n) for n in sizes.values()]):
        at = dict(zip(sizes, values, strict=True))
        term = 1.0
        for one, x in zip(labels, operands, strict=True):
            term *= x[tuple(min(at[c], n - 1) for c, n in zip(one, x.shape, strict=True))]
        result[tuple(at[c] for c in out)] += term
    return result


@st.composite
def equations(draw, max_operands=3, least=0):
    """An equation with repeated, summed, shared and length-1 labels, and its operands."""
    letters = "aBcd"
    sizes = {c: draw(st.integers(least, 3)) for c in letters}
    labels = draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=max_operands))
    used = sorted(set("".join(labels)))
    operands = []
    for one in labels:
        thin = {c: 1 if draw(st.booleans()) and draw(st.booleans()) else sizes[c] for c in one}
        shape = tuple(thin[c] for c in one)
        operands.append(in_layout(numbers(draw(st.integers(0, 99)), shape), draw(layouts)))
    equation = ",".join(labels)
    if draw(st.booleans()):
        equation += "->" + "".join(draw(st.permutations(used))[: draw(st.integers(0, len(used)))])
    return equation, operands


@settings(max_examples=100)
@given(equations())
def test_einsum_sums_the_products_over_every_value_of_every_label(drawn):
    equation, operands = drawn
    found = einsum(equation, *map(minigan.from_numpy, operands))
    expected = written_out(equation, *operands)
    assert found.shape == expected.shape
    assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=40)
@given(equations(least=1))
def test_gradients_are_right_to_order_3_in_every_operand(drawn):
    equation, operands = drawn
    report = gradcheck(lambda *xs: einsum(equation, *xs) ** 2, *operands, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


DOTS = {  # the same equation with names for what the dots stand for, and shapes
    "...ij,...jk->...ik": ("xyij,yjk->xyik", (5, 1, 2, 3), (4, 3, 2)),
    "...ij,jk->...ik": ("xij,jk->xik", (5, 2, 3), (3, 2)),
    "...,...": ("xy,y->xy", (3, 1), (2,)),
    "...i,...i": ("xyi,yi->xy", (3, 1, 2), (4, 2)),
    "i...->i": ("ixy->i", (3, 4, 2)),
    "...i->...": ("xyi->xy", (3, 4, 2)),
    "...i->i...": ("xyi->ixy", (3, 4, 2)),
    "a...,b...->ab...": ("ax,bx->abx", (2, 3), (4, 1)),
    "i...i->...": ("ixyi->xy", (2, 3, 4, 2)),
    "...ii->...i": ("xii->xi", (3, 2, 2)),
    "b...c->c...b": ("bc->cb", (2, 3)),
    " a ... , ... -> ... a ": ("az,xyz->xyza", (2, 3), (4, 1, 3)),
}


@pytest.mark.parametrize("equation", DOTS)
def test_dots_stand_for_dimensions_that_broadcast(equation):
    named, *shapes = DOTS[equation]
    operands = [numbers(i, shape) for i, shape in enumerate(shapes)]
    expected = written_out(named, *operands)
    found = einsum(equation, *map(tensor, operands))
    assert found.shape == expected.shape
    assert_allclose(found.numpy(), expected, rtol=1e-12)
    gradcheck(lambda *xs: einsum(equation, *xs) ** 2, *operands, order=2, probes=1)


@settings(max_examples=60)
@given(equations())
def test_numbers_may_name_the_dimensions(drawn):
    """The same equation in both forms, with and without the result's names."""
    equation, operands = drawn
    number = {c: i for i, c in enumerate(string.ascii_uppercase + string.ascii_lowercase)}
    left, arrow, out = equation.partition("->")
    arguments = []
    for one, x in zip(left.split(","), operands, strict=True):
        arguments += [minigan.from_numpy(x), [number[c] for c in one]]
    if arrow:
        arguments.append(tuple(number[c] for c in out))
    expected = written_out(equation, *operands)
    found = einsum(*arguments)
    assert found.shape == expected.shape
    assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_numbers_and_dots():
    x, y = numbers(0, (4, 2, 3)), numbers(1, (3, 5))
    found = einsum(tensor(x), [..., 7], tensor(y), range(7, 9), [8, ...])
    assert_allclose(found.numpy(), np.einsum("abi,ij->jab", x, y), rtol=1e-12)
    assert einsum(tensor(y), [51, 50], tensor(y), [np.int64(51), 0], [0, 50]).shape == (5, 5)
    assert einsum(tensor(y), [30, 2]).shape == (5, 3)  # in the order of the numbers
    gradcheck(lambda a, b: einsum(a, [..., 1], b, [1, 0], [0, ...]) ** 2, x, y, order=3, probes=1)


def test_operands_may_come_as_a_list_and_one_tensor_may_come_twice():
    x = tensor(numbers(0, (3, 4)))
    assert_array_equal(einsum("ij,kj", [x, x]).numpy(), einsum("ij,kj->ik", x, x).numpy())
    gradcheck(lambda x: einsum("ij,ij,ij->i", x, x, x), x, order=3, probes=1)


def test_every_letter_can_be_used_and_none_is_left_for_dots():
    x = minigan.ones(*(1,) * 10)
    names = string.ascii_letters[:10]
    assert einsum(f"{names}->{names[::-1]}", x).shape == (1,) * 10
    with pytest.raises(RuntimeError, match="has too many dimensions for the letters there are"):
        einsum(",".join(string.ascii_letters) + ",...", *[minigan.ones(1)] * 52, x)


def test_dtypes():
    """Floats stay; integers are summed in int64 by einsum of one operand, as by sum."""
    x = tensor(in_layout(numbers(0, (2, 3), dtype=np.float32), "strided"), requires_grad=True)
    for y in (einsum("ij,kj", x, x), einsum("ij->j", x), mm(x, x.t()), outer(x[0], x[1])):
        assert y.dtype == grad(y.sum(), x)[0].dtype == np.float32
    n = tensor(np.full((2, 200), 1, "uint8"))
    assert (
        einsum("ij->i", n).tolist() == [200, 200] and einsum("ij->i", n * 2).tolist() == [400] * 2
    )
    assert einsum("ij->i", n > 0).dtype == np.int64
    assert mm(n, n.t()).dtype == np.uint8 and einsum("ij,kj", n.long(), n).dtype == np.int64
    assert einsum("ij,ij->i", n, x.detach()[:, :1]).dtype == np.float32


def test_a_gradient_reads_the_other_operands_only():
    a, b = minigan.ones(2, 3, requires_grad=True), minigan.ones(3, 2)
    saved = einsum("ij,jk->ik", a, b).node.saved
    assert [isinstance(s, minigan.Tensor) for s in saved] == [False, True]


# ------------------------------------------------------------------------------ named products


@settings(max_examples=8)
@given(st.tuples(*[st.integers(0, 3)] * 4), st.data())
def test_mm_bmm_outer_dot_and_addmm_are_sums_of_products(sizes, data):
    b, n, k, m = sizes
    x, y = data.draw(arrays(shape=(b, n, k))), data.draw(arrays(shape=(b, k, m)))
    close = {"rtol": 1e-12, "atol": 1e-12}
    assert_allclose(bmm(tensor(x), tensor(y)).numpy(), written_out("bnk,bkm->bnm", x, y), **close)
    gradcheck(bmm, x, y, order=2, probes=1)
    x, y = numbers(1, (n, k)), numbers(2, (k, m))
    xy = written_out("nk,km->nm", x, y)
    assert_allclose(mm(tensor(x), tensor(y)).numpy(), xy, **close)
    for shape in ((), (m,), (1, m), (n, 1), (n, m)):
        a = numbers(3, shape)
        found = addmm(tensor(a), tensor(x), tensor(y), beta=2, alpha=0.5)
        assert_allclose(found.numpy(), 2 * a + 0.5 * xy, **close)
        gradcheck(lambda a, x, y: addmm(a, x, y, beta=2, alpha=0.5), a, x, y, order=2, probes=1)
    u, v, w = numbers(4, n), numbers(5, m), numbers(6, n)
    assert_allclose(outer(tensor(u), tensor(v)).numpy(), written_out("n,m->nm", u, v), **close)
    assert_allclose(dot(tensor(u), tensor(w)).numpy(), written_out("n,n->", u, w), **close)
    gradcheck(outer, u, v, order=2, probes=1)
    gradcheck(dot, u, w, order=2, probes=1)


def test_addmm_with_beta_zero_does_not_read_its_input():
    found = addmm(tensor(np.nan), minigan.ones(2, 3), minigan.ones(3, 2), beta=0)
    assert found.tolist() == [[3, 3], [3, 3]]


V, M, B = minigan.ones(3), minigan.ones(2, 3), minigan.ones(4, 2, 3)
ERRORS = [
    (lambda: einsum("i"), ValueError, "einsum: expected an equation and at least one operand"),
    (lambda: einsum("ij,j", M), RuntimeError, 'einsum: "ij,j" names 2 operands, 1 were given'),
    (lambda: einsum("ijk->i", M), RuntimeError, 'names 3 dimensions by "ijk", the operand has 2'),
    (lambda: einsum("i->i", M), RuntimeError, 'names 1 dimensions by "i", the operand has 2'),
    (
        lambda: einsum("...ijk", M),
        RuntimeError,
        r'names 3 dimensions by "...ijk", the operand has 2',
    ),
    (lambda: einsum("ij,jk->ik", M, M), RuntimeError, "label j has lengths 3 and 2"),
    (lambda: einsum("ii->i", M), RuntimeError, 'einsum: "ii->i": label i has lengths 2 and 3'),
    (lambda: einsum("ij->ii", M), RuntimeError, "names a dimension of the result twice"),
    (lambda: einsum("ij->k", M), RuntimeError, "names a dimension of the result that no operand"),
    (lambda: einsum("i1->i", M), RuntimeError, 'einsum: "i1->i" is no equation'),
    (lambda: einsum("i..->i", M), RuntimeError, "is no equation"),
    (lambda: einsum("...i...->i", M), RuntimeError, "is no equation"),
    (lambda: einsum("ij->i->j", M), RuntimeError, "is no equation"),
    (lambda: einsum(M), ValueError, "einsum: expected an equation and at least one operand"),
    (lambda: einsum(M, [0, 52]), ValueError, "einsum: expected labels from 0 to 51, got 52"),
    (lambda: einsum(M, [-1, 0]), ValueError, "einsum: expected labels from 0 to 51, got -1"),
    (
        lambda: einsum(M, ["a", 0]),
        TypeError,
        "einsum: expected integers and ... as labels, got",
    ),
    (lambda: einsum(M, [0.0, 1]), TypeError, "einsum: expected integers and ... as labels, got 0"),
    (lambda: einsum(M, "ab"), TypeError, "einsum: expected a list of integers as labels, got 'ab'"),
    (lambda: einsum(M, M), TypeError, "einsum: expected a list of integers as labels, got"),
    (lambda: einsum(M, [0]), RuntimeError, 'names 1 dimensions by "A", the operand has 2'),
    (lambda: einsum(M, [0, 1], [2]), RuntimeError, "names a dimension of the result that no oper"),
    (lambda: einsum("ij", [[1.0]]), TypeError, "einsum: expected a Tensor, got list"),
    (lambda: mm(M, M), RuntimeError, r"mm: shapes \(2, 3\) and \(2, 3\) cannot be multiplied"),
    (lambda: mm(M, V), RuntimeError, r"mm: expected two matrices, got shapes \(2, 3\) and \(3,\)"),
    (lambda: bmm(B, B), RuntimeError, r"bmm: shapes \(4, 2, 3\) and \(4, 2, 3\) cannot be"),
    (lambda: bmm(B[:1], B.transpose(1, 2)), RuntimeError, "bmm: shapes .* cannot be multiplied"),
    (lambda: bmm(M, B), RuntimeError, "bmm: expected two batches of matrices"),
    (
        lambda: addmm(V, M, M.t()),
        RuntimeError,
        r"addmm: input of shape \(3,\) does not broadcast to",
    ),
    (lambda: addmm(B, M, M.t()), RuntimeError, "addmm: input of shape"),
    (lambda: outer(M, V), RuntimeError, "outer: expected two vectors"),
    (lambda: dot(V, V[:2]), RuntimeError, "dot: lengths 3 and 2 differ"),
    (lambda: dot(V, 2.0), TypeError, "dot: expected a Tensor, got float"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
