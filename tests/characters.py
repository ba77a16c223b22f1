"""Curves whose character is known, and the topics that a reading of them must have."""

import numpy as np

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
