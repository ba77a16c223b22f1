"""Every public function as programs of float tensors: name, shapes of the operands, programs.

Parameters are given as ``wide`` numbers: float64 scalars are Python floats for isinstance, but not
for NumPy's promotion.
"""

import numpy as np

import minigan
from minigan import tensor
from minigan.nn import functional as F
from minigan.ops import accumulate, arrange, einsum, extremes, pick, smooth, softmax, sorting

wide = np.float64
N, LINE, MATRIX, IMAGE = (2, 3), (2, 4, 6), (3, 2), (2, 4, 4, 6)
FILTER, BACK = (4, 2, 3, 3), (4, 2, 3, 3)
MASK = tensor([[True, False, True], [False, True, True]])
TARGET = tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 1.0]])
CLASSES, INDEX = tensor([2, 0]), tensor([[0, 2], [1, 1]])


def statistics():
    return minigan.zeros(4), minigan.ones(4)


def assigned(x, v):
    """A copy of x with numbers, tensors and products written into it."""
    y = x.clone()
    y[0, 1:] = v
    y[:, [0, 0]] = v * v
    y[1] += v[0]
    y[MASK] = wide(2)
    y[1, 1] = 3
    return y


CORE = {
    "abs": ([N], minigan.abs),
    "add": ([N, N], minigan.add, lambda a, b: minigan.add(a, b, alpha=wide(0.5))),
    "batch_norm": (
        [IMAGE, (4,), (4,)],
        lambda x, w, b: minigan.batch_norm(x, None, None, w, b, True, eps=wide(1e-5)),
        lambda x, w, b: minigan.batch_norm(x, *statistics(), w, b, True, wide(0.1)),
        lambda x, w, b: minigan.batch_norm(x, *statistics(), w, b, eps=wide(1)),
    ),
    "cat": ([N, N], lambda a, b: minigan.cat([a, b], 1)),
    "chunk": ([N], lambda x: minigan.chunk(x, 2)[0]),
    "clamp": ([N], lambda x: minigan.clamp(x, 0.5, wide(0.9)), lambda x: minigan.clamp(x, 0)),
    "clone": ([N], minigan.clone),
    "conv2d": ([IMAGE, FILTER, (4,)], lambda x, w, b: minigan.conv2d(x, w, b, 2, 1, groups=2)),
    "conv_transpose2d": (
        [IMAGE, BACK, (2,)],
        lambda x, w, b: minigan.conv_transpose2d(x, w, b, 2, 1, 1),
        lambda x, w, b: minigan.conv_transpose2d(x, w, b, 1, 0, 1, dilation=2),
    ),
    "div": ([N, N], minigan.div),
    "dropout": ([N], lambda x: minigan.dropout(x, wide(0.5)), lambda x: minigan.dropout(x, 1)),
    "exp": ([N], minigan.exp),
    "flatten": ([N], minigan.flatten),
    "log": ([N], minigan.log),
    "matmul": ([N, MATRIX], minigan.matmul, lambda a, b: a[0] @ b, lambda a, b: a @ b[:, 0]),
    "mean": ([N], minigan.mean, lambda x: minigan.mean(x, 0, True)),
    "mul": ([N, N], minigan.mul),
    "narrow": ([N], lambda x: minigan.narrow(x, 1, 1, 2)),
    "neg": ([N], minigan.neg),
    "permute": ([N], lambda x: minigan.permute(x, 1, 0)),
    "pow": (
        [N, N],
        minigan.pow,
        lambda a, b: a ** wide(2.5) + a**2 + a**1 + a**0 + wide(2) ** b + 2**b,
    ),
    "relu": ([N], lambda x: minigan.relu(x - 0.5)),
    "reshape": ([N], lambda x: minigan.reshape(x, 3, 2)),
    "sigmoid": ([N], minigan.sigmoid),
    "sign": ([N], minigan.sign),
    "true_divide": ([N, N], minigan.true_divide),
    "clip": ([N], lambda x: minigan.clip(x, 0.4, wide(0.8))),
    "floor": ([N], minigan.floor),
    "ceil": ([N], minigan.ceil),
    "round": ([N], minigan.round),
    "trunc": ([N], minigan.trunc),
    "sqrt": ([N], minigan.sqrt),
    "square": ([N], minigan.square),
    "squeeze": ([(2, 1)], minigan.squeeze),
    "stack": ([N, N], lambda a, b: minigan.stack([a, b])),
    "sub": ([N, N], minigan.sub, lambda a, b: minigan.sub(a, b, alpha=wide(0.5))),
    "sum": ([N], minigan.sum, lambda x: minigan.sum(x, (0, 1), True)),
    "t": ([N], minigan.t),
    "tanh": ([N], minigan.tanh),
    "transpose": ([N], lambda x: minigan.transpose(x, 0, 1)),
    "unflatten": ([(6,)], lambda x: minigan.unflatten(x, 0, (2, 3))),
    "unsqueeze": ([N], lambda x: minigan.unsqueeze(x, 0)),
    "var": (
        [N],
        minigan.var,
        lambda x: minigan.var(x, 0, correction=wide(0.5)),
        lambda x: minigan.var(x, unbiased=False),
    ),
    "where": (
        [N, N],
        lambda a, b: minigan.where(MASK, a, b),
        lambda a, b: minigan.where(MASK, a, wide(0)) + minigan.where(MASK, 1, b),
    ),
}

