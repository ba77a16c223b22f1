"""profile: calls counted by hand, times that add up, a trace that viewers understand."""

import json
import time

import numpy as np
import pytest

from minigan import Function, debug, grad, tensor


def leaf(value):
    return tensor(value, dtype="float64", requires_grad=True)


def calls(prof):
    return {(row.op, row.level): row.calls for row in prof.rows}


def test_calls_of_a_small_net_by_level():
    """loss = Σ tanh(x·w + b): every operation of every pass counted by hand."""
    x, w, b = tensor(np.ones((4, 3))), leaf(np.ones((3, 2))), leaf(np.ones((4, 2)))
    with debug.profile() as prof:
        loss = ((x @ w) + b).tanh().sum()
    assert calls(prof) == {("MatMul", 0): 1, ("Add", 0): 1, ("Tanh", 0): 1, ("Sum", 0): 1}
    with debug.profile() as prof:
        loss.backward()
    found = calls(prof)
    assert {op for op, _ in found if op.endswith(".vjp")} == {
        "MatMul.vjp",
        "Add.vjp",
        "Tanh.vjp",
        "Sum.vjp",
    }
    assert {level for _, level in found} == {1}
    assert found["MatMul", 1] == 1  # xᵀ·g; x wants no gradient
    assert ("Mul", 1) not in found  # g·(1 - y·y) is computed in one go, unless it is recorded:
    with debug.profile() as prof:
        ((x @ w) + b).tanh().sum().backward(create_graph=True)
    found = calls(prof)
    assert found["Mul", 1] == 2 and found["Sub", 1] == 1


def test_a_gradient_penalty_by_level():
    """f = x·x·w; its gradient is (1·w)·x + (1·w)·x, and the square of that is penalised."""
    x, w = leaf(3.0), leaf(2.0)
    with debug.profile() as prof:
        (g,) = grad(x * x * w, x, create_graph=True)
        (g * g).backward(inputs=[w])
    found = calls(prof)
    assert {op: n for op, n in found.items() if not op[0].endswith(".vjp")} == {
        ("Mul", 0): 3,  # x·x, (x·x)·w, g·g
        ("Mul", 1): 3 + 2,  # the gradient's 1·w and two times ·x; the two halves of that of g·g
        ("Add", 1): 1 + 1,
        ("Mul", 2): 3,  # 2g·x for either term, then ·1
        ("Add", 2): 1,
    }
    assert w.grad.item() == 2 * (2 * 3 * 2) * (2 * 3)  # d(2xw)²/dw


def test_own_times_add_up_to_the_time_inside():
    class Slow(Function):
        def __init__(self, ms):
            self.ms = ms

        def forward(self, x):
            time.sleep(self.ms / 1e3)
            return x * 1

        def vjp(self, needs, g, y, x):
            time.sleep(0.01)
            return (Slow(5)(g),)

    with debug.profile() as prof:
        Slow(20)(leaf(1.0)).backward()
    seconds = {(row.op, row.level): row.seconds for row in prof.rows}
    assert seconds["Slow", 0] >= 0.020 and seconds["Slow", 1] >= 0.005
    # The rule's own time is without the operation inside.
    whole = next(e.duration for e in prof._events if e.op == "Slow.vjp") / 1e9
    assert seconds["Slow.vjp", 1] == pytest.approx(whole - seconds["Slow", 1])
    assert seconds["Slow.vjp", 1] >= 0.010
    assert sum(seconds.values()) <= prof.seconds
    assert [row.seconds for row in prof.rows] == sorted(seconds.values(), reverse=True)


def test_bytes_of_results_and_the_most_alive_at_a_time():
    x = tensor(np.zeros(1000))  # 8000 bytes each
    with debug.profile() as prof:
        y = x + 1
        y = y + 1  # two alive for a moment
        y = y + 1
        z = y.reshape(10, 100)  # a view holds nothing new
        del y, z
    (add,) = [row for row in prof.rows if row.op == "Add"]
    assert add.bytes == 3 * 8000
    assert prof.peak_bytes == 2 * 8000


def test_the_table_is_sorted_and_limited():
    with debug.profile() as prof:
        x = tensor(np.zeros(4))
        (x + 1).exp().tanh()
    text = str(prof)
    assert text == prof.table()
    header, *rows, total = text.splitlines()
    assert header.split() == ["op", "level", "calls", "ms", "%", "MiB"]
    assert [row.split()[0] for row in rows] == [row.op for row in prof.rows]
    assert total.startswith("3 operations in ")
    assert sum(float(row.split()[4]) for row in rows) == pytest.approx(100, abs=0.2)
    limited = prof.table(limit=1).splitlines()
    assert len(limited) == 4 and limited[2] == "… and 2 more rows"


def test_the_trace_nests_operations_in_their_rules(tmp_path):
    x = leaf(np.ones(3))
    with debug.profile() as prof:
        (x * x).tanh().sum().backward()
    path = tmp_path / "trace.json"
    path.write_text("old")
    prof.save_trace(path)
    assert [p.name for p in tmp_path.iterdir()] == ["trace.json"]
    trace = json.loads(path.read_text())
    whole, *events = trace["traceEvents"]
    assert len(events) == sum(row.calls for row in prof.rows)
    for event in trace["traceEvents"]:
        assert event["ph"] == "X" and event["dur"] >= 0 and event["ts"] >= 0
        assert all(isinstance(event[key], int) for key in ("pid", "tid"))
        assert event["ts"] + event["dur"] <= whole["dur"]
    rules = [e for e in events if e["name"].endswith(".vjp")]
    inside = [e for e in events if e["args"]["level"] == 1 and e not in rules]
    assert len(rules) == 3 and len(inside) >= 5
    for e in inside:
        within = [
            r for r in rules if r["ts"] <= e["ts"] and e["ts"] + e["dur"] <= r["ts"] + r["dur"]
        ]
        # A sum of two gradients of one value comes after the rule.
        assert len(within) == 1 or e["name"] == "Add"
    # One after the other or one inside the other, as the format asks.
    spans = sorted((e["ts"], -e["dur"]) for e in events)
    ends = []
    for start, minus in spans:
        while ends and ends[-1] <= start + 1e-9:
            ends.pop()
        assert not ends or start - minus <= ends[-1] + 1e-3
        ends.append(start - minus)


def test_an_error_inside_ends_the_profile():
    prof = debug.profile()
    with pytest.raises(RuntimeError, match="broadcast"), prof:
        tensor([1.0, 2.0]) + tensor([1.0, 2.0, 3.0])
    assert calls(prof) == {("Add", 0): 1}
    tensor([1.0]) + 1
    assert calls(prof) == {("Add", 0): 1}


def test_profiles_nest_and_start_anew():
    x = tensor([1.0])
    outer, inner = debug.profile(), debug.profile()
    with outer:
        x + 1
        with inner:
            x * 2
    assert calls(outer) == {("Add", 0): 1, ("Mul", 0): 1}
    assert calls(inner) == {("Mul", 0): 1}
    with inner:
        pass
    assert calls(inner) == {}
