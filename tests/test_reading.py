"""The reading of curves says what was put into them, with its numbers, and nothing else."""

import re
from dataclasses import asdict

import numpy as np
import pytest
from scipy.signal import lfilter

from minigan.data import load
from minigan.gan import Trainer, recipe
from minigan.gan.recipes import recipe_names
from minigan.reading import ENOUGH, reading
from minigan.reading.trace import BLOCKS, CERTAIN, SMOOTH, Trace
from minigan.reading.troubles import oscillation

BCE = {"d_loss": (2 * np.log(2), "2 ln 2"), "g_loss": (np.log(2), "ln 2")}
HINGE = {"d_loss": (2.0, "2")}
LSGAN = {"d_loss": (0.5, "1/2"), "g_loss": (0.25, "1/4")}
WGAN = {"d_loss": (0.0, "0"), "estimate": (0.0, "0")}
ROWS = 800
STEP = np.arange(1, ROWS + 1)

# What a sentence is about, by words that only it has.
TOPICS = {
    "few": "too few to read",
    "nan": "NaN or infinite",
    "explodes": "explodes",
    "oscillates": "oscillates",
    "won": "discriminator has won",
    "far": "discriminator is far ahead",
    "ahead": "ahead but has not won",
    "balance": "in balance",
    "generator": "generator is ahead",
    "shrunk": "gradient has shrunk",
    "kept": "still gets a gradient",
    "estimate falling": "estimate is still falling",
    "estimate settled": "estimate has settled",
    "estimate rising": "estimate is rising",
    "estimate unclear": "estimate moves without",
    "negative": "estimate has been negative",
    "penalty": "penalty outweighs",
    "M falling": "measure M is still falling",
    "M settled": "measure M has settled",
    "k": "k has stood at its end",
    "loss falling": "the loss is still falling",
    "loss settled": "the loss has settled",
    "loss risen": "the loss has risen again",
    "never fell": "the loss has hardly fallen",
    "collapsed": "posterior has collapsed",
    "learnt": "are learnt: ",
    "not learnt": "are not learnt",
    "in part": "are learnt in part",
    "easier": "easier to read than at the start",
    "distance falling": "the distance to the targets is still falling",
    "distance settled": "the distance to the targets has settled",
    "nothing": "nothing stands out",
}


def topics(sentences):
    """What they are about; every sentence must be about something known."""
    found = [{topic for topic, words in TOPICS.items() if words in text} for text in sentences]
    assert all(found), sentences
    return set().union(*found)


def game(rng, noise, d, g=1.0, accuracy=None, gradient=None, **more):
    """Columns of a game: noise multiplies, as the batches of a real one do."""
    columns = {"step": STEP, "d_loss": d * shaken(rng, noise), "g_loss": g * shaken(rng, noise)}
    if accuracy is not None:
        columns["d_accuracy"] = np.round(np.full(ROWS, accuracy) * 128) / 128
    if gradient is not None:
        columns["g_gradient"] = gradient * shaken(rng, noise)
    return columns | more


def shaken(rng, noise):
    return np.exp(noise * rng.standard_normal(ROWS))


def won(rng, noise):
    late = np.clip((STEP - 100) / 200, 0, 1)
    shrink = 10.0 ** (-3 * late)
    accuracy = 0.8 + 0.2 * (STEP > 300)
    return game(rng, noise, np.exp(-5 * late), 1 + 8 * late, accuracy, 2 * shrink)


def far_but_alive(rng, noise):
    return game(rng, noise, 0.05, 5.0, 1.0, 2.0)


def ahead(rng, noise):
    return game(rng, noise, 0.5, 2.0, 0.92, 2.0)


def balanced(rng, noise):
    guesses = np.clip(0.5 + 0.05 * rng.standard_normal(ROWS), 0, 1)
    return game(rng, noise, 1.38, 0.7, guesses, 1.0)


def beaten(rng, noise):
    return game(rng, noise, 2.2, 0.3, 0.2, 1.0)


def hinge_won(rng, noise):
    columns = game(rng, noise, 0.01, 4.0)
    columns["d_loss"] = np.maximum(columns["d_loss"] - 0.01, 0)  # exactly 0, half of the time
    return columns


def hinge_ahead(rng, noise):
    return game(rng, noise, 0.8, 1.0, gradient=2.0)


def lsgan_balanced(rng, noise):
    return game(rng, noise, 0.5, 0.25, gradient=1.0)


def vanished(rng, noise):
    """Nobody has won, and yet no gradient comes through."""
    return game(rng, noise, 0.8, 1.0, 0.9, 10.0 ** (-4 * np.clip(STEP / 400, 0, 1)))


def critic(rng, noise, estimate, **more):
    estimate = estimate + noise * np.abs(estimate).mean() * rng.standard_normal(ROWS)
    columns = {"step": STEP, "d_loss": -estimate, "g_loss": 40 + STEP / 50, "estimate": estimate}
    return columns | more


