"""register_hook and retain_grad: which gradients they see, change and keep."""

import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigan import Tensor, backward, grad, tensor
from minigan.autograd import at_the_end


def leaf(value):
    return tensor(value, dtype="float64", requires_grad=True)


def test_a_hook_sees_the_whole_gradient_once():
    """y is used twice: dz/dy = 2·y + 1 comes in one piece."""
    x, seen = leaf(3.0), []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    (y * y + y).backward()
    assert seen == [13.0] and x.grad.item() == 26


def test_a_replacement_goes_on_down():
    x = leaf([1.0, 2.0])
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert_array_equal(x.grad.numpy(), [30, 30])


def test_hooks_of_leaves_act_before_accumulation():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: -g)
    for _ in range(2):
        (x * x).sum().backward()
    assert_array_equal(x.grad.numpy(), [-4, -8])


def test_hooks_run_in_order_and_can_be_removed():
    x = leaf(1.0)
    first = x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: g * 10)
    assert grad(x * 1, x)[0].item() == 20
    first.remove()
    first.remove()
    assert grad(x * 1, x)[0].item() == 10


def test_a_hook_may_remove_itself_during_the_pass():
    x, seen = leaf(1.0), []
    handle = x.register_hook(lambda g: (seen.append(g.item()), handle.remove())[0])
    (x * 2).backward()
    (x * 2).backward()
    assert seen == [2.0]


def test_outputs_and_inputs_of_grad_have_their_hooks_run():
    x = leaf(1.0)
    y = x * 2
    z = y * 3
    z.register_hook(lambda g: g * 7)
    y.register_hook(lambda g: g * 5)
    assert grad(z, y, retain_graph=True)[0].item() == 3 * 7 * 5
    assert grad(z, x)[0].item() == 2 * 3 * 7 * 5


def test_a_leaf_s_hook_runs_as_soon_as_its_gradient_is_complete():
    """a is read last by the first product: after b, and before what comes below is worked on."""
    x, a, b = leaf(2.0), leaf(3.0), leaf(5.0)
    order = []
    y = x * 1
    z = y * a
    for name, t in {"x": x, "a": a, "b": b, "y": y}.items():
        t.register_hook(lambda g, name=name: order.append((name, g.item())))
    (z * b * a).backward()  # x·a·b·a
    assert order == [("b", 18.0), ("a", 60.0), ("y", 45.0), ("x", 45.0)]
    assert (x.grad.item(), a.grad.item(), b.grad.item()) == (45, 60, 18)


def test_what_a_hook_wants_done_at_the_end_is_done_before_gradients_are_added():
    """Also of a pass within the pass, whose end comes first; an error drops it."""
    x, inner, said = leaf(1.0), leaf(7.0), []
    within = inner * 2

    def later(g):
        result = tensor(0.0, dtype="float64")

        def finish():
            said.append(("end", x.grad))
            result.array[...] = 10 * g.array

        at_the_end(finish)
        within.backward()
        said.append("in the hook")
        return result

    x.register_hook(later)
    inner.register_hook(lambda g: at_the_end(lambda: said.append("end of the inner pass")))
    (x * 3).backward()
    assert said == ["end of the inner pass", "in the hook", ("end", None)]
    assert x.grad.item() == 30 and inner.grad.item() == 2
    y = x * 1
    y.register_hook(lambda g: 1 / 0)
    z = x * 2
    said.clear()
    with pytest.raises(ZeroDivisionError):
        (y + z).backward()
    (inner * 2).backward()
    assert said == ["end of the inner pass"]


def test_hooks_off_the_way_to_the_inputs_do_not_run():
    a, b = leaf(1.0), leaf(2.0)
    b.register_hook(lambda g: pytest.fail("nobody asked for this gradient"))
    assert grad(a * b, a)[0].item() == 2


def test_a_replacement_is_differentiable():
    """ĝ = g² with g = 3x²: d/dx 9x⁴ = 36x³."""
    x = leaf(2.0)
    y = x * 1
    handle = y.register_hook(lambda g: g * g)
    (g,) = grad(y**3, x, create_graph=True)
    assert g.item() == 9 * 16
    handle.remove()  # it would act on the second derivative on its way too
    assert grad(g, x)[0].item() == pytest.approx(36 * 8)


def test_without_create_graph_a_hook_records_nothing():
    x, seen = leaf(2.0), []
    x.register_hook(lambda g: seen.append((g * x).requires_grad))
    (x * x).backward()
    (x * x).backward(create_graph=True)
    assert seen == [False, True]


def test_what_a_hook_returns_is_not_shared_with_the_leaf():
    mine = tensor([5.0, 6.0], dtype="float64")
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: mine)
    (x * x).sum().backward()
    x.grad.zero_()
    assert_array_equal(mine.numpy(), [5, 6])


def test_a_replacement_must_fit():
    x = leaf([1.0, 2.0])
    for replacement, error, text in (
        (tensor([1.0, 2.0], dtype="float32"), RuntimeError, r"dtype float64, got .* float32"),
        (tensor([1.0], dtype="float64"), RuntimeError, r"shape \(2,\) .* got shape \(1,\)"),
        (3.0, TypeError, "got float"),
    ):
        handle = x.register_hook(lambda g, replacement=replacement: replacement)
        with pytest.raises(error, match=text):
            (x * x).sum().backward()
        handle.remove()


def test_tensors_without_gradient_take_no_hooks():
    with pytest.raises(RuntimeError, match=r"register_hook: .* does not require grad"):
        tensor(1.0).register_hook(lambda g: g)
    with pytest.raises(RuntimeError, match="retain_grad: this tensor does not require grad"):
        tensor(1.0).retain_grad()
    assert not tensor(1.0).retains_grad


def test_retain_grad_keeps_and_adds_up_like_a_leaf():
    x = leaf([1.0, 2.0])
    y = x * x
    y.retain_grad()
    z = (y * 3).sum()
    assert y.retains_grad and y.grad is None
    backward(z, retain_graph=True)
    assert_array_equal(y.grad.numpy(), [3, 3])
    backward(z)
    assert_array_equal(y.grad.numpy(), [6, 6])
    assert_array_equal(x.grad.numpy(), [12, 24])


def test_retain_grad_changes_nothing_for_leaves():
    x = leaf(1.0)
    x.retain_grad()
    assert not x.retains_grad
    (x * 2).backward()
    assert x.grad.item() == 2


def test_what_is_retained_is_what_the_hooks_leave_in_whatever_order():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 100)
    (y * 3).backward()
    assert y.grad.item() == 300 and x.grad.item() == 600


def test_a_retained_gradient_is_its_own_memory():
    x = leaf([1.0, 2.0])
    y = x + 0
    y.retain_grad()
    seed = tensor([1.0, 1.0], dtype="float64")
    y.backward(seed)
    y.grad.zero_()
    assert_array_equal(seed.numpy(), [1, 1])
    assert_array_equal(x.grad.numpy(), [1, 1])


def test_a_retained_gradient_can_be_differentiated():
    """y = x², z = y³: ∂z/∂y = 3y² = 3x⁴, whose derivative by x is 12x³."""
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    (y**3).backward(create_graph=True)
    assert isinstance(y.grad, Tensor) and y.grad.item() == 48
    assert_allclose(grad(y.grad, x)[0].item(), 12 * 8)
    x.grad = y.grad = None  # they hold the graph, which holds them
