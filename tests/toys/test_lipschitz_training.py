"""What the three ways do to a critic, and the toy as a whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from minigan import nn
from minigan.toys import lipschitz, lipschitz_training, toy
from minigan.toys.distances import em
from minigan.toys.lipschitz_training import BOX, CLIP, METHODS, POINTS, draw, train


@pytest.fixture(scope="module")
def records():
    counts = dict.fromkeys(METHODS, 2) | {"none": 3}
    return {method: list(train(method, 60, count, seed=0)) for method, count in counts.items()}


def test_records_stand_at_even_steps(records):
    assert [each.step for each in records["none"]] == [0, 30, 60]
    assert [each.step for each in records["gp"]] == [0, 60]


def test_critics_learn_and_never_tell_more_than_the_distance(records):
    """(E f(x) - E f(y))/K ≤ EM, K being exact: for any critic, at any step."""
    distance = em(*draw(POINTS, 1))
    for found in records.values():
        assert found[-1].difference > found[0].difference
        for each in found:
            assert each.estimate <= distance * (1 + 1e-9)
            assert each.estimate == each.difference / each.ladder.exact.value


def test_clipped_weights_bound_the_product(records):
    """‖W‖ ≤ c·√(outputs·inputs): at most c³·√(2·8·8·8·8·1) for 2 → 8 → 8 → 1."""
    last = records["clip"][-1]
    weights = [p.numpy() for p in last.network.parameters()]
    # The network clips in float32.
    assert max(abs(w).max() for w in weights) <= np.float32(CLIP)
    assert last.ladder.product <= np.float64(np.float32(CLIP)) ** 3 * np.sqrt(2 * 8**4)
    assert records["none"][-1].ladder.product > 2 * last.ladder.product


def test_spectral_norm_divides_by_no_more_than_the_norm(records):
    """σ = uᵀWv ≤ ‖W‖ of unit u and v (to float32, 1e-6): no layer's norm is below 1, and its
    product close above."""
    for each in records["spectral"]:
        linear = [r for r in each.ladder.layers if r.layer == "Linear"]
        assert all(r.upper >= 1 - 1e-5 for r in linear)
        assert each.ladder.product < 2
        assert each.ladder.exact.value <= each.ladder.product


def test_the_exact_constant_is_the_box_s_own(records):
    """The definition, with pairs of our own in the box."""
    rng = np.random.default_rng(5)
    for found in records.values():
        network, exact = found[-1].network, found[-1].ladder.exact
        x, y = BOX.draw(5000, rng), BOX.draw(5000, rng)
        rise = np.abs(lipschitz.quotients(network, x, y))
        assert rise.max() <= exact.upper * (1 + 1e-9)


def test_a_failing_estimate_is_noticed(monkeypatch):
    """A ladder whose exact constant were too small: the estimate would top the distance."""
    honest = lipschitz_training.ladder

    def small(*args, **options):
        found = honest(*args, **options)
        return replace(found, exact=replace(found.exact, value=1e-9, upper=1e-9))

    monkeypatch.setattr(lipschitz_training, "ladder", small)
    with pytest.raises(ArithmeticError, match="lies above the distance"):
        list(train("none", 30, 2, seed=0))


def test_the_whole_toy(tmp_path, monkeypatch):
    """Few steps of everything: figures that open, results whose measured ≤ exact."""
    monkeypatch.setattr(lipschitz, "QUICK", (6, 2, 2))
    monkeypatch.setattr(lipschitz, "SIDES", (1, 4))
    found = toy("lipschitz").run(tmp_path, seed=1, quick=True)
    assert json.loads((tmp_path / "results.json").read_text()) == found
    for name in ("cones", "domains", "convolutions", "layers", "training", "regions"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            picture.load()
            assert picture.format == "PNG" and len(np.unique(np.asarray(picture))) > 20
    for name in ("cones", "training"):
        with Image.open(tmp_path / f"{name}.gif") as animation:
            assert animation.n_frames == 2
    assert len(found["rows"]) == 6 + 2 + 2 * len(METHODS)
    for row in found["rows"]:
        assert row["measured"] <= row["exact"] * (1 + found["rounding"])
    for each in found["layers"]:
        assert each["found"] <= each["bound"] * (1 + 1e-9)
    assert found["layers"][0]["found"] > 1.3 > 1.1 > found["layers"][0]["reshaped"]
    for each in found["training"].values():
        assert [record["step"] for record in each] == [0, 6]


def test_the_critic_has_the_sixteen_units_that_can_be_enumerated():
    net = lipschitz_training.critic("spectral", lipschitz_training.Generator())
    units = [m.out_features for m in net.modules() if isinstance(m, nn.Linear)]
    assert units == [8, 8, 1]