# Tensor's own, and operands without dimensions.
METHODS = {
    "getitem": ([N], lambda x: x[0] * x[[1]] * x[:, tensor([0, 1, 1])] + x[MASK][:3]),
    "setitem": ([N, (2,)], assigned),
    "expand": ([(2, 1)], lambda x: x.expand(2, 3)),
    "to": ([N], lambda x: x.type_as(x), lambda x: x.to(np.float32), lambda x: x.float()),
    "0-d": ([(), N], lambda a, b: a * b + a**b - b / a),
    "max norm": ([N], lambda x: ((x * x).flatten(1).sum(1).sqrt() - 1) ** 2),
}

ARRANGING = {
    "cumsum": ([N], lambda x: accumulate.cumsum(x, 1)),
    "norm": ([N], lambda x: accumulate.norm(x), lambda x: accumulate.norm(x, wide(3), 0)),
    "prod": ([N], lambda x: accumulate.prod(x), lambda x: accumulate.prod(x, 1)),
    "std": ([N], lambda x: accumulate.std(x), lambda x: accumulate.std(x, 0, correction=wide(0))),
    "broadcast_to": ([N], lambda x: arrange.broadcast_to(x, (4, 2, 3))),
    "diagonal": ([N], lambda x: arrange.diagonal(x)),
    "flip": ([N], lambda x: arrange.flip(x, 0)),
    "meshgrid": ([(2,), (3,)], lambda a, b: arrange.meshgrid(a, b)[0]),
    "repeat": ([N], lambda x: arrange.repeat(x, 2, 2)),
    "roll": ([N], lambda x: arrange.roll(x, 1, 1)),
    "split": ([N], lambda x: arrange.split(x, 2, 1)[1]),
    "tile": ([N], lambda x: arrange.tile(x, 2)),
    "tril": ([N], lambda x: arrange.tril(x)),
    "triu": ([N], lambda x: arrange.triu(x)),
    "unbind": ([N], lambda x: arrange.unbind(x)[1]),
    "gather": ([N], lambda x: pick.gather(x, 1, INDEX)),
    "index_select": ([N], lambda x: pick.index_select(x, 1, CLASSES)),
    "masked_fill": ([N], lambda x: pick.masked_fill(x, MASK, wide(0.5))),
    "take_along_dim": ([N], lambda x: pick.take_along_dim(x, INDEX, 1)),
    "addmm": (
        [(2, 2), N, MATRIX],
        lambda c, a, b: einsum.addmm(c, a, b, beta=wide(0.5), alpha=wide(2)),
    ),
    "bmm": ([(2, 2, 3), (2, 3, 2)], lambda a, b: einsum.bmm(a, b)),
    "dot": ([(3,), (3,)], lambda a, b: einsum.dot(a, b)),
    "einsum": ([N, MATRIX], lambda a, b: einsum.einsum("ij,jk->ik", a, b)),
    "mm": ([N, MATRIX], lambda a, b: einsum.mm(a, b)),
    "outer": ([(2,), (3,)], lambda a, b: einsum.outer(a, b)),
    "amax": ([N], lambda x: extremes.amax(x, 1)),
    "amin": ([N], lambda x: extremes.amin(x, 1)),
    "max": ([N], lambda x: extremes.max(x), lambda x: extremes.max(x, 1).values),
    "min": ([N], lambda x: extremes.min(x), lambda x: extremes.min(x, 1).values),
    "maximum": ([N, N], lambda a, b: extremes.maximum(a, b) + extremes.maximum(a, wide(0.5))),
    "minimum": ([N, N], lambda a, b: extremes.minimum(a, b) + extremes.minimum(wide(0.5), b)),
    "cos": ([N], lambda x: smooth.cos(x)),
    "erf": ([N], lambda x: smooth.erf(x)),
    "expm1": ([N], lambda x: smooth.expm1(x)),
    "log1p": ([N], lambda x: smooth.log1p(x)),
    "reciprocal": ([N], lambda x: smooth.reciprocal(x)),
    "rsqrt": ([N], lambda x: smooth.rsqrt(x)),
    "sin": ([N], lambda x: smooth.sin(x)),
    "logsumexp": ([N], lambda x: softmax.logsumexp(x, 1)),
}

