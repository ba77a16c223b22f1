"""Einstein summation and the products it names."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import fused
from .._autocast import rounds
from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor, operands
from .arrange import diagonal
from .linalg import matmul


class Einsum(Function):
    """y[out] = Σ Π operands, each label in two of them at least or in one and in ``out``.

    The gradient of operand i is the einsum of g with all other operands, onto i's labels.
    ``low``: factors are rounded to BF16, the gradients' too; None: if autocast says so.
    """

    coarse = True  # its factors are rounded anyway

    def __init__(self, labels: tuple[str, ...], out: str, low: bool | None = None):
        self.labels, self.out, self.low = labels, out, low
        count = len(labels)
        self.reads = tuple(tuple(j for j in range(count) if j != i) for i in range(count))

    def forward(self, *arrays):
        if self.low is None:
            self.low = len(arrays) > 1 and rounds(arrays[0])
        if self.low:
            arrays = tuple(map(fused.rounded, arrays))
        formula = f"{','.join(self.labels)}->{self.out}"
        return array_module(arrays[0]).einsum(formula, *arrays, optimize=True)

    def vjp(self, needs, g, y, *inputs):
        gradients = []
        for i, need in enumerate(needs):
            others = [j for j in range(len(inputs)) if j != i]
            labels = (self.out, *[self.labels[j] for j in others])
            product = Einsum(labels, self.labels[i], self.low)
            gradients.append(product(g, *[inputs[j] for j in others]) if need else None)
        return tuple(gradients)


def einsum(equation: Any, *tensors: Any) -> Tensor:
    """Sums of products named by labels, as ``numpy.einsum`` and ``torch.einsum``.

    Every operand's dimensions have letters; letters that the result does not name are summed over
    (without ``->`` it names those that occur once, in alphabetical order, capitals first); ``...``
    stands for dimensions that broadcast; a letter twice in one operand is its diagonal.

    Instead of an equation, numbers from 0 to 51 may name the dimensions (and ``...`` those that
    broadcast): ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` with the result's last, or without.

    Raises:
        ValueError: no operand, or a number that is no label.
        TypeError: an operand that is no Tensor, a label that is no integer.
        RuntimeError: a malformed equation, or one that does not fit the operands' shapes.

    >>> import minigan
    >>> a, b = minigan.ones(2, 3), minigan.ones(4, 3)
    >>> einsum("ik,jk->ij", a, b).shape, einsum(a, [0, 2], b, [1, 2], [0, 1]).shape
    ((2, 4), (2, 4))
    """
    if not isinstance(equation, str):
        equation, tensors = _equation(equation, *tensors)
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if not tensors:
        raise ValueError("einsum: expected an equation and at least one operand")
    values = operands("einsum", *[as_tensor("einsum", t) for t in tensors])
    labels, out = _parse(equation, [v.ndim for v in values])
    sizes: dict[str, int] = {}
    for k, one in enumerate(labels):
        labels[k], values[k] = _without_repeats(equation, one, values[k])
        for c, n in zip(labels[k], values[k].shape, strict=True):
            if sizes.setdefault(c, n) != n and 1 not in (n, sizes[c]):
                raise RuntimeError(
                    f'einsum: "{equation}": label {c} has lengths {sizes[c]} and {n}'
                )
            sizes[c] = n if sizes[c] == 1 else sizes[c]
    for k, one in enumerate(labels):
        values[k] = values[k].expand([sizes[c] for c in one])  # dimensions of length 1 broadcast
        elsewhere = out + "".join(labels[:k] + labels[k + 1 :])
        lone = tuple(d for d, c in enumerate(one) if c not in elsewhere)
        if lone:
            values[k] = values[k].sum(lone)
            labels[k] = "".join(c for c in one if c in elsewhere)
    if len(values) == 1:
        return values[0].permute(*[labels[0].index(c) for c in out])
    return Einsum(tuple(labels), out)(*values)


def _equation(*arguments: Any) -> tuple[str, tuple]:
    """The equation and the operands of the form in which numbers name the dimensions."""
    labels = arguments[1::2]
    operands = arguments[::2][: len(labels)]
    equation = ",".join(map(_letters, labels))
    if operands and len(arguments) % 2:
        equation += f"->{_letters(arguments[-1])}"
    return equation, operands


def _letters(labels: Any) -> str:
    """Numbers as letters: 0 is A, 25 is Z, 26 is a, 51 is z."""
    if not isinstance(labels, Sequence) or isinstance(labels, str):
        raise TypeError(f"einsum: expected a list of integers as labels, got {labels!r}")
    letters = ""
    for label in labels:
        if label is Ellipsis:
            letters += "..."
        elif not isinstance(label, (int, np.integer)):
            raise TypeError(f"einsum: expected integers and ... as labels, got {label!r}")
        elif not 0 <= label < len(_NUMBERED):
            raise ValueError(f"einsum: expected labels from 0 to 51, got {label}")
        else:
            letters += _NUMBERED[label]
    return letters


_NUMBERED = string.ascii_uppercase + string.ascii_lowercase


def _parse(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """Every operand's labels and the result's, with letters in place of the dots."""

    def require(condition: Any, what: str) -> None:
        if not condition:
            raise RuntimeError(f'einsum: "{equation}" {what}')

    left, arrow, out = equation.replace(" ", "").partition("->")
    labels = left.split(",")
    for one in [*labels, out]:
        letters = one.replace("...", "", 1)
        require(not letters or (letters.isascii() and letters.isalpha()), "is no equation")
    require(len(labels) == len(ranks), f"names {len(labels)} operands, {len(ranks)} were given")
    dotted = []  # how many dimensions the dots of every operand stand for
    for one, rank in zip(labels, ranks, strict=True):
        named = len(one.replace("...", ""))
        fits = rank >= named if "..." in one else rank == named
        require(fits, f'names {named} dimensions by "{one}", the operand has {rank}')
        dotted.append(rank - named)
    spare = [c for c in string.ascii_letters if c not in equation][: max(dotted)]
    require(len(spare) == max(dotted), "has too many dimensions for the letters there are")
    labels = [
        one.replace("...", "".join(spare[len(spare) - n :]))
        for one, n in zip(labels, dotted, strict=True)
    ]
    every = "".join(labels)
    if not arrow:
        out = "..." + "".join(sorted(c for c in set(every) - set(spare) if every.count(c) == 1))
    out = out.replace("...", "".join(spare))
    require(len(set(out)) == len(out), "names a dimension of the result twice")
    require(set(out) <= set(every), "names a dimension of the result that no operand has")
    return labels, out


def _without_repeats(equation: str, labels: str, x: Tensor) -> tuple[str, Tensor]:
    """Labels that occur twice mean a diagonal: take it."""
    for c in labels:
        while labels.count(c) > 1:
            a = labels.index(c)
            b = labels.index(c, a + 1)
            if x.shape[a] != x.shape[b]:
                raise RuntimeError(
                    f'einsum: "{equation}": label {c} has lengths {x.shape[a]} and {x.shape[b]}'
                )
            x = diagonal(x, 0, a, b)
            labels = labels[:a] + labels[a + 1 : b] + labels[b + 1 :] + c
    return labels, x


def _ranks(name: str, rank: int, a: Tensor, b: Tensor) -> None:
    as_tensor(name, a), as_tensor(name, b)
    if a.ndim != rank or b.ndim != rank:
        kind = {1: "vectors", 2: "matrices", 3: "batches of matrices"}[rank]
        raise RuntimeError(f"{name}: expected two {kind}, got shapes {a.shape} and {b.shape}")


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices (n, k) and (k, m); nothing broadcasts."""
    _ranks("mm", 2, input, mat2)
    return _product("mm", input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices (B, n, k) and (B, k, m); nothing broadcasts."""
    _ranks("bmm", 3, input, mat2)
    return _product("bmm", input, mat2)


def _product(name: str, a: Tensor, b: Tensor) -> Tensor:
    if a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"{name}: shapes {a.shape} and {b.shape} cannot be multiplied")
    return matmul(a, b)


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """β·input + α·mat1·mat2; input broadcasts to the product's shape, with β = 0 it is not read.

    >>> import minigan
    >>> addmm(minigan.ones(2), minigan.ones(2, 3), minigan.ones(3, 2), alpha=2)
    tensor([[7., 7.],
            [7., 7.]], dtype=float32)
    """
    as_tensor("addmm", input)
    _ranks("addmm", 2, mat1, mat2)
    product = _product("addmm", mat1, mat2)
    lengths = zip(input.shape[::-1], product.shape[::-1], strict=False)
    if input.ndim > 2 or any(n not in (1, m) for n, m in lengths):
        raise RuntimeError(
            f"addmm: input of shape {input.shape} does not broadcast to {product.shape}"
        )
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else product + (input if beta == 1 else input * beta)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The matrix of all products of two vectors' entries.

    >>> import minigan
    >>> outer(minigan.arange(3), minigan.arange(2))
    tensor([[0, 0],
            [0, 1],
            [0, 2]])
    """
    _ranks("outer", 1, input, vec2)
    return input.unsqueeze(1) * vec2.unsqueeze(0)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors of one length."""
    _ranks("dot", 1, input, tensor)
    if input.shape != tensor.shape:
        raise RuntimeError(f"dot: lengths {input.numel()} and {tensor.numel()} differ")
    return matmul(input, tensor)
