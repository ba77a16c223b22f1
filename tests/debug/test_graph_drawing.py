"""The drawing of a graph: well-formed, boxes apart, text inside, edges from row to row."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan
from minigan import debug, grad, nn
from minigan.debug.drawing import Box, _settle, draw

SVG = "{http://www.w3.org/2000/svg}"


def read(svg):
    """Boxes (x0, y0, x1, y1), texts (x, y, string) and edges (start, end, points) of a drawing."""
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    boxes = []
    for rect in root.iter(SVG + "rect"):
        if rect.get("class") != "paper":
            x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            boxes.append((x, y, x + w, y + h))
    texts = [(float(t.get("x")), float(t.get("y")), t.text) for t in root.iter(SVG + "text")]
    edges = []
    for path in root.findall(SVG + "path"):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.get("d"))]
        edges.append(((numbers[0], numbers[1]), (numbers[-2], numbers[-1])))
    return (width, height), boxes, texts, edges


def check(svg, count, edge_count):
    (width, height), boxes, texts, edges = read(svg)
    assert (len(boxes), len(edges), len(texts)) == (count, edge_count, 2 * count)
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    for a, b in combinations(boxes, 2):
        apart = a[2] + 20 <= b[0] or b[2] + 20 <= a[0] or a[3] + 20 <= b[1] or b[3] + 20 <= a[1]
        assert apart, (a, b)
    for k, (x, y, text) in enumerate(texts):
        x0, y0, x1, y1 = boxes[k // 2]
        half = len(text) * 7.3 / 2  # wider than a character of 12 px monospace, 7.2
        assert x0 <= x - half and x + half <= x1, text
        assert y0 + 10 <= y <= y1 - 3
    for (x, y), (u, v) in edges:  # from the lower side of a box to the upper side of another
        assert any(abs(y - b[3]) < 0.2 and b[0] <= x <= b[2] for b in boxes)
        assert any(abs(v - b[1]) < 0.2 and b[0] <= u <= b[2] for b in boxes)
        assert y < v
    return boxes


def critic():
    return nn.Sequential(
        nn.Conv2d(1, 2, 4, 2, 1),
        nn.BatchNorm2d(2),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * 4 * 4, 1),
    )


@pytest.mark.parametrize("penalty", [False, True], ids=["forward", "gradient penalty"])
def test_boxes_of_a_critic_are_apart_and_hold_their_text(penalty):
    net = critic()
    x = minigan.tensor(np.random.default_rng(0).random((3, 1, 8, 8)), dtype="float32")
    x.requires_grad_()
    y = net(x).mean()
    if penalty:
        (g,) = grad(y, x, create_graph=True)
        y = y + ((g * g).sum() - 1) ** 2
    graph = debug.graph(y, dict(net.named_parameters()) | {"x": x})
    edges = {(i, e.number) for e in graph.entries for i in e.inputs if isinstance(i, int)}
    check(graph.svg(), len(graph), len(edges))


def test_long_edges_go_around_the_boxes():
    """x is used at both ends of a chain: the edge passes the chain's boxes at their side."""
    x = minigan.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(3):
        y = y.exp()
    svg = debug.graph(y * x).svg()
    boxes = check(svg, 5, 5)
    root = ElementTree.fromstring(svg)
    long = max((p.get("d") for p in root.findall(SVG + "path")), key=len)
    ways = re.findall(r"([\d.]+) ([\d.]+) V([\d.]+)", long)
    assert len(ways) == 3  # past the three exps
    for x_at, y0, y1 in ((float(a), float(b), float(c)) for a, b, c in ways):
        row = [b for b in boxes if b[1] == pytest.approx(y0, abs=0.2)]
        assert len(row) == 1 and y1 - y0 == pytest.approx(row[0][3] - row[0][1], abs=0.2)
        assert not row[0][0] - 10 < x_at < row[0][2] + 10


def test_leaves_stand_above_their_first_user_and_look_different():
    a, b = (minigan.tensor([1.0], requires_grad=True) for _ in range(2))
    svg = debug.graph(a.exp().exp().exp() + b, {"a": a, "b": b}).svg()
    boxes = check(svg, 6, 5)
    rows = sorted({box[1] for box in boxes})
    assert [rows.index(box[1]) for box in boxes] == [0, 3, 1, 2, 3, 4]  # by number: a, b, exps, +
    rects = [r for r in ElementTree.fromstring(svg).iter(SVG + "rect") if r.get("class") is None]
    assert [r.get("rx") for r in rects] == ["12", "12", "3", "3", "3", "3"]


def test_markup_in_names_is_escaped():
    x = minigan.tensor([1.0], requires_grad=True)
    _, _, texts, _ = read(debug.graph(x * 2, {"<a> & b": x}).svg())
    assert texts[0][2] == "<a> & b"


@given(st.data())
def test_any_graph_has_its_boxes_apart(data):
    n = data.draw(st.integers(1, 14))
    pairs = [(i, j) for j in range(n) for i in range(j)]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    names = data.draw(
        st.lists(st.text("abcdefgh", min_size=1, max_size=20), min_size=n, max_size=n)
    )
    fed = {j for _, j in edges}
    boxes = [Box((names[i], "(2, 3) float32"), i not in fed) for i in range(n)]
    check(draw(boxes, edges), n, len(edges))


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8))
def test_places_are_the_nearest_to_the_wishes(wishes):
    """No shift of any stretch of neighbours, as far as the distances allow, comes nearer."""
    points = [Box(("abc",)) for _ in wishes]
    _settle(points, list(range(len(wishes))), wishes)
    x, w = np.array([p.x for p in points]), np.array(wishes)
    distance = points[0].width + 24
    assert (np.diff(x) >= distance - 1e-9).all()
    for i in range(len(x)):
        for j in range(i + 1, len(x) + 1):
            for step in (-1e-3, 1e-3):
                moved = x.copy()
                moved[i:j] += step
                if (np.diff(moved) >= distance - 1e-9).all():
                    assert ((moved - w) ** 2).sum() >= ((x - w) ** 2).sum() - 1e-9