MORE = {
    "addcmul": ([N, N, N], lambda a, b, c: minigan.addcmul(a, b, c, value=wide(2))),
    "addcdiv": ([N, N, N], lambda a, b, c: minigan.addcdiv(a, b, c, value=wide(2))),
    "lerp": ([N, N], lambda a, b: minigan.lerp(a, b, wide(0.3)), lambda a, b: a.lerp(b, b)),
    "remainder": ([N, N], minigan.remainder, lambda a, b: a % wide(0.4) + wide(2) % b),
    "fmod": ([N, N], minigan.fmod, lambda a, b: minigan.fmod(a, wide(0.4)) * b),
    "divide": ([N, N], minigan.divide, lambda a, b: minigan.div(a, b, rounding_mode="floor") * a),
    "log2": ([N], minigan.log2),
    "log10": ([N], minigan.log10),
    "concat": ([N, N], lambda a, b: minigan.concat([a, b])),
    "swapaxes": ([N], lambda x: minigan.swapaxes(x, 0, 1)),
    "movedim": ([N], lambda x: minigan.movedim(x, 0, 1)),
    "select": ([N], lambda x: minigan.select(x, 0, 1)),
    "masked_select": ([N], lambda x: sorting.masked_select(x, MASK)),
    "repeat_interleave": ([N], lambda x: arrange.repeat_interleave(x, 2)),
    "scatter": (
        [N, N],
        lambda x, v: minigan.scatter(x, 1, INDEX, v),
        lambda x, v: minigan.scatter(x, 1, INDEX, value=wide(2)) * v,
    ),
    "scatter_add": ([N, N], lambda x, v: minigan.scatter_add(x, 1, INDEX, v)),
    "sort": ([N], lambda x: sorting.sort(x, 1, descending=True).values),
    "topk": ([N], lambda x: sorting.topk(x, 2).values),
    "in place": ([N, N], lambda a, b: (a * 1).mul_(wide(2)).add_(b, alpha=wide(3)).relu_()),
}

