"""Transforms that a call leaves for its gradients: nothing changes but how often they are made."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import seeds

import minigan
from minigan.conv import Geometry, Kept, algorithm, cpu, dense, kept
from minigan.conv.kept import NOTHING
from minigan.conv.tiles import Plan
from minigan.ops.conv import Fprop

GEOMETRIES = [
    Geometry(8, 8, 4, 4, (2, 2), (1, 1, 1, 1)),
    Geometry(9, 7, 4, 4, (2, 2), (2, 1, 0, 1)),
    Geometry(6, 5, 3, 3, (1, 1), (1, 1, 1, 1)),
]
WINOGRAD = pytest.mark.parametrize("name", ["winograd", "dense"])


def operands(g, seed, n=5, c=3, k=4, dtype=np.float32):
    rng = np.random.default_rng(seed)
    shapes = (n, c, g.H, g.W), (k, c, g.R, g.S), (n, k, g.P, g.Q)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def transforms_of(monkeypatch):
    """The names of the transforms that are made from now on."""
    made = []
    for place, names in (
        (Plan, ("filters", "input", "output_back")),
        (dense, ("filters", "_inputs", "_outputs_back")),
    ):
        for name, said in zip(names, ("filters", "input", "output_back"), strict=True):
            plain = getattr(place, name)

            def noted(*arrays, said=said, plain=plain):
                made.append(said)
                return plain(*arrays)

            monkeypatch.setattr(place, name, noted)
    return made


@WINOGRAD
@settings(max_examples=30)
@given(data=st.data(), seed=seeds)
def test_the_bits_are_those_of_calls_that_share_nothing(name, data, seed):
    g = data.draw(st.sampled_from(GEOMETRIES))
    n = data.draw(st.sampled_from([0, 1, 5]))
    x, w, y = operands(g, seed, n, dtype=data.draw(st.sampled_from([np.float32, np.float64])))
    with algorithm(name):
        alone = cpu.fprop(g, x, w), cpu.dgrad(g, y, w), cpu.wgrad(g, x, y)
        first = Kept("w")
        for roles in ("w", "wx", "wy", "wxy"):
            shared = Kept(roles, first)
            found = (
                cpu.fprop(g, x, w, None, shared),
                cpu.dgrad(g, y, w, None, shared),
                cpu.wgrad(g, x, y, shared),
            )
            for got, expected in zip(found, alone, strict=True):
                assert_array_equal(got, expected)


@WINOGRAD
def test_each_transform_is_made_once(name, monkeypatch):
    made = transforms_of(monkeypatch)
    g, shared = GEOMETRIES[0], Kept("wxy")
    x, w, y = operands(g, 0, n=1)
    with algorithm(name):
        cpu.fprop(g, x, w, None, shared)
        cpu.dgrad(g, y, w, None, shared)
        cpu.wgrad(g, x, y, shared)
    assert sorted(made) == ["filters", "input", "output_back"]


@WINOGRAD
def test_what_was_made_of_other_arrays_does_not_serve(name):
    g, shared = GEOMETRIES[0], Kept("wxy")
    first, second = operands(g, 0), operands(g, 1)
    with algorithm(name):
        for x, w, y in (first, second, first):
            assert_array_equal(cpu.fprop(g, x, w, None, shared), cpu.fprop(g, x, w))
            assert_array_equal(cpu.dgrad(g, y, w, None, shared), cpu.dgrad(g, y, w))
            assert_array_equal(cpu.wgrad(g, x, y, shared), cpu.wgrad(g, x, y))
        x, y = second[0], second[2]  # while those of the first are held
        assert_array_equal(cpu.wgrad(g, x, y, shared), cpu.wgrad(g, x, y))


def test_large_transforms_are_not_held(monkeypatch):
    g, shared = GEOMETRIES[0], Kept("wxy")
    x, w, _ = operands(g, 0)
    with algorithm("winograd"):
        monkeypatch.setattr(kept, "MOST_OF_FILTERS", 100)
        cpu.fprop(g, x, w, None, shared)
        assert list(shared.held) == [("x", 2)]
        monkeypatch.setattr(kept, "MOST", 100)
        shared = Kept("wxy")
        cpu.fprop(g, x, w, None, shared)
        assert not shared.held


def test_nothing_is_held_for_a_wgrad_by_another_algorithm(monkeypatch):
    plain = cpu.choose

    def choose(routine, *sizes):
        return "im2col" if routine == "wgrad" else plain(routine, *sizes)

    monkeypatch.setattr(cpu, "choose", choose)
    g, shared = GEOMETRIES[0], Kept("wy")
    x, w, y = operands(g, 0)
    with algorithm("winograd"):
        cpu.dgrad(g, y, w, None, shared)
        assert list(shared.held) == [("w", 2)]
        found = cpu.wgrad(g, x, y, shared)
    assert_array_equal(found, cpu.ALGORITHMS["im2col"].wgrad(g, x, y))


# ------------------------------------------------------------------------------ on the tape


def leaves(g, seed):
    return [minigan.tensor(a, requires_grad=True) for a in operands(g, seed, n=1)[:2]]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("most", [kept.MOST_FOR_LATER, 100])
def test_a_pass_forward_and_back_makes_each_transform_once(transposed, most, monkeypatch):
    """Of images and outputs two are made: of what goes in and of the gradient.

    What goes in is transformed again for wgrad where its transform is too large to wait for that.
    """
    monkeypatch.setattr(kept, "MOST_FOR_LATER", most)
    g = GEOMETRIES[0]
    x, w = leaves(g, 0)
    if transposed:
        x = minigan.tensor(operands(g, 0, n=1)[2], requires_grad=True)
    run = minigan.conv_transpose2d if transposed else minigan.conv2d
    made = transforms_of(monkeypatch)
    with algorithm("winograd"):
        y = run(x, w, None, 2, 1)
        function = y.node.function
        held = [role for role, _ in function.kept.held]
        assert held == ["w"] + ["y" if transposed else "x"] * (most > 100)
        y.sum().backward()
    assert function.kept is NOTHING
    forward, back = ("output_back", "input") if transposed else ("input", "output_back")
    again = [forward] * (most == 100)
    assert sorted(made) == sorted(["filters", forward, *again, back])


def test_no_image_is_kept_alive_where_saved_tensors_are_put_away():
    x, w = leaves(GEOMETRIES[0], 0)
    hooks = minigan.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), minigan.from_numpy)
    with algorithm("winograd"), hooks:
        y = minigan.conv2d(x, w, None, 2, 1)
    assert [role for role, _ in y.node.function.kept.held] == ["w"]


def test_nothing_is_kept_where_no_gradient_is_wanted():
    x, w = leaves(GEOMETRIES[0], 0)
    with algorithm("winograd"), minigan.no_grad():
        function = Fprop(GEOMETRIES[0])
        function(x, w)
    assert function.kept is NOTHING


def test_a_graph_that_is_kept_gives_the_same_gradients_again():
    g = GEOMETRIES[0]
    x, w = leaves(g, 0)
    with algorithm("winograd"):
        y = (minigan.conv2d(x, w, None, 2, 1) ** 2).sum()
        first = minigan.grad(y, (x, w), retain_graph=True)
        second = minigan.grad(y, (x, w))
    for a, b in zip(first, second, strict=True):
        assert_array_equal(a.numpy(), b.numpy())


def test_a_weight_gradient_that_lives_on_holds_no_transform():
    x, w = leaves(GEOMETRIES[0], 0)
    with algorithm("winograd"):
        y = minigan.conv2d(x, w, None, 2, 1)
        gx, gw = minigan.grad((y * y).sum(), (x, w), create_graph=True)
        ((gx * gx).sum() + (gw * gw).sum()).backward()
    for held in (gx, gw):
        assert held.node.function.kept is NOTHING and held.node.function.common is NOTHING


def test_one_function_called_twice_keeps_its_calls_apart():
    g = GEOMETRIES[0]
    (x, w), (_, other) = leaves(g, 0), leaves(g, 1)
    with algorithm("winograd"):
        function = Fprop(g)
        function(x, w).sum().backward(retain_graph=True)
        loss = function(x, w).sum() + function(x, other).sum()
        found = minigan.grad(loss, (x, w, other))
        apart = [minigan.grad(Fprop(g)(x, each).sum(), (x, each)) for each in (w, other)]
    assert_array_equal(found[0].numpy(), (apart[1][0] + apart[0][0]).numpy())
    assert_array_equal(found[1].numpy(), apart[0][1].numpy())
    assert_array_equal(found[2].numpy(), apart[1][1].numpy())


def test_changed_filters_are_transformed_again():
    """They lie in the same memory as before, in a step after another or in one function's calls."""
    g = GEOMETRIES[0]
    x, w = leaves(g, 0)
    with algorithm("winograd"):
        function = Fprop(g)
        first = function(x, w)
        first.sum().backward()
        gradient = x.grad.clone()
        with minigan.no_grad():
            w.mul_(2.0)
        again = function(x, w)
        assert_array_equal(again.detach().numpy(), 2 * first.detach().numpy())
        again.sum().backward()
        assert_array_equal(x.grad.numpy(), (3 * gradient).numpy())
