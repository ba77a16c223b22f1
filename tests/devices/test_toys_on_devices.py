"""Every toy computes on a GPU what it computes on the CPU; what is exact is found on the host.

Where a whole toy takes long, what it does with networks is called here instead, in few steps.
"""

import json

import numpy as np
import pytest
from devices.alike import assert_alike

import minigan
from minigan import array as arrays
from minigan import cli, data
from minigan.evaluation.features import feature_network
from minigan.toys import (
    dirac,
    dirac_gan,
    lipschitz_training,
    mixtures,
    mixtures_training,
    parallel_lines,
    players,
    rivals,
    stacked_mnist,
    toy,
)
from minigan.toys.apart import GAUSSIANS, LINES
from minigan.toys.distances import dual, sinkhorn, training
from minigan.toys.lipschitz_kernels import (
    convolution_norms,
    normalised_critic,
    random_kernel,
    weighted_layers,
)
from minigan.toys.mixtures_training import Job


@pytest.fixture
def assert_same_on_both(cuda_device):
    """Asserts that a program finds the same, on the host, whichever is the default device.

    Where the GPU is the fake, it also has to be asked for something (``used``), or for nothing.
    """

    def compare(program, used=True):
        expected = program()
        with minigan.device(cuda_device):
            found = program()
        assert_alike(expected, found, "cpu")
        gpu = getattr(arrays.cupy(), "gpu", None)
        assert gpu is None or bool(gpu.waits) is used

    return compare


def test_numpy_memo(cuda_device, tmp_path):
    """All of a toy, from Python."""
    here = toy("numpy-memo").run(tmp_path / "here")
    there = toy("numpy-memo").run(tmp_path / "there", device=cuda_device)
    assert there == {**here, "device": "cuda"} and "device" not in here
    assert json.loads((tmp_path / "there" / "results.json").read_text()) == there
    assert minigan.get_default_device() == "cpu"


def test_the_command_takes_the_gpu(cuda_device, tmp_path, capsys):
    assert cli.main(["toy", "numpy-memo", "--device", "auto", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text())["device"] == "cuda"
    assert "computing on" not in capsys.readouterr().err


# ------------------------------------------------------------------- the smallest GAN


@pytest.mark.parametrize("alternating", [False, True], ids=dirac_gan.ORDERS.get)
@pytest.mark.parametrize("game", dirac.GAMES.values(), ids=dirac.GAMES)
def test_dirac_gan(assert_same_on_both, game, alternating):
    assert_same_on_both(lambda: dirac.play(game, dirac_gan.START, 2, alternating))
    assert_same_on_both(lambda: dirac.jacobian(game, alternating=alternating))
    assert_same_on_both(lambda: dirac.rests(game))


def test_the_field_of_the_dirac_gan(assert_same_on_both):
    assert_same_on_both(lambda: dirac_gan._field("r1"))


# ------------------------------------------------------------------- distances


def test_sinkhorn(assert_same_on_both):
    rng = np.random.default_rng(0)
    x, y, weights = rng.normal(size=(20, 2)), rng.normal(size=(30, 2)) + 1, np.ones(20) / 20
    assert_same_on_both(lambda: sinkhorn(x, y, 0.2, x_weights=weights))


@pytest.mark.parametrize("kind", players.CRITICS)
def test_critics_of_two_sets(assert_same_on_both, kind):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(30, 2)) + 1
    assert_same_on_both(lambda: dual(x, y, kind, steps=3, every=1))


def test_a_generator_under_the_truth_panel(assert_same_on_both, monkeypatch):
    monkeypatch.setattr(training, "CRITIC_STEPS", 1)
    frame, seen = training._frame, []

    def looked(*args):
        seen.append(1)
        return frame(*args) if len(seen) % 2 else np.zeros(1)  # a picture takes its time

    monkeypatch.setattr(training, "_frame", looked)

    def trained():
        history = training.train(1, 1, seed=0)
        return history.moments, history.panel.floor

    assert_same_on_both(trained)


# ------------------------------------------------------------------- parallel lines


@pytest.mark.parametrize("family", [LINES, GAUSSIANS], ids=["lines", "Gaussians"])
def test_parallel_lines(assert_same_on_both, monkeypatch, family):
    monkeypatch.setattr(rivals, "WARM_UP", 2)
    monkeypatch.setattr(rivals, "BETWEEN", 1)
    monkeypatch.setattr(rivals, "SEEN", 500)
    assert_same_on_both(lambda: rivals.estimate(family, 0.5, 3, seed=0)[:2])
    at = np.array([[0.0, 0.5], [0.5, 0.5], [1.0, 0.5]], np.float32)

    def descended(player):
        """A WGAN critic's level is nobody's: its gradient is rounding, its step by Adam is not."""
        path = rivals.descend(family, player, 0.8, 2, 0, at)
        return path.theta, [np.diff(seen) for seen in path.seen]

    for player in parallel_lines.SAID:
        assert_same_on_both(lambda player=player: descended(player))