def wgan_falling(rng, noise):
    return critic(rng, noise, 10 * np.exp(-STEP / 400))


def wgan_settled(rng, noise):
    return critic(rng, noise, 3 + 20 * np.exp(-STEP / 40))


def wgan_rising(rng, noise):
    return critic(rng, noise, 1 + STEP / 50)


def wgan_negative(rng, noise):
    return critic(rng, noise, np.full(ROWS, -2.0))


def wgan_penalised(rng, noise):
    return critic(rng, noise, np.full(ROWS, 3.0), penalty=40 * shaken(rng, noise))


def wgan_gp(rng, noise):
    return critic(rng, noise, np.full(ROWS, 3.0), penalty=2 * shaken(rng, noise))


def wgan_unbounded(rng, noise):
    return critic(rng, 0, np.exp(STEP / 50) * shaken(rng, noise))


def circling(rng, noise):
    columns = game(rng, 0, 1.0 + 0.4 * np.sin(2 * np.pi * STEP / 50), 1.0)
    columns["d_loss"] += 0.4 * noise * rng.standard_normal(ROWS)
    return columns


def began(rng, noise):
    fall = 0.1 + 0.4 * np.exp(-STEP / 300)
    k = np.clip(STEP / 1000, 0, 1)
    return game(rng, noise, fall, fall, measure=fall * shaken(rng, noise), k=k)


def began_stuck(rng, noise):
    measure = 0.3 * shaken(rng, noise)
    return game(rng, noise, 0.3, 0.1, measure=measure, k=np.clip(STEP / 400, 0, 1))


def falling(rng, noise):
    return {"step": STEP, "loss": (0.02 + np.exp(-STEP / 300)) * shaken(rng, noise)}


def settled(rng, noise):
    loss = (0.1 + np.exp(-STEP / 20)) * shaken(rng, noise)
    return {"step": STEP, "loss": loss, "g_gradient": loss / 10}


def risen(rng, noise):
    loss = 0.1 + np.exp(-STEP / 20) + 0.2 * (STEP > 600)
    return {"step": STEP, "loss": loss * shaken(rng, noise)}


def stuck(rng, noise):
    return {"step": STEP, "loss": 0.5 * shaken(rng, noise)}


def vae(rng, noise):
    parts = {"reconstruction": 160 + 300 * np.exp(-STEP / 20), "kl": 5 * shaken(rng, noise)}
    return {"step": STEP, "loss": sum(parts.values()) + noise * rng.standard_normal(ROWS), **parts}


def collapsed(rng, noise):
    kl = 1e-3 + 4 * np.exp(-STEP / 20)
    return vae(rng, noise) | {"kl": kl * shaken(rng, noise)}


def classes_learnt(rng, noise):
    loss = (0.02 + 4.6 * np.exp(-STEP / 60)) * shaken(rng, noise / 2)
    accuracy = np.clip(1 - 0.9 * np.exp(-STEP / 60), 0, 1)
    return ahead(rng, noise) | {"class_loss": loss, "class_accuracy": accuracy}


def codes_not_learnt(rng, noise):
    return ahead(rng, noise) | {"code_loss": 0.335 + noise * 0.02 * rng.standard_normal(ROWS)}


def codes_in_part(rng, noise):
    return ahead(rng, noise) | {"code_loss": 0.15 + 0.5 * np.exp(-STEP / 20)}


def codes_guessed(rng, noise):
    """The error has fallen, and yet only to that of guessing."""
    return ahead(rng, noise) | {"code_loss": 1 / 3 + 0.3 * np.exp(-STEP / 20)}


def classes_fallen(rng, noise):
    loss = (1 + 1.3 * np.exp(-STEP / 60)) * shaken(rng, noise / 2)
    return ahead(rng, noise) | {"class_loss": loss}


def classes_not_learnt(rng, noise):
    return ahead(rng, noise) | {"class_loss": 2.3 + noise * 0.1 * rng.standard_normal(ROWS)}


def pix2pix(rng, noise):
    return ahead(rng, noise) | {"distance": (0.1 + np.exp(-STEP / 300)) * shaken(rng, noise)}


def pix2pix_settled(rng, noise):
    return ahead(rng, noise) | {"distance": (0.1 + np.exp(-STEP / 30)) * shaken(rng, noise)}


def holed(rng, noise):
    columns = ahead(rng, noise)
    columns["d_loss"][[3, 400, 799]] = np.nan, np.inf, -np.inf
    return columns


def unknown(rng, noise):
    return {"step": STEP, "colour": shaken(rng, noise), "d_loss": np.full(ROWS, 3.0)}


