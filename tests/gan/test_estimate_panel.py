"""losses.png of critics that measure: estimate and M have a panel of their own, median-filtered."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from minigan.curves import save_losses
from minigan.gan import recipe


@pytest.fixture
def draw(tmp_path, monkeypatch):
    figures = []
    savefig = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: figures.append(self) or savefig(self, *a, **k)
    )

    def drawn(columns, lines):
        save_losses(tmp_path / "losses.png", columns, lines, "title")
        return figures[-1]

    return drawn


def wgan(rows):
    rng = np.random.default_rng(0)
    estimate = np.exp(-np.arange(rows) / 400) + 0.05 * rng.standard_normal(rows)
    return {
        "step": np.arange(1, rows + 1),
        "d_loss": -estimate,
        "g_loss": 40 + np.arange(rows) / 50,  # the critic's level drifts; that says nothing
        "estimate": estimate,
    }


@pytest.mark.parametrize("name", ["wgan", "wgan-gp"])
def test_the_estimate_is_not_squeezed_by_the_losses_and_has_its_line(draw, name):
    columns = wgan(1000)
    lines = recipe(name).lines(recipe(name).configure({}))
    losses, estimate = draw(columns, lines).axes
    assert (losses.get_ylabel(), estimate.get_ylabel()) == ("loss", "estimate")
    low, high = estimate.get_ylim()
    assert -0.5 < low < 0 < 1 < high < 1.5
    level = [line for line in estimate.lines if set(line.get_xdata()) == {0, 1}]
    assert [line.get_ydata()[0] for line in level] == [0.0]
    thin, thick = (line for line in estimate.lines if len(line.get_xdata()) == 1000)
    assert np.array_equal(thin.get_ydata(), columns["estimate"])
    # The median of 25 rows: the noise is a quarter or less of a single row's, the decay is kept.
    truth = np.exp(-np.arange(1000) / 400)
    error = thick.get_ydata() - truth
    assert error.std() < 0.3 * (columns["estimate"] - truth).std()


def test_a_probability_panel_and_an_estimate_go_together(draw):
    columns = {**wgan(5), "d_real": np.full(5, 0.7), "d_fake": np.full(5, 0.3)}
    figure = draw(columns, {"estimate": (0.0, "0")})
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["loss (nats)", "probability", "estimate"]


def test_began_shows_its_measure_and_what_balances_it(draw):
    rows = np.arange(1, 1001)
    noise = np.random.default_rng(0).standard_normal(1000)
    truth = 0.1 + 0.4 * np.exp(-rows / 300)
    columns = {"step": rows, "d_loss": truth, "g_loss": truth / 2, "k": rows / 2000}
    losses, k, measure = draw(columns | {"measure": truth + 0.02 * noise}, {}).axes
    assert (losses.get_ylabel(), k.get_ylabel(), measure.get_ylabel()) == ("loss", "k", "measure")
    assert k.get_ylim()[0] <= 0 <= 1 <= k.get_ylim()[1]
    assert not [line for line in k.lines if set(line.get_xdata()) == {0, 1}]  # no balance at 1/2
    thick = next(line for line in measure.lines if line.get_linewidth() == 2)
    assert (thick.get_ydata() - truth).std() < 0.3 * 0.02
