"""One program for every public function that has a gradient, and the list of those without."""

from __future__ import annotations

import numpy as np

import minigan

from .. import Generator, Tensor
from ..nn import functional as F
from .functions import CUBE, FILTER, GRID, ROW

LINE, SERIES, IMAGE = (6,), (2, 4, 6), (2, 4, 4, 6)
LABELS = Tensor(np.array([2, 0, 3]))
INDEX = Tensor(np.array([[0, 2, 1], [1, 1, 0]]))
MASK = Tensor(np.arange(12).reshape(3, 4) % 3 == 0)
SIGNS = Tensor(np.where(np.arange(12).reshape(3, 4) % 2, 1.0, -1.0))


def _probabilities(x: Tensor) -> Tensor:
    """Constants between 0 and 1, where x is."""
    return Tensor(np.random.default_rng(1).uniform(0.1, 0.9, GRID)).to(x.device)


def _rng(x: Tensor) -> Generator:
    return Generator(x.device).manual_seed(0)


def _plain(shapes: list, names: str) -> dict:
    """Functions of tensors alone."""
    found = {}
    for name in names.split():
        function = getattr(minigan, name, None) or getattr(F, name)
        found[name] = (shapes, lambda *xs, f=function: f(*xs))
    return found


POSITIVE = {
    "cosine_similarity",
    "div",
    "divide",
    "log",
    "log10",
    "log1p",
    "log2",
    "norm",
    "pow",
    "prod",
    "reciprocal",
    "rsqrt",
    "sqrt",
    "std",
    "true_divide",
}

# Their options are made for the shapes given here; the others get drawn ones.
FIXED = {
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "conv1d",
    "conv2d",
    "cross_entropy",
    "embedding",
    "fold",
    "gather",
    "glu",
    "group_norm",
    "hinge_embedding_loss",
    "index_select",
    "kl_div",
    "layer_norm",
    "masked_fill",
    "masked_select",
    "narrow",
    "nll_loss",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "reshape",
    "scatter",
    "scatter_add",
    "select",
    "unflatten",
    "where",
}