CHARACTERS = {
    won: (BCE, {"won", "shrunk"}),
    far_but_alive: (BCE, {"far", "kept"}),
    ahead: (BCE, {"ahead"}),
    balanced: (BCE, {"balance"}),
    beaten: (BCE, {"generator"}),
    hinge_won: (HINGE, {"far"}),
    hinge_ahead: (HINGE, {"ahead"}),
    lsgan_balanced: (LSGAN, {"balance"}),
    vanished: (BCE, {"ahead", "shrunk"}),
    wgan_falling: (WGAN, {"estimate falling"}),
    wgan_settled: (WGAN, {"estimate settled"}),
    wgan_rising: (WGAN, {"estimate rising"}),
    wgan_negative: (WGAN, {"negative"}),
    wgan_penalised: (WGAN, {"estimate settled", "penalty"}),
    wgan_gp: (WGAN, {"estimate settled"}),
    wgan_unbounded: (WGAN, {"estimate rising", "explodes"}),
    circling: (BCE, {"oscillates"}),
    began: ({}, {"M falling"}),
    began_stuck: ({}, {"M settled", "k"}),
    falling: ({}, {"loss falling"}),
    settled: ({}, {"loss settled"}),
    risen: ({}, {"loss risen"}),
    stuck: ({}, {"never fell"}),
    vae: ({}, {"loss settled"}),
    collapsed: ({}, {"loss settled", "collapsed"}),
    classes_learnt: (BCE, {"ahead", "learnt"}),
    codes_not_learnt: (BCE, {"ahead", "not learnt"}),
    codes_in_part: (BCE, {"ahead", "in part"}),
    codes_guessed: (BCE, {"ahead", "not learnt"}),
    classes_fallen: (BCE, {"ahead", "easier"}),
    classes_not_learnt: (BCE, {"ahead", "not learnt"}),
    pix2pix: (BCE, {"ahead", "distance falling"}),
    pix2pix_settled: (BCE, {"ahead", "distance settled"}),
    holed: (BCE, {"ahead", "nan"}),
    unknown: ({}, {"nothing"}),
}


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


# --- the questions asked of a column


@pytest.mark.parametrize("seed", range(5))
def test_how_long_something_has_held_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal(300))
    step = np.sort(rng.choice(5000, 300, replace=False))
    limit = np.median(values[-50:]) - 1
    held = Trace(step, values).held(lambda level: level > limit)
    middle, since = SMOOTH // 2, None
    for row in range(299 - middle, middle - 1, -1):
        if not sorted(values[row - middle : row + middle + 1])[middle] > limit:
            break
        since = row
    if since is None:
        assert held == 0
    elif since == middle:
        assert held == step[-1] - step[0]
    else:
        assert held == step[-1] - step[since]


def test_a_trend_is_certain_as_stated():
    """Orders of ten numbers by their inversions: a share of 0.9 % has |S| of 29 or more."""
    counts = np.array([1])
    for n in range(2, BLOCKS + 1):  # one more number adds 0 … n - 1 inversions
        counts = np.convolve(counts, np.ones(n, int))
    score = 45 - 2 * np.arange(46)
    share = counts[np.abs(score) >= CERTAIN].sum() / counts.sum()
    assert round(share, 3) == 0.009
    assert counts[np.abs(score) >= CERTAIN - 2].sum() / counts.sum() > 0.01


@pytest.mark.parametrize("noise", [0.1, 1.0, 30.0])
def test_noise_has_no_trend(noise):
    """Of 1000 flat curves nine are expected to be called rising or falling, 24 is five sigma."""
    rng = np.random.default_rng(1)
    rows = np.arange(200)
    words = [Trace(rows, 1 + noise * rng.standard_normal(200)).trend(0).word for _ in range(1000)]
    assert sum(word != "" for word in words) <= 24


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.99, 1.0])
def test_noise_whose_neighbours_are_alike_does_not_oscillate(memory):
    """Fewer than ten of a thousand, up to a random walk."""
    noise = np.random.default_rng(2).standard_normal((1000, 400))
    walks = lfilter([1], [1, -memory], noise, axis=1)
    assert sum(oscillation(walk) is not None for walk in walks) < 10


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("period", [20, 75, 180])
def test_a_period_under_noise_is_found(period, noise):
    rng = np.random.default_rng(3)
    for _ in range(20):
        phase = 2 * np.pi * (np.arange(1000) / period + rng.random())
        found = oscillation(
            7 + np.arange(1000) / 300 + np.sin(phase) + noise * rng.normal(size=1000)
        )
        assert found.period == pytest.approx(period, rel=0.06)
        assert found.amplitude == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("curve", ["burst", "trend", "step", "few", "constant"])
def test_what_is_no_oscillation(curve):
    rows = np.arange(1000)
    values = {
        "burst": 1.0 + 9.0 * (rows % 100 == 0),  # a critic trained to the end now and then
        "trend": rows / 100,
        "step": 1.0 * (rows > 500),
        "few": np.sin(rows / 250 * 2 * np.pi),  # four periods
        "constant": np.full(1000, 1 / 3),
    }[curve]
    assert oscillation(values) is None


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
