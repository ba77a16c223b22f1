"""The Dirac-GAN: Jacobians by hand, by differences, and what the played paths say."""

import json
from math import sqrt

import numpy as np
import pytest

import minigan
from minigan import nn, optim
from minigan.gan.differentiable import look_ahead, replaced
from minigan.toys import dirac_gan, toy
from minigan.toys.dirac import (
    GAMES,
    RATE,
    converged,
    critic_loss,
    generator_loss,
    jacobian,
    play,
    predict,
    rate,
    rests,
    step,
)

H = RATE
AT_REST = [name for name in GAMES if name != "gp"]


def by_hand(name, alternating):
    """The step near (0, 0) to first order, from the losses' second derivatives.

    With f'(0) = ½ of the cross entropy (1 of WGAN):  θ' = θ + h·f'·ψ - h·d·θ  and
    ψ' = ψ - h·f'·θ - h·γ·ψ.  R1 has γ = 0.8; noise of variance 1 has γ = 2·f''·1 = ½ and no d;
    unrolling K steps gives d = K·h/2.
    """
    slope = 1.0 if name in ("wgan", "clip") else 0.5
    gamma = {"r1": 0.8, "noise": 0.5}.get(name, 0.0)
    damping = 5 * H / 2 if name == "unrolled" else 0.0
    critic = np.array([[1, 0], [-H * slope, 1 - H * gamma]])
    # The generator's answer; in the alternating order it sees ψ'.
    answer = np.array([[1 - H * damping, H * slope], [0, 1]])
    if alternating:
        return answer @ critic
    return critic + answer - np.eye(2)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("name", AT_REST)
def test_jacobians_at_rest(name, alternating):
    found = jacobian(GAMES[name], alternating=alternating)
    np.testing.assert_allclose(found, by_hand(name, alternating), atol=1e-7)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("name", GAMES)
def test_jacobians_elsewhere_are_the_differences_of_steps(name, alternating):
    """Central differences of the step itself, with an error of the order h² = 10⁻¹⁰."""
    game, at, h = GAMES[name], np.array([0.7, 0.3]), 1e-5
    columns = []
    for shift in np.eye(2) * h:
        up, down = (
            step(game, minigan.tensor((at + s).tolist(), dtype="float64"), alternating).detach()
            for s in (shift, -shift)
        )
        columns.append((up.numpy() - down.numpy()) / (2 * h))
    found = jacobian(game, at, alternating)
    np.testing.assert_allclose(found, np.stack(columns, 1), atol=1e-8)


def test_eigenvalues_in_closed_form():
    """GAN: 1 ± ih/2; WGAN: 1 ± ih; alternating, both have modulus 1; R1: 1 - h(γ ∓ √(γ² - 1))/2."""
    pairs = {"gan": 1 + 0.5j * H, "wgan": 1 + 1j * H}
    for name, value in pairs.items():
        found = predict(GAMES[name])
        assert sorted(found.eigenvalues, key=lambda v: v.imag) == pytest.approx(
            [value.conjugate(), value], abs=1e-7
        )
        assert found.radius == pytest.approx(abs(value), abs=1e-7)
        assert predict(GAMES[name], alternating=True).radius == pytest.approx(1, abs=1e-7)
    r1 = 1 - H * (0.8 - 1j * sqrt(1 - 0.8**2)) / 2
    assert predict(GAMES["r1"]).radius == pytest.approx(abs(r1), abs=1e-7)
    squared = 1 - 5 * H**2 / 2 + H**2 / 4
    assert predict(GAMES["unrolled"]).radius ** 2 == pytest.approx(squared, abs=1e-7)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("name", AT_REST)
