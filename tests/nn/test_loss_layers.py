"""Loss layers: every option reaches the function, weights are state, all print as in PyTorch."""

import inspect

import numpy as np
import pytest

import minigan
from minigan import nn, tensor
from minigan.nn import functional as F

rng = np.random.default_rng(4)
X, T = rng.standard_normal((2, 3, 4)).astype("float32")
P, Q = rng.uniform(0.1, 0.9, (2, 3, 4)).astype("float32")
SIGNS = np.where(rng.random((3, 4)) < 0.5, -1, 1).astype("float32")
CLASSES = np.array([0, 3, 1])
W, V = (tensor(w) for w in rng.uniform(0.5, 2, (2, 4)).astype("float32"))

CASES = [
    (nn.MSELoss, F.mse_loss, (X, T), {}),
    (nn.L1Loss, F.l1_loss, (X, T), {}),
    (nn.SmoothL1Loss, F.smooth_l1_loss, (X, T), {"beta": 0.3}),
    (nn.BCELoss, F.binary_cross_entropy, (P, Q), {"weight": W}),
    (
        nn.BCEWithLogitsLoss,
        F.binary_cross_entropy_with_logits,
        (X, Q),
        {"weight": W, "pos_weight": V},
    ),
    (nn.NLLLoss, F.nll_loss, (X, CLASSES), {"weight": W, "ignore_index": 3}),
    (
        nn.CrossEntropyLoss,
        F.cross_entropy,
        (X, CLASSES),
        {"weight": W, "ignore_index": 1, "label_smoothing": 0.2},
    ),
    (nn.CrossEntropyLoss, F.cross_entropy, (X, Q), {"weight": W, "label_smoothing": 0.2}),
    (nn.KLDivLoss, F.kl_div, (X, Q), {}),
    (nn.KLDivLoss, F.kl_div, (X, Q), {"log_target": True}),
    (nn.HingeEmbeddingLoss, F.hinge_embedding_loss, (X, SIGNS), {"margin": 0.4}),
]
every_case = pytest.mark.parametrize(
    ("layer", "function", "data", "options"), CASES, ids=[c[0].__name__ for c in CASES]
)


@every_case
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_layer_is_its_function_with_its_options(layer, function, data, options, reduction):
    x, t = map(tensor, data)
    y = layer(reduction=reduction, **options)(x, t)
    assert y.tolist() == function(x, t, reduction=reduction, **options).tolist()
    assert y.dtype == np.float32
    for name in options:  # each one counts
        fewer = {k: v for k, v in options.items() if k != name}
        assert y.tolist() != layer(reduction=reduction, **fewer)(x, t).tolist()


@every_case
def test_weights_are_buffers_and_nothing_is_printed(layer, function, data, options):
    module = layer(**options)
    weights = [name for name in ("weight", "pos_weight") if name in options]
    assert list(module.state_dict()) == weights
    assert list(module.parameters()) == []
    assert {b.dtype.name for b in module.double().buffers()} <= {"float64"}
    assert repr(module) == f"{layer.__name__}()"
    assert list(layer().state_dict()) == []


@every_case
def test_defaults_and_names_of_options_are_the_functions(layer, function, data, options):
    own = inspect.signature(layer.__init__).parameters
    its = inspect.signature(function).parameters
    shared = [name for name in own if name != "self"]
    assert set(shared) == set(its) - {"input", "target"}
    assert [own[name].default for name in shared] == [its[name].default for name in shared]


@every_case
def test_the_gradient_reaches_the_input(layer, function, data, options):
    x, t = tensor(data[0], requires_grad=True), tensor(data[1])
    (g,) = minigan.grad(layer(**options)(x, t), x)
    assert (g.shape, g.dtype) == ((3, 4), np.float32)
    assert np.isfinite(g.numpy()).all() and g.numpy().any()


def test_batchmean_is_kl_divs_own():
    x, t = tensor(X), tensor(Q)
    total = nn.KLDivLoss("sum")(x, t).item()
    assert nn.KLDivLoss("batchmean")(x, t).item() == pytest.approx(total / 3)
    with pytest.raises(ValueError, match=r'l1_loss: reduction must be .* got "batchmean"'):
        nn.L1Loss("batchmean")(x, t)


def test_loading_a_state_replaces_the_weights():
    one, other = nn.NLLLoss(W), nn.NLLLoss(V)
    one.load_state_dict(other.state_dict())
    x, t = tensor(X), tensor(CLASSES)
    assert one(x, t).item() == other(x, t).item()
