"""What a reading says of curves whose character is known, and of short and damaged ones."""

import re
from dataclasses import asdict

import numpy as np
import pytest
from characters import (
    BCE,
    CHARACTERS,
    ROWS,
    STEP,
    WGAN,
    ahead,
    circling,
    topics,
    wgan_falling,
    wgan_unbounded,
    won,
)

from minigan.data import load
from minigan.gan import Trainer, recipe
from minigan.gan.recipes import recipe_names
from minigan.reading import ENOUGH, reading


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.1])
@pytest.mark.parametrize("character", CHARACTERS, ids=lambda function: function.__name__)
def test_a_curve_is_read_for_what_it_is_and_for_nothing_else(character, noise):
    lines, expected = CHARACTERS[character]
    for seed in range(4):
        sentences = reading(character(np.random.default_rng(seed), noise), lines)
        assert topics(sentences) == expected, sentences


@pytest.mark.parametrize("character", CHARACTERS, ids=lambda function: function.__name__)
def test_sentences_are_single_lines_with_numbers_and_one_suggestion_at_most(character):
    lines, _ = CHARACTERS[character]
    options = {"lr": 2e-4, "critic_lr": 0.0, "n_critic": 1, "ema": 0.0, "gp": 10.0, "loss": "bce"}
    for text in reading(character(np.random.default_rng(0), 0.03), lines, options):
        assert "\n" not in text
        assert re.search(r"\d", text), text
        assert text.count("try --") <= 1
        assert not re.search(r"\b(nan|inf)\b", text), text


@pytest.mark.parametrize("name", recipe_names())
def test_every_suggestion_can_be_typed(name):
    """Whatever a system's curves look like, its own settings take what is suggested."""
    chosen = recipe(name)
    options = asdict(chosen.configure({}))
    for character, (lines, _) in CHARACTERS.items():
        for text in reading(character(np.random.default_rng(0), 0.03), lines, options):
            for setting, value in re.findall(r"--set (\w+)=([^\s;,]+)", text):
                changed = asdict(chosen.configure({**options, setting: value}))
                assert changed[setting] != options[setting]


# --- the numbers


def test_a_win_states_its_accuracy_its_steps_and_the_gradients_fall():
    (text,) = reading(won(np.random.default_rng(0), 0.0), BCE, {"lr": 2e-4, "critic_lr": 0.0})
    assert "accuracy 100%, d_loss 0.00674 (2 ln 2 = 1.386 at equilibrium)" in text
    # Accuracy is 1 from row 300 on, counting from 0, up to row 799.
    assert "for the last 499 steps" in text
    assert "has shrunk 1000× since step 11, from 2 to 0.002" in text
    assert text.endswith("; try --set critic_lr=5e-05")


def test_a_saturating_generator_is_advised_the_other_loss():
    options = {"loss": "saturating", "lr": 2e-4, "critic_lr": 0.0}
    (text,) = reading(won(np.random.default_rng(0), 0.0), BCE, options)
    assert "--set loss=bce" in text
    assert "critic_lr" not in text


def test_a_gradient_of_nothing_and_one_that_began_as_nothing():
    columns = won(np.random.default_rng(0), 0.0)
    columns["g_gradient"] = np.where(STEP < 400, 1.0, 0.0)
    assert "has shrunk to nothing since step 11, from 1 to 0" in reading(columns, BCE)[0]
    columns["g_gradient"] = np.zeros(ROWS)
    (text,) = reading(columns, BCE)
    assert "shrunk 0" not in text


def test_an_unbounded_critic_is_advised_a_bound():
    columns = wgan_unbounded(np.random.default_rng(0), 0.0)
    unbounded = {"loss": "wgan", "critic_norm": "none", "gp": 0.0, "clip_weights": 0.0, "lr": 1e-4}
    assert "try --set gp=10" in reading(columns, WGAN, unbounded)[0]
    assert "try --set lr=2.5e-05" in reading(columns, WGAN, unbounded | {"clip_weights": 0.01})[0]


