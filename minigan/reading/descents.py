"""Losses that one network, or both together, just go down: autoencoders, classes, codes."""

from __future__ import annotations

from .trace import Curves, text

FLAT = 0.02  # a change of this share in the last half is too small to wait for
RISEN = 1.5  # how far above its lowest running median a loss must stand to have risen again
COLLAPSED = 0.05  # nats: a code that says less than this about an image says nothing
LEARNT, UNLEARNT = 0.1, 0.9  # shares of the loss of networks that can read nothing
GUESSED = 1 / 3  # the variance of a code from U(-1, 1): the squared error of always saying 0


def descent(curves: Curves) -> list[str]:
    """The loss of an autoencoder, and what its parts say."""
    if "loss" not in curves:
        return []
    trace = curves["loss"]
    trend = trace.trend(FLAT)
    lowest = int(trace.smooth.argmin())
    low = float(trace.smooth[lowest])
    said = []
    if low > 0 and trace.end >= RISEN * low:
        lr = curves.options.get("lr")
        said.append(
            f"the loss has risen again: it was {text(low)} at step {trace.at[lowest]} and is "
            f"{text(trace.end)} now" + (f"; try --set lr={lr / 4:.3g}" if lr else "")
        )
    elif trend.word == "falling":
        said.append(f"the loss is still falling: {trend}; try --steps {2 * curves.last}")
    elif trend.word == "flat" and trace.end < UNLEARNT * trace.start:
        said.append(f"the loss has settled: {trend}, from {text(trace.start)} at the start")
    elif trend.word == "flat":
        said.append(f"the loss has hardly fallen: {text(trace.start)} at the start, {trend}")
    else:
        said.append(f"the loss moves without a clear trend: {trend}")
    return said + _collapse(curves)


def _collapse(curves: Curves) -> list[str]:
    """A variational autoencoder whose code has become noise."""
    if "kl" not in curves or curves["kl"].end > COLLAPSED:
        return []
    steps = curves["kl"].held(lambda kl: kl <= COLLAPSED)
    return [
        f"the posterior has collapsed: for the last {steps} steps the code has told at most "
        f"{COLLAPSED} nats about an image (kl {text(curves['kl'].end)}), so all images decode alike"
    ]


def distance(curves: Curves) -> list[str]:
    """How far translated images are from their targets."""
    if "distance" not in curves:
        return []
    trend = curves["distance"].trend(FLAT)
    state = {"falling": "is still falling", "rising": "is rising", "flat": "has settled"}
    further = f"; try --steps {2 * curves.last}" if trend.word == "falling" else ""
    moves = state.get(trend.word, "moves without a clear trend")
    return [f"the distance to the targets {moves}: {trend}{further}"]


def told(curves: Curves) -> list[str]:
    """Whether classes and codes can be read off the generated images."""
    return [*_classes(curves), *_codes(curves)]


def _classes(curves: Curves) -> list[str]:
    if "class_loss" not in curves:
        return []
    start, end = curves["class_loss"].start, curves["class_loss"].end
    span = f"class_loss {text(start)} at the start, {text(end)} in the last tenth"
    if "class_accuracy" in curves:
        share = curves["class_accuracy"].level(0.9, 1)
        span += f", {share:.0%} of the real {curves.unit} named rightly"
    if end <= LEARNT * start:
        return [f"the classes are learnt: {span}"]
    if end >= UNLEARNT * start:
        return [f"the classes are not learnt: {span}"]
    # Untrained networks may do worse than guessing: a fall can end at no more than that.
    return [f"the classes are easier to read than at the start: {span}"]


def _codes(curves: Curves) -> list[str]:
    if "code_loss" not in curves:
        return []
    end = curves["code_loss"].end
    span = f"code_loss {text(end)} in the last tenth, {text(GUESSED)} for one who always says 0"
    if end <= LEARNT * GUESSED:
        return [f"the codes are learnt: {span}"]
    if end >= UNLEARNT * GUESSED:
        return [f"the codes are not learnt: {span}"]
    return [f"the codes are learnt in part: {span}"]
