"""detect_nan: planted NaNs are reported with operation, inputs and the line that made them."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import minigan
from minigan import Function, Tensor, debug, grad, nn, tensor


def leaf(value, dtype="float32"):
    return tensor(value, dtype=dtype, requires_grad=True)


def line_of(mark):
    """The number of the line in this file that ends in ``# mark``."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith("# " + mark)]
    return number


def message(run, **settings):
    with pytest.raises(FloatingPointError) as caught, debug.detect_nan(**settings):
        run()
    return str(caught.value)


def test_a_forward_nan_names_the_operation_its_inputs_and_the_users_line():
    def run():
        x = tensor([[4.0, -1.0, 9.0]])
        y = x + 0.0
        return y.sqrt().sum()  # planted forward

    text = message(run)
    first, where, *rest = text.splitlines()
    assert first == "detect_nan: Sqrt gave 1 NaN of 3 values"
    assert where == f"  at {__file__}:{line_of('planted forward')}: " + (
        "return y.sqrt().sum()  # planted forward"
    )
    assert rest == [
        "  result   (1, 3) float32, in [2, 3], 1 NaN, 0 inf",
        "  input 0  (1, 3) float32, in [-1, 9], 0 NaN, 0 inf",
    ]


def test_inside_a_layer_the_line_is_the_users_not_the_packages():
    layer = nn.Linear(2, 2)
    layer.weight.data = tensor([[np.float32(3e38)] * 2] * 2)

    def run():
        layer(minigan.ones(1, 2) * 10)  # planted overflow

    text = message(run)
    assert text.startswith("detect_nan: MatMul gave 2 inf of 2 values")
    assert f"{__file__}:{line_of('planted overflow')}: layer(" in text


def test_a_decorated_function_of_the_package_is_not_the_user():
    """no_grad() as a decorator puts a frame of the standard library in between."""
    source = "@minigan.no_grad()\ndef inner(x):\n    return x.log()\n"
    scope = {"minigan": minigan}
    exec(compile(source, str(Path(minigan.__file__).parent / "planted.py"), "exec"), scope)

    def run():
        scope["inner"](tensor([-1.0]))  # planted decorated

    assert f"  at {__file__}:{line_of('planted decorated')}: " in message(run)


def test_a_backward_nan_names_the_forward_line_too():
    """√0 has the gradient 0·inf: 0/(2·0)."""

    def run():
        x = leaf([1.0, 0.0])
        y = x.sqrt()  # planted root
        loss = (y * 0.0).sum()
        loss.backward()  # planted backward

    text = message(run)
    lines = text.splitlines()
    assert lines[0] == "detect_nan: Div gave 1 NaN of 2 values"
    assert lines[1].startswith(f"  at {__file__}:{line_of('planted backward')}: loss.backward()")
    assert lines[2] == (
        f"  in the backward pass, in the gradient of Sqrt, made at {__file__}:"
        f"{line_of('planted root')}: y = x.sqrt()  # planted root"
    )
    assert lines[-1] == "  input 1  (2,) float32, in [0, 2], 0 NaN, 0 inf"


def test_a_nan_in_the_backward_of_a_backward_shows_the_chain():
    """x^1.5 at 0: the first derivative is 0, the second 0.75/√0 = inf."""

    def run():
        x = leaf([0.0, 1.0])
        y = (x**1.5).sum()  # planted power
        (g,) = grad(y, x, create_graph=True)  # planted first
        g.sum().backward()  # planted second

    lines = message(run).splitlines()
    assert re.fullmatch(r"detect_nan: \w+ gave 1 inf of 2 values", lines[0])
    assert f":{line_of('planted second')}: " in lines[1]
    assert lines[2].startswith("  in the backward pass of order 2, in the gradient of PowNumber")
    assert f":{line_of('planted first')}: " in lines[2]
    assert lines[3].startswith("  in the backward pass, in the gradient of PowNumber, made at")
    assert f":{line_of('planted power')}: " in lines[3]


def test_a_forward_before_the_block_is_said_to_be_so():
    y = (leaf([0.0]).sqrt() * 0.0).sum()
    assert "in the gradient of Sqrt, made outside the block" in message(y.backward)


def test_a_rule_on_arrays_is_checked_as_a_whole():
    class Careless(Function):
        def forward(self, x):
            return x * 1

        def vjp(self, needs, g, y, x):
            return (Tensor(g.array / x.array),)

    x = leaf([1.0, 0.0])
    text = message(lambda: Careless()(x).sum().backward())
    assert text.startswith("detect_nan: the gradient rule of Careless gave 1 inf of 2 values")
    assert "  g        (2,) float32, in [1, 1], 0 NaN, 0 inf" in text
    assert "  input 0  (2,) float32, in [0, 1], 0 NaN, 0 inf" in text


def test_a_nan_that_came_in_from_outside_is_reported_as_such():
    x = tensor([np.nan, 1.0])
    text = message(lambda: x + 1)
    assert text.startswith("detect_nan: Add gave 1 NaN of 2 values")
    assert text.endswith("An input held NaN already: it came in from outside the block.")


def test_an_inf_that_an_input_held_is_no_error_and_new_ones_need_not_be():
    mask = tensor([0.0, -np.inf])
    with debug.detect_nan():
        scores = (tensor([1.0, 2.0]) + mask).softmax(0)
    assert scores.tolist() == [1.0, 0.0]
    zero = tensor([0.0])
    assert "Log gave 1 inf of 1 values" in message(lambda: zero.log())
    with debug.detect_nan(inf=False):
        assert zero.log().item() == -np.inf
    assert "Sub gave 1 NaN" in message(lambda: zero.log() - zero.log(), inf=False)


def test_finite_programs_pass_and_give_the_same():
    def run():
        x = leaf(np.linspace(-2, 2, 6).reshape(2, 3), "float64")
        y = (x.tanh() * x.exp()).sum()
        (g,) = grad(y, x, create_graph=True)
        (g * g).sum().backward()
        return x.grad.numpy()

    expected = run()
    with debug.detect_nan():
        found = run()
    assert np.array_equal(found, expected)


def test_integers_and_empty_tensors_pass():
    with debug.detect_nan():
        assert (tensor([1, 2]) + 1).sum().item() == 5
        assert (minigan.zeros(0) * 2).sum().item() == 0


def test_it_ends_with_the_block_also_after_an_error():
    message(lambda: tensor([-1.0]).log())
    with np.errstate(all="ignore"):
        assert np.isnan(tensor([-1.0]).log().item())


def test_as_a_decorator():
    @debug.detect_nan()
    def run(value):
        return tensor([value]).log()

    assert run(1.0).item() == 0
    with pytest.raises(FloatingPointError):
        run(-1.0)
    assert inspect.isfunction(run)