def test_the_best_discriminator(assert_same_on_both, tmp_path):
    assert_same_on_both(lambda: parallel_lines._best_discriminator(tmp_path, 0, 2))
    assert (tmp_path / "best-discriminator.png").exists()


# ------------------------------------------------------------------- Lipschitz constants


@pytest.mark.parametrize("method", lipschitz_training.METHODS)
def test_lipschitz(assert_same_on_both, method):
    def climbed():
        records = lipschitz_training.train(method, 3, 2, seed=0)
        *_, last = ({**r.ladder.summary(), "difference": r.difference} for r in records)
        last["exact"] = last["exact"]["value"]  # how many programs that took may differ
        return last

    assert_same_on_both(climbed)


def test_convolutions_are_measured_on_the_host(assert_same_on_both):
    assert_same_on_both(lambda: convolution_norms(random_kernel(0), 3).exact)
    assert_same_on_both(lambda: weighted_layers(normalised_critic(0)[:3], (1, 8, 8)))


# ------------------------------------------------------------------- GANs


@pytest.mark.parametrize("contender", ["gan", "pacgan", "unrolled", "wgan-gp"])
def test_mixtures(cuda_device, monkeypatch, contender):
    """Adam's first steps go by the sign of gradients that may be rounding: they are small."""
    monkeypatch.setattr(mixtures_training, "POINTS", 2000)
    job = Job("ring", contender, "poolio", 2, seed=0, truth=True)
    here, there = (mixtures_training.train(job._replace(device=d)) for d in ("cpu", cuda_device))
    assert_alike(here.rows[0], there.rows[0], "cpu")
    assert [row["step"] for row in there.rows] == [0, 1, 2]
    for one, other in ((here.samples, there.samples), (here.heights, there.heights)):
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_allclose(other, one, rtol=2e-2, atol=2e-2)


def test_a_mixture_kept_by_one_device_is_not_anothers(cuda_device, monkeypatch, tmp_path):
    monkeypatch.setattr(mixtures_training, "POINTS", 2000)
    asked = {"recipe": "gan", "data": "ring", "seeds": 1, "factor": 400_000}

    def jobs():
        return mixtures.planned(**asked).jobs()

    here = jobs()
    with minigan.device(cuda_device):
        there = jobs()
    assert [job.device for job in here + there] == ["cpu", "cuda"]
    assert here[0].file == there[0].file
    mixtures_training.do(tmp_path, here[0])
    assert mixtures_training.kept(tmp_path, here[0]) is not None
    assert mixtures_training.kept(tmp_path, there[0]) is None
    mixtures_training.do(tmp_path, there[0])
    assert mixtures_training.kept(tmp_path, there[0]) is not None


def test_several_processes_are_for_the_cpu(cuda_device, tmp_path, capsys):
    asked = ["toy", "mixtures", "--device", cuda_device, "--jobs", "2"]
    assert cli.main([*asked, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("minigan: error: mixtures: --jobs expects 1 with --device cuda")
    assert said.endswith("got '2'\n") and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_stacked_mnist(cuda_device, monkeypatch):
    digits = data.load("glyphs", count=100, image_size=8)
    stacks = stacked_mnist.stack(digits, 64, seed=0)
    plan = stacked_mnist.Plan("glyphs", None, 64, 1, 10, 1)
    here, expected = stacked_mnist._train(stacks, plan, seed=0)
    with minigan.device(cuda_device):
        there, found = stacked_mnist._train(stacks, plan, seed=0)
    devices = [next(t.networks.generator.parameters()).device for t in (here, there)]
    assert devices == ["cpu", "cuda"]
    assert_alike(expected[0], found[0], "cpu")
    np.testing.assert_allclose(found[1], expected[1], atol=2e-2)


def test_the_classifier_of_stacked_mnist_stays_on_the_host(
    assert_same_on_both, monkeypatch, tmp_path
):
    digits = data.load("glyphs", count=100)

    def classified(folder):
        monkeypatch.setenv("MINIGAN_CACHE", str(folder))
        return feature_network(digits, steps=1)(digits.images[:5])

    made = iter(range(2))
    assert_same_on_both(lambda: classified(tmp_path / str(next(made))), used=False)  # trained twice
    assert_same_on_both(lambda: classified(tmp_path / "0"), used=False)  # and taken from the cache