def test_an_oscillation_states_period_and_amplitude_in_steps():
    columns = circling(np.random.default_rng(0), 0.2)
    columns["step"] = 5 * STEP  # a period of 50 rows is one of 250 steps
    text = reading(columns, BCE, {"ema": 0.0})[-1]
    amplitude, level, period = re.search(
        r"about (\S+) up and down around (\S+), period about (\d+) steps", text
    ).groups()
    assert float(amplitude) == pytest.approx(0.4, abs=0.02)
    assert float(level) == pytest.approx(1.0, abs=0.05)
    assert float(period) == pytest.approx(250, abs=5)
    assert "--set ema=0.999" in text


def test_a_falling_estimate_states_where_it_came_from():
    (text,) = reading(wgan_falling(np.random.default_rng(0), 0.0), WGAN)
    # Medians of the first and the last 80 of the last 400 rows.
    before, after = 10 * np.exp(-440.5 / 400), 10 * np.exp(-760.5 / 400)
    assert f"{before:.3g} → {after:.3g} over the last 399 steps" in text
    assert f"({after / before - 1:+.0%})" in text
    assert "--steps 1600" in text


# --- short and damaged runs


@pytest.mark.parametrize("rows", [0, 1, 2, ENOUGH - 1])
def test_short_runs_are_not_read(rows):
    columns = {"step": np.arange(rows), "d_loss": np.full(rows, 1e9)}
    (text,) = reading(columns, BCE)
    assert text.startswith(f"{rows} step is" if rows == 1 else f"{rows} steps are")
    assert topics([text]) == {"few"}


def test_a_run_of_the_least_length_is_read():
    columns = {"step": np.arange(ENOUGH), "loss": np.linspace(2, 1, ENOUGH)}
    assert topics(reading(columns, {})) == {"loss falling"}


def test_columns_without_values_are_counted_and_not_read():
    columns = ahead(np.random.default_rng(0), 0.03) | {"g_gradient": np.full(ROWS, np.nan)}
    sentences = reading(columns, BCE)
    assert topics(sentences) == {"ahead", "nan"}
    assert "g_gradient is NaN or infinite in 800 of 800 rows" in sentences[0]
    assert reading({"step": STEP}, {}) == ["nothing stands out in 800 steps"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"d_loss": [1.0]}, r"expect a 'step', got \['d_loss'\]"),
        ({"step": [1, 2], "loss": [1.0]}, r"'loss' .*shape \(2,\), got \(1,\)"),
        ({"step": [[1]], "loss": [[1.0]]}, r"'loss' expects one value per step"),
    ],
)
def test_what_cannot_be_read_is_refused(columns, words):
    with pytest.raises(ValueError, match=f"reading: .*{words}"):
        reading(columns, {})


# --- real trainings


def trained(name, steps, **settings):
    """(columns, lines, options) of a training on small images."""
    chosen = recipe(name)
    configured = chosen.configure(settings)
    trainer = Trainer(chosen, configured, load("glyphs", count=256), batch_size=16, seed=0)
    rows = [trainer.train_step() for _ in range(steps)]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    lines = {k: v for k, v in chosen.lines(configured).items() if k in columns}
    return columns | {"step": range(1, steps + 1)}, lines, asdict(configured)


def test_a_generator_that_stands_still_loses():
    """Its saturating loss loses its gradient with it: what the better loss was made for."""
    small = {"widths": (32,), "critic_widths": (32,)}
    columns, lines, options = trained(
        "gan", 300, loss="saturating", lr=1e-7, critic_lr=2e-3, **small
    )
    sentences = reading(columns, lines, options)
    assert topics(sentences) == {"won", "shrunk"}
    assert sentences[0].endswith(
        "; try --set loss=bce, whose gradient does not vanish when the discriminator is sure"
    )


def test_an_autoencoder_that_has_just_begun_is_still_falling():
    assert topics(reading(*trained("autoencoder", 120))) == {"loss falling"}