def test_close_to_rest_distances_change_by_the_spectral_radius(name, alternating):
    """The path of a linear map is ρ^t times something bounded, here by the eigenvectors' condition
    c; a line through t ≤ n logarithms that are off by ln c at most is off by 6·ln c/n at most."""
    n = 150
    path = play(GAMES[name], (1e-3, 1e-3), n, alternating)
    values, vectors = np.linalg.eig(by_hand(name, alternating))
    allowed = 6 * np.log(np.linalg.cond(vectors)) / n
    # The losses are not linear: at a distance r they differ from it by the order r².
    largest = np.hypot(*path.T).max()
    assert abs(np.log(rate(path)) - np.log(abs(values).max())) < allowed + largest**2 + 1e-9


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("name", GAMES)
def test_what_converges_is_what_was_predicted(name, alternating):
    predicted = predict(GAMES[name], alternating)
    seen = converged(play(GAMES[name], (1.0, 1.0), 400, alternating))
    assert seen == predicted.converges == (name in ("r1", "noise", "unrolled"))


def test_the_penalty_on_slope_one_leaves_no_rest():
    """At θ = 0 it pushes ψ to ±1, wherever ψ is; the others stay."""
    assert not rests(GAMES["gp"]) and predict(GAMES["gp"]).radius is None
    assert all(rests(GAMES[name]) for name in AT_REST)


def test_clipping_holds_the_slope():
    path = play(GAMES["clip"], (1.0, 1.0), 100)
    assert np.abs(path[1:, 1]).max() == 0.5


def test_wgan_spirals_as_its_matrix_says():
    """The game is linear: its path is the matrix's powers."""
    path = play(GAMES["wgan"], (1.0, 1.0), 50)
    matrix = np.array([[1, H], [-H, 1]])
    expected = [np.linalg.matrix_power(matrix, t) @ [1, 1] for t in range(51)]
    np.testing.assert_allclose(path, expected, rtol=1e-12)


def test_the_alternating_generator_takes_the_critics_answer_as_it_is():
    """θ' = θ + h·ψ' for WGAN, though ψ' = ψ - h·θ depends on θ."""
    after = step(GAMES["wgan"], minigan.tensor([0.4, 0.3], dtype="float64"), alternating=True)
    psi = 0.3 - H * 0.4
    np.testing.assert_allclose(after.detach().numpy(), [0.4 + H * psi, psi], rtol=1e-12)


def test_unrolling_is_what_the_recipe_does():
    """θ's gradient against ``look_ahead`` on a network with the one weight ψ."""
    game, critic = GAMES["unrolled"], nn.Linear(1, 1, bias=False).double()
    critic.weight.data = minigan.tensor([[0.3]], dtype="float64")
    theta = minigan.tensor(0.7, dtype="float64", requires_grad=True)

    def loss(module):
        return critic_loss(game, theta, module.weight.reshape(()))

    ahead = look_ahead(critic, optim.SGD(critic.parameters(), RATE), loss, 5)
    with replaced(critic, ahead):
        (expected,) = minigan.grad(-loss(critic), theta)
    psi = minigan.tensor(0.3, dtype="float64", requires_grad=True)
    (found,) = minigan.grad(generator_loss(game, theta, psi), theta)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


def test_of_an_orbit_the_last_turn_is_shown_and_of_what_comes_to_rest_all():
    """A step of the orbit turns by about RATE, and the last turn ends within one of a full one."""
    orbit = play(GAMES["wgan"], (1.0, 1.0), 200, alternating=True)
    shown = dirac_gan._last_turn(orbit)
    np.testing.assert_array_equal(shown, orbit[-len(shown) :])
    angle = np.unwrap(np.arctan2(shown[:, 1], shown[:, 0]))
    assert 2 * np.pi < abs(angle[-1] - angle[0]) < 2 * np.pi + 2 * RATE
    calm = play(GAMES["r1"], (1.0, 1.0), 200)
    np.testing.assert_array_equal(dirac_gan._last_turn(calm), calm)


def test_the_toy_leaves_what_it_promises(tmp_path, monkeypatch):
    monkeypatch.setattr(dirac_gan, "QUICK", 12)
    results = toy("dirac-gan").run(tmp_path / "out", quick=True)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        *("paths.png", "eigenvalues.png", "distances.png", "paths.gif", "results.json"),
    }
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    assert results["games"]["gp, simultaneous"]["radius"] is None
    assert len(results["rows"]) == 2 * len(GAMES) + 2 * len(AT_REST)