NETWORKS = {
    "adaptive_avg_pool2d": ([IMAGE], lambda x: F.adaptive_avg_pool2d(x, (3, 2))),
    "avg_pool2d": ([IMAGE], lambda x: F.avg_pool2d(x, 2, padding=1)),
    "conv1d": ([LINE, (3, 2, 3), (3,)], lambda x, w, b: F.conv1d(x[:, :2], w, b, 2, 1)),
    "conv_transpose1d": ([LINE, (4, 2, 3), (2,)], lambda x, w, b: F.conv_transpose1d(x, w, b, 2)),
    "dropout2d": ([IMAGE], lambda x: F.dropout2d(x, 0.5)),
    "elu": ([N], lambda x: F.elu(x - 0.5, wide(0.7))),
    "embedding": ([(4, 3)], lambda w: F.embedding(INDEX, w), lambda w: F.embedding(INDEX, w, 1)),
    "fold": ([(2, 4, 15)], lambda x: F.fold(x, (4, 6), 2)),
    "glu": ([(2, 4)], F.glu),
    "selu": ([N], lambda x: F.selu(x - 0.5)),
    "relu6": ([N], lambda x: F.relu6(x - 0.5)),
    "gelu": ([N], F.gelu, lambda x: F.gelu(x, "tanh")),
    "group_norm": ([IMAGE, (4,), (4,)], lambda x, w, b: F.group_norm(x, 2, w, b, wide(1e-5))),
    "hardtanh": ([N], lambda x: F.hardtanh(x, wide(0), wide(0.7))),
    "instance_norm": (
        [IMAGE, (4,), (4,)],
        lambda x, w, b: F.instance_norm(x, *statistics(), w, b, momentum=wide(0.1), eps=wide(1)),
    ),
    "interpolate": (
        [IMAGE],
        lambda x: F.interpolate(x, scale_factor=2),
        lambda x: F.interpolate(x, size=(7, 3)),
    ),
    "layer_norm": ([N, (3,), (3,)], lambda x, w, b: F.layer_norm(x, (3,), w, b, wide(1e-5))),
    "leaky_relu": (
        [N],
        lambda x: F.leaky_relu(x - 0.5, wide(0.2)),
        lambda x: F.leaky_relu(x - 0.5, wide(-2)),
    ),
    "linear": ([N, (4, 3), (4,)], F.linear),
    "log_softmax": ([N], lambda x: F.log_softmax(x, 1)),
    "logsigmoid": ([N], F.logsigmoid),
    "max_pool2d": ([IMAGE], lambda x: F.max_pool2d(x, 2)),
    "normalize": ([N], lambda x: F.normalize(x, eps=wide(1e-12))),
    "pad": ([N], lambda x: F.pad(x, (1, 2), value=wide(0.5))),
    "pixel_shuffle": ([IMAGE], lambda x: F.pixel_shuffle(x, 2)),
    "pixel_unshuffle": ([IMAGE], lambda x: F.pixel_unshuffle(x, 2)),
    "prelu": ([N, (3,)], lambda x, w: F.prelu(x - 0.5, w)),
    "silu": ([N], F.silu),
    "softmax": ([N], lambda x: F.softmax(x, 1)),
    "softplus": ([N], F.softplus, lambda x: F.softplus(x, wide(2), wide(0.5))),
    "softsign": ([N], F.softsign),
    "unfold": ([IMAGE], lambda x: F.unfold(x, 2, padding=1)),
}

LOSSES = {
    "binary_cross_entropy": ([N, N], lambda x, w: F.binary_cross_entropy(x.sigmoid(), TARGET, w)),
    "binary_cross_entropy_with_logits": (
        [N, N],
        lambda x, w: F.binary_cross_entropy_with_logits(x, TARGET, w),
        lambda x, w: F.binary_cross_entropy_with_logits(x, TARGET, pos_weight=w),
    ),
    "cosine_similarity": ([N, N], lambda a, b: F.cosine_similarity(a, b, eps=wide(1e-8))),
    "cross_entropy": (
        [N, (3,)],
        lambda x, w: F.cross_entropy(x, CLASSES, w, label_smoothing=wide(0.1)),
        lambda x, w: F.cross_entropy(x, TARGET, w),
    ),
    "hinge_embedding_loss": (
        [N],
        lambda x: F.hinge_embedding_loss(x, TARGET.sign() * 2 - 1, wide(1.5)),
    ),
    "kl_div": ([N], lambda x: F.kl_div(x, TARGET)),
    "l1_loss": ([N, N], F.l1_loss),
    "mse_loss": ([N, N], F.mse_loss),
    "nll_loss": ([N, (3,)], lambda x, w: F.nll_loss(x, CLASSES, w)),
    "smooth_l1_loss": ([N, N], lambda a, b: F.smooth_l1_loss(a, b, beta=wide(0.2))),
}

TABLE = CORE | METHODS | ARRANGING | MORE | NETWORKS | LOSSES

# What makes tensors, answers in bools or integers, or is no operation.
OTHERS = """
arange as_tensor empty eye from_numpy full full_like ones ones_like rand rand_like randint randn
randn_like randperm tensor zeros zeros_like one_hot
eq ge gt le lt ne isfinite isnan all any argmax argmin bitwise_not logical_not
backward grad enable_grad no_grad is_grad_enabled set_grad_enabled gradcheck manual_seed
default_generator get_default_dtype set_default_dtype get_num_threads set_num_threads
get_default_device set_default_device device Device Function Generator GradcheckError Tensor load
save
randint_like linspace isinf allclose
empty_like normal bernoulli multinomial argsort nonzero count_nonzero floor_divide
bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift
equal isclose logical_and logical_or logical_xor initial_seed get_rng_state set_rng_state
inference_mode finfo iinfo Size inf nan pi use_deterministic_algorithms
autocast is_autocast_enabled get_autocast_dtype
BoolTensor ByteTensor DoubleTensor FloatTensor HalfTensor IntTensor LongTensor
"""