PUBLIC: dict[str, tuple] = {
    **_plain(
        [GRID],
        "abs clone cos erf exp expm1 flatten log log1p neg prod reciprocal relu rsqrt sigmoid sign "
        "floor ceil round trunc "
        "sin sqrt square squeeze sum mean var std t tanh norm max min amax amin triu tril "
        "elu gelu glu selu relu6 hardtanh leaky_relu logsigmoid silu softplus softsign normalize "
        "log2 log10",
    ),
    **_plain([CUBE, GRID], "add sub mul div divide maximum minimum pow remainder fmod"),
    **_plain([GRID, GRID], "l1_loss mse_loss smooth_l1_loss cosine_similarity"),
    **_plain([GRID, GRID, GRID], "addcmul addcdiv lerp"),
    "addmm": ([(3, 2), GRID, (4, 2)], lambda c, a, b: minigan.addmm(c, a, b, beta=0.5, alpha=2)),
    "bmm": ([CUBE, (2, 4, 2)], minigan.bmm),
    "mm": ([GRID, (4, 2)], minigan.mm),
    "matmul": ([CUBE, (4, 2)], minigan.matmul),
    "dot": ([ROW, ROW], minigan.dot),
    "outer": ([ROW, LINE], minigan.outer),
    "einsum": ([GRID, (4, 2)], lambda a, b: minigan.einsum("ij,jk->ki", a, b)),
    # shapes and places
    "broadcast_to": ([GRID], lambda x: minigan.broadcast_to(x, CUBE)),
    "concat": ([GRID, GRID], lambda a, b: minigan.concat([a, b], 1)),
    "swapaxes": ([CUBE], lambda x: minigan.swapaxes(x, 0, 2)),
    "movedim": ([CUBE], lambda x: minigan.movedim(x, 0, 2)),
    "select": ([CUBE], lambda x: minigan.select(x, 1, 2)),
    "masked_select": ([GRID], lambda x: minigan.masked_select(x, MASK.to(x.device))),
    "repeat_interleave": ([GRID], lambda x: minigan.repeat_interleave(x, 2, 1)),
    "scatter": ([GRID, GRID], lambda x, v: minigan.scatter(x, 0, INDEX.to(x.device), v)),
    "scatter_add": ([GRID, GRID], lambda x, v: minigan.scatter_add(x, 0, INDEX.to(x.device), v)),
    "sort": ([GRID], lambda x: minigan.sort(x, 1)),
    "topk": ([GRID], lambda x: minigan.topk(x, 2)),
    "cat": ([GRID, GRID], lambda a, b: minigan.cat([a, b], 1)),
    "chunk": ([GRID], lambda x: minigan.chunk(x, 2, 1)),
    "cumsum": ([GRID], lambda x: minigan.cumsum(x, 1)),
    "diagonal": ([GRID], lambda x: minigan.diagonal(x, 1)),
    "flip": ([GRID], lambda x: minigan.flip(x, 0)),
    "gather": ([GRID], lambda x: minigan.gather(x, 0, INDEX.to(x.device))),
    "index_select": ([GRID], lambda x: minigan.index_select(x, 1, LABELS.to(x.device))),
    "masked_fill": ([GRID], lambda x: minigan.masked_fill(x, MASK.to(x.device), 0.5)),
    "meshgrid": ([ROW, LINE], minigan.meshgrid),
    "narrow": ([GRID], lambda x: minigan.narrow(x, 1, 1, 2)),
    "permute": ([CUBE], lambda x: minigan.permute(x, 2, 0, 1)),
    "reshape": ([GRID], lambda x: minigan.reshape(x, 2, 6)),
    "roll": ([GRID], lambda x: minigan.roll(x, 1, 1)),
    "split": ([GRID], lambda x: minigan.split(x, 3, 1)),
    "stack": ([GRID, GRID], lambda a, b: minigan.stack([a, b], 1)),
    "take_along_dim": ([GRID], lambda x: minigan.take_along_dim(x, INDEX[:, :1].to(x.device), 0)),
    "tile": ([GRID], lambda x: minigan.tile(x, (2, 1))),
    "transpose": ([CUBE], lambda x: minigan.transpose(x, 0, 2)),
    "unbind": ([GRID], minigan.unbind),
    "unflatten": ([GRID], lambda x: minigan.unflatten(x, 1, (2, 2))),
    "unsqueeze": ([GRID], lambda x: minigan.unsqueeze(x, 1)),
    "where": ([GRID, ROW], lambda a, b: minigan.where(MASK.to(a.device), a, b)),
    # choices and normalisation
    "clamp": ([GRID], lambda x: minigan.clamp(x, -0.5, 0.9)),
    "true_divide": ([CUBE, GRID], minigan.true_divide),
    "clip": ([GRID], lambda x: minigan.clip(x, -0.5, 0.9)),
    "dropout": ([GRID], lambda x: minigan.dropout(x, 0.4, generator=_rng(x))),
    "dropout2d": ([IMAGE], lambda x: F.dropout2d(x, 0.4, generator=_rng(x))),
    "prelu": ([GRID, ROW], F.prelu),
    "logsumexp": ([GRID], lambda x: minigan.logsumexp(x, 1)),
    "softmax": ([GRID], lambda x: minigan.softmax(x, 1)),
    "log_softmax": ([GRID], lambda x: minigan.log_softmax(x, 1)),
    "batch_norm": (
        [IMAGE, ROW, ROW],
        lambda x, w, b: minigan.batch_norm(x, None, None, w, b, training=True),
    ),
    "group_norm": ([IMAGE, ROW, ROW], lambda x, w, b: F.group_norm(x, 2, w, b)),
    "instance_norm": (
        [IMAGE, ROW, ROW],
        lambda x, w, b: F.instance_norm(x, None, None, w, b),
    ),
    "layer_norm": ([GRID, ROW, ROW], lambda x, w, b: F.layer_norm(x, ROW, w, b)),
    # networks
    "linear": ([GRID, (2, 4), (2,)], F.linear),
    "embedding": ([GRID], lambda w: F.embedding(INDEX.to(w.device), w)),
    "conv1d": ([SERIES, (4, 2, 3), ROW], lambda x, w, b: F.conv1d(x, w, b, 2, 1, groups=2)),
    "conv2d": ([IMAGE, FILTER, ROW], lambda x, w, b: F.conv2d(x, w, b, 2, 1, groups=2)),
    "conv_transpose1d": ([SERIES, (4, 2, 3), (2,)], lambda x, w, b: F.conv_transpose1d(x, w, b, 2)),
    "conv_transpose2d": (
        [IMAGE, FILTER, (2,)],
        lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1),
    ),
    "adaptive_avg_pool2d": ([IMAGE], lambda x: F.adaptive_avg_pool2d(x, (3, 2))),
    "avg_pool2d": ([IMAGE], lambda x: F.avg_pool2d(x, 2, padding=1)),
    "max_pool2d": ([IMAGE], lambda x: F.max_pool2d(x, 2)),
    "unfold": ([IMAGE], lambda x: F.unfold(x, 2, padding=1)),
    "fold": ([(2, 4, 15)], lambda x: F.fold(x, (4, 6), 2)),
    "interpolate": ([IMAGE], lambda x: F.interpolate(x, size=(7, 3), mode="bilinear")),
    "pad": ([IMAGE], lambda x: F.pad(x, (1, 2, 1, 0), mode="reflect")),
    "pixel_shuffle": ([IMAGE], lambda x: F.pixel_shuffle(x, 2)),
    "pixel_unshuffle": ([IMAGE], lambda x: F.pixel_unshuffle(x, 2)),
    # losses
    "binary_cross_entropy": (
        [GRID],
        lambda x: F.binary_cross_entropy(x.sigmoid(), _probabilities(x)),
    ),
    "binary_cross_entropy_with_logits": (
        [GRID, GRID],
        lambda x, w: F.binary_cross_entropy_with_logits(x, _probabilities(x), pos_weight=w),
    ),
    "cross_entropy": (
        [GRID],
        lambda x: F.cross_entropy(x, LABELS.to(x.device), label_smoothing=0.1),
    ),
    "hinge_embedding_loss": ([GRID], lambda x: F.hinge_embedding_loss(x, SIGNS.to(x.device), 1.5)),
    "kl_div": ([GRID], lambda x: F.kl_div(x, _probabilities(x))),
    "nll_loss": ([GRID], lambda x: F.nll_loss(x, LABELS.to(x.device))),
}

WITHOUT_GRADIENT: dict[str, str] = {
    "makes a tensor": "randint_like linspace arange as_tensor empty eye from_numpy full full_like "
    "ones ones_like rand rand_like randint randn randn_like randperm tensor zeros zeros_like "
    "empty_like normal bernoulli multinomial",
    "answers in integers": "argmax argmin one_hot argsort nonzero count_nonzero floor_divide "
    "bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift",
    "answers in booleans": "all any equal isclose logical_and logical_or logical_xor logical_not "
    "allclose isinf eq ge gt le lt ne isfinite isnan",
    "is the engine itself": "backward grad is_grad_enabled gradcheck",
    "keeps settings, seeds or files": "default_generator get_default_dtype set_default_dtype "
    "is_autocast_enabled get_autocast_dtype manual_seed load save get_num_threads set_num_threads "
    "initial_seed get_rng_state set_rng_state use_deterministic_algorithms get_default_device "
    "set_default_device",
}
