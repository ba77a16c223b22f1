"""graph: the listing and the DOT of hand-made graphs, of gradients, and of very long ones."""

import re

import numpy as np
import pytest

import minigan
from minigan import debug, grad, nn, tensor


def leaf(value, dtype="float32"):
    return tensor(value, dtype=dtype, requires_grad=True)


def small():
    x, w = leaf(np.ones((2, 3))), leaf(np.ones((3, 4)))
    b = leaf(np.ones(4), "float64")
    h = (x @ w).double() + b
    return (h * h).sum() * 0.5, {"x": x, "w": w, "b": b, "h": h}


def test_the_listing_of_a_small_graph():
    y, names = small()
    expected = """
    #1  leaf                     (2, 3) float32  x
    #2  leaf                     (3, 4) float32  w
    #3  leaf                     (4,) float64  b
    #4  MatMul(#1, #2)           (2, 4) float32
    #5  Cast(#4)                 (2, 4) float64
    #6  Add(#5, #3)              (2, 4) float64  h
    #7  Mul(#6, #6)              (2, 4) float64
    #8  Sum(#7)                  () float64
    #9  Mul(#8, 0.5)             () float64
    """
    found = debug.graph(y, names)
    assert [line.split() for line in str(found).splitlines()] == [
        line.split() for line in expected.strip().splitlines()
    ]
    assert len(found) == 9


def test_leaves_without_names_have_their_users_idea_of_the_shape():
    y, _ = small()
    leaves = [e for e in debug.graph(y).entries if e.is_leaf]
    assert [e.shape for e in leaves] == ["(2, 3) float32", "(3, 4) float32", "(4,) float64"]
    assert [e.title for e in leaves] == ["leaf"] * 3


def test_several_outputs_share_what_is_below():
    x = leaf([1.0])
    y = x.exp()
    found = debug.graph([y * 2, y * 3])
    assert [e.op for e in found.entries] == ["", "Exp", "Mul", "Mul"]
    assert [e.inputs for e in found.entries] == [(), (1,), (2, "2"), (2, "3")]


def test_a_module_names_its_own():
    net = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    found = debug.graph(net(minigan.ones(1, 3)), dict(net.named_parameters()))
    assert {e.name for e in found.entries if e.is_leaf} == {"0.weight", "0.bias"}


def test_the_graph_of_a_gradient_and_of_its_gradient():
    """Of (∂x³/∂x)²: its gradient holds x, what the first gradient made and what the second did."""
    x = leaf(2.0)
    (g,) = grad(x**3, x, create_graph=True)
    (h,) = grad(g * g, x, create_graph=True)
    assert h.item() == 36 * 2**3
    found = debug.graph(h, {"x": x})
    assert {e.level for e in found.entries} == {0, 1, 2}
    assert all(i < e.number for e in found.entries for i in e.inputs if isinstance(i, int))
    assert sum(e.is_leaf for e in found.entries) == 1
    for e, line in zip(found.entries, found.text().splitlines(), strict=True):
        assert line.endswith(f"level {e.level}" if e.level else "x")


def test_a_freed_graph_can_still_be_shown():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = (x * w).sum()
    y.backward()
    text = debug.graph(y).text()
    assert "Mul(#1, #2)" in text and re.search(r"#1 +leaf +\?", text)


def test_what_has_no_graph_is_refused():
    with pytest.raises(RuntimeError, match=r"graph: output 1 \(shape \(2,\)\) does not require"):
        debug.graph([leaf(1.0), minigan.ones(2)])


QUOTED = r'"(?:[^"\\]|\\.)*"'
NODE = re.compile(rf"  n(\d+) \[label=({QUOTED})(?:, \w+={QUOTED})*\];")
EDGE = re.compile(r"  n(\d+) -> n(\d+);")


def parse_dot(text):
    """Labels by number and the edges of a DOT file of the plainest kind; nothing else passes."""
    first, settings, *body, last = text.rstrip("\n").split("\n")
    assert (first, last) == ("digraph minigan {", "}")
    assert settings == "  node [shape=box, fontname=Helvetica];"
    labels, edges = {}, []
    for line in body:
        if found := NODE.fullmatch(line):
            labels[int(found[1])] = found[2][1:-1]
        else:
            found = EDGE.fullmatch(line)
            assert found, line
            edges.append((int(found[1]), int(found[2])))
    assert {i for edge in edges for i in edge} <= set(labels)
    return labels, edges


def test_dot_has_every_node_and_every_edge_once():
    y, names = small()
    labels, edges = parse_dot(debug.graph(y, names).dot())
    assert labels[1] == r"x\n(2, 3) float32" and labels[6] == r"Add: h\n(2, 4) float64"
    assert sorted(edges) == [(1, 4), (2, 4), (3, 6), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9)]


def test_dot_escapes_names():
    x = leaf([1.0])
    labels, _ = parse_dot(debug.graph(x * 2, {'a "b" \\n': x}).dot())
    assert labels[1] == r"a \"b\" \\n\n(1,) float32"


def test_save_writes_by_ending(tmp_path):
    y, names = small()
    found = debug.graph(y, names)
    for ending in ("svg", "dot", "txt"):
        found.save(tmp_path / f"g.{ending}")
    assert (tmp_path / "g.dot").read_text(encoding="utf-8") == found.dot()
    assert (tmp_path / "g.txt").read_text(encoding="utf-8") == found.text()
    assert (tmp_path / "g.svg").read_text(encoding="utf-8") == found.svg()
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(ValueError, match=r"ending in \.svg, \.dot or \.txt: .*g\.png"):
        found.save(tmp_path / "g.png")


def test_ten_thousand_nodes_need_no_recursion():
    x = leaf([1.0])
    y = x
    for _ in range(10_000):
        y = y * x
    found = debug.graph(y)
    assert len(found) == 10_001
    assert found.text().count("\n") == 10_000
    assert len(parse_dot(found.dot())[1]) == 10_000 + 9_999
    assert found.svg().count("<rect") == 10_002
