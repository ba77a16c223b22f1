"""What holds on every rank of a group; run by test_collectives.py under mpiexec."""

import json

import numpy as np
import pytest
import ranks

import minigan
from minigan import distributed as dist
from minigan import nn, tensor
from minigan.distributed.buckets import MIB, Reducer
from minigan.distributed.process_group import current, tell


def draws(seed, *shape, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def shared(seed, *shape, dtype="float64"):
    """The arrays of all ranks, and this rank's own."""
    arrays = [draws([seed, r], *shape, dtype=dtype) for r in range(dist.get_world_size())]
    return arrays, arrays[dist.get_rank()].copy()


def same_bits_everywhere(array):
    texts = current().texts(array.tobytes().hex())
    assert len(set(texts)) == 1


def check_sums_are_those_of_numpy():
    for dtype in ("float16", "float32", "float64", "int64", "uint8", "complex128"):
        arrays, own = shared(1, 3, 5, dtype="float64")
        arrays, own = ([(a * 4).astype(dtype) for a in x] for x in (arrays, [own]))
        x = tensor(own[0])
        dist.all_reduce(x)
        tolerance = 2e-3 if dtype == "float16" else 1e-6
        np.testing.assert_allclose(x.numpy(), sum(arrays[1:], arrays[0]), tolerance, tolerance)
        assert x.dtype == dtype
        same_bits_everywhere(x.numpy())


def check_other_operations():
    arrays, own = shared(2, 7)
    expected = {"MIN": np.min, "MAX": np.max, "AVG": np.mean, "PRODUCT": np.prod}
    for name, reduced in expected.items():
        x = tensor(own)
        dist.all_reduce(x, getattr(dist.ReduceOp, name))
        np.testing.assert_allclose(x.numpy(), reduced(arrays, axis=0), 1e-12)


def check_arrays_of_any_memory_order():
    arrays, own = shared(3, 4, 6)
    for view in (lambda a: a.T, lambda a: a[:, ::2], lambda a: a[1:3, 1:3].T, np.asfortranarray):
        x = minigan.from_numpy(view(own.copy()))
        dist.all_reduce(x)
        np.testing.assert_allclose(x.numpy(), view(sum(arrays)), 1e-12)
    scalar = tensor(own[0, 0])
    dist.all_reduce(scalar)
    np.testing.assert_allclose(scalar.item(), sum(a[0, 0] for a in arrays), 1e-12)


def check_broadcast_brings_the_source_to_all():
    arrays, own = shared(4, 2, 3)
    for source in range(dist.get_world_size()):
        x = tensor(own)
        dist.broadcast(x, source)
        assert (x.numpy() == arrays[source]).all()
    flags = tensor(np.arange(4) % 2 == dist.get_rank() % 2)
    dist.broadcast(flags, 1)
    assert flags.tolist() == [False, True, False, True]


def check_several_at_once_arrive_in_any_order_of_waiting():
    arrays, own = shared(5, 6, 1000)
    tensors = [tensor(row) for row in own]
    works = [dist.all_reduce(x, async_op=True) for x in tensors]
    for x, work, i in list(zip(tensors, works, range(6), strict=True))[::-1]:
        assert work.wait() is True and work.is_completed()
        np.testing.assert_allclose(x.numpy(), sum(a[i] for a in arrays), 1e-12)


def check_texts_of_all_ranks():
    own = "ä" * dist.get_rank() + "|"
    assert current().texts(own) == ["ä" * r + "|" for r in range(dist.get_world_size())]
    assert tell({"of": dist.get_rank()}) == {"of": 0}
    dist.barrier()


def check_alone_is_a_group_of_one():
    if dist.get_rank() == 0:  # the others do not take part
        with dist.alone():
            x = tensor([3.0])
            dist.all_reduce(x)
            assert x.item() == 3 and dist.get_world_size() == 1


def check_the_gradient_of_a_sum_is_that_of_all_losses():
    """y = Σ x_r, L_s = a_s·Σ y³: ∂(Σ L_s)/∂x_r = 3·Σ a_s·y², and so to the third order."""
    arrays, own = shared(6, 5)
    weights = [1.0 + s for s in range(dist.get_world_size())]
    x = tensor(own, requires_grad=True)
    y, total, a = sum(arrays), sum(weights), weights[dist.get_rank()]
    loss = (dist.nn.all_reduce(x) ** 3).sum() * a
    (g,) = minigan.grad(loss, x, create_graph=True)
    np.testing.assert_allclose(g.detach().numpy(), 3 * total * y**2, 1e-12)
    (h,) = minigan.grad(g.sum(), x, create_graph=True)  # Σ over ranks of Σ g: n times
    n = len(arrays)
    np.testing.assert_allclose(h.detach().numpy(), 6 * n * total * y, 1e-12)
    (t,) = minigan.grad(h.sum(), x)
    np.testing.assert_allclose(t.numpy(), np.full(5, 6.0 * n * n * total), 1e-12)


def check_an_average_that_gradients_go_through():
    """y = mean x_r, L_s = a_s·Σ y²: ∂(Σ L_s)/∂x_r = 2·y·mean a."""
    arrays, own = shared(13, 4)
    x, y = tensor(own, requires_grad=True), np.mean(arrays, 0)
    mean = dist.nn.all_reduce(x, dist.ReduceOp.AVG)
    np.testing.assert_allclose(mean.detach().numpy(), y, 1e-12)
    ((mean**2).sum() * (1.0 + dist.get_rank())).backward()
    weights = [1.0 + s for s in range(len(arrays))]
    np.testing.assert_allclose(x.grad.numpy(), 2 * y * np.mean(weights), 1e-12)
    with pytest.raises(ValueError, match="op expects sum or avg"):
        dist.nn.all_reduce(x, dist.ReduceOp.MAX)


def check_what_all_ranks_gather_is_differentiable():
    """y[r] = x_r and L_s = a_s·Σ y³: ∂(Σ L_s)/∂x_r = 3·Σ a_s·x_r², of its own x alone."""
    arrays, own = shared(12, 2, 3)
    total, a = sum(1.0 + s for s in range(len(arrays))), 1.0 + dist.get_rank()
    x = tensor(own, requires_grad=True)
    rows = dist.nn.all_gather(x)
    for row, array in zip(rows, arrays, strict=True):
        assert (row.detach().numpy() == array).all()
    (g,) = minigan.grad(sum((row**3).sum() for row in rows) * a, x, create_graph=True)
    np.testing.assert_allclose(g.detach().numpy(), 3 * total * own**2, 1e-12)
    (h,) = minigan.grad(g.sum(), x)
    np.testing.assert_allclose(h.numpy(), 6 * total * own, 1e-12)
    spoilt = tensor([np.nan if dist.get_rank() == 1 else 1.0])
    found = [row.item() for row in dist.nn.all_gather(spoilt)]
    assert [np.isnan(value) for value in found] == [r == 1 for r in range(len(arrays))]


def check_gradients_are_averaged_whatever_the_buckets():
    """Of a network with biases, an unused layer and two passes that add up."""
    xs, x = shared(7, 8, 5)
    for cap in (25.0, 100 / MIB, 1e-9):
        net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
        for i, p in enumerate(net.parameters()):
            p.data.copy_(tensor(draws(70 + i, *p.shape)))
        plain = [
            [g.numpy() for g in minigan.grad((net(tensor(a)) ** 2).sum(), list(net.parameters()))]
            for a in xs
        ]
        unused = nn.Linear(2, 2)
        whole = nn.ModuleList([net, unused])
        reducer = Reducer(whole.parameters(), cap)
        assert (len(reducer.buckets) == 6) == (cap < 1e-6)
        for times in (1, 2):
            (net(tensor(x)) ** 2).sum().backward()
            for p, *each in zip(net.parameters(), *plain, strict=True):
                np.testing.assert_allclose(p.grad.numpy(), times * np.mean(each, 0), 1e-12)
                same_bits_everywhere(p.grad.numpy())
        assert all(p.grad is None for p in unused.parameters())
        reducer.close()


def check_a_bucket_sets_out_before_the_pass_is_over():
    """The last layer's gradients travel while the first layer's are not yet computed."""
    first, last = nn.Linear(4, 4), nn.Linear(4, 4)
    Reducer([*first.parameters(), *last.parameters()], 1e-9)
    events, group = [], current()
    send = group.all_reduce

    def noted(array, op):
        events.append("sent")
        return send(array, op)

    x = first(minigan.ones(2, 4))
    x.register_hook(lambda g: events.append("at the middle"))
    group.all_reduce = noted
    try:
        last(x).sum().backward()
    finally:
        del group.all_reduce
    assert events == ["sent"] * 2 + ["at the middle"] + ["sent"] * 2


def check_ranks_may_use_different_parameters():
    """A parameter that only rank 1's pass reaches gets the average on all ranks."""
    n = dist.get_world_size()
    a, b, c = (nn.Parameter(tensor([float(i)])) for i in (1, 2, 3))
    Reducer([a, b, c])
    loss = a * 6 + b * 12 if dist.get_rank() == 1 else a * 6
    loss.sum().backward()
    assert a.grad.item() == 6 and c.grad is None
    np.testing.assert_allclose(b.grad.item(), 12 / n, 1e-6)


def check_ranks_that_use_different_buckets_send_them_in_one_order():
    """Each rank leaves out another parameter, each of which is a bucket, and all but it arrive."""
    rank, n = dist.get_rank(), dist.get_world_size()
    parameters = [nn.Parameter(tensor([1.0 + i])) for i in range(n + 1)]
    Reducer(parameters, 1e-9)
    for times in (1, 2):
        used = [p for i, p in enumerate(parameters) if i != rank]
        sum(p * (i + 1.0) for i, p in enumerate(used)).sum().backward()
        for i, p in enumerate(parameters):
            factors = [i + 1 - (i > r) for r in range(n) if i != r]
            np.testing.assert_allclose(p.grad.item(), times * sum(factors) / n, 1e-6)
            same_bits_everywhere(p.grad.numpy())


def check_real_and_generated_images_may_have_a_pass_each():
    """The critic's step in two passes, the generator's through the frozen critic."""
    rank, n = dist.get_rank(), dist.get_world_size()
    reals, noises = draws(30, n, 4, 2), draws(31, n, 4, 3)

    def gradients(wrap, real, noise):
        critic, generator = nn.Linear(2, 1).double(), nn.Linear(3, 2).double()
        for i, p in enumerate([*critic.parameters(), *generator.parameters()]):
            p.data.copy_(tensor(draws(32 + i, *p.shape)))
        d, fake = wrap(critic), wrap(generator)(tensor(noise))
        d(tensor(real)).tanh().mean().backward()
        d(fake.detach()).exp().mean().backward()
        found = [p.grad.numpy().copy() for p in critic.parameters()]
        critic.requires_grad_(False)
        d(fake).sin().mean().backward()
        return found + [p.grad.numpy() for p in generator.parameters()]

    with dist.alone():
        expected = gradients(lambda network: network, reals.reshape(-1, 2), noises.reshape(-1, 3))
    found = gradients(nn.parallel.DistributedDataParallel, reals[rank], noises[rank])
    for mean, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(mean, whole, 1e-12)
        same_bits_everywhere(mean)


def check_no_sync_leaves_gradients_to_the_ranks():
    rank, n = dist.get_rank(), dist.get_world_size()
    net = nn.parallel.DistributedDataParallel(nn.Linear(1, 1, bias=False))
    w = net.module.weight
    with net.no_sync():
        net(tensor([[1.0 + rank]])).sum().backward()
        assert w.grad.item() == 1 + rank
    net(tensor([[10.0]])).sum().backward()
    np.testing.assert_allclose(w.grad.item(), 10 + np.mean([1 + r for r in range(n)]), 1e-6)
    same_bits_everywhere(w.grad.numpy())


def check_averaged_gradients_can_be_differentiated():
    """grad(…, create_graph=True) of a wrapped network: L_r = (w·x_r)², ‖mean of slopes‖²."""
    n, rank = dist.get_world_size(), dist.get_rank()
    net = nn.parallel.DistributedDataParallel(nn.Linear(1, 1, bias=False).double())
    w, x = net.module.weight, tensor([[1.0 + rank]]).double()
    (g,) = minigan.grad((net(x) ** 2).sum(), w, create_graph=True)
    mean = np.mean([2 * (1 + r) ** 2 for r in range(n)])  # the slope is mean·w
    np.testing.assert_allclose(g.item(), mean * w.item(), 1e-12)
    (g**2).sum().backward()
    np.testing.assert_allclose(w.grad.item(), 2 * mean**2 * w.item(), 1e-12)


def check_wrapping_makes_the_ranks_alike():
    minigan.manual_seed(dist.get_rank())
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    net[1].running_mean.add_(float(dist.get_rank()))
    wrapped = nn.parallel.DistributedDataParallel(net)
    for tensor_ in wrapped.state_dict().values():
        same_bits_everywhere(tensor_.numpy())
    _, x = shared(8, 6, 3, dtype="float32")
    wrapped(tensor(x))
    wrapped(tensor(x))  # takes over rank 0's running statistics first
    others = current().texts(net[1].running_mean.numpy().tobytes().hex())
    assert len(set(others)) == len(others)


def check_other_networks_are_refused():
    layer = nn.Linear(2, 2 + dist.get_rank() % 2)
    with pytest.raises(RuntimeError, match="the same parameters on every rank"):
        nn.parallel.DistributedDataParallel(layer)


def check_synchronised_statistics_are_those_of_the_whole_batch():
    """Output, running statistics and derivatives to the third order, for batches unlike in size.

    Of parameters every rank has its part of the derivative; those parts add up to the whole.
    """
    rank, n = dist.get_rank(), dist.get_world_size()
    sizes = [2 + r for r in range(n)]
    own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
    for shape in ((3,), (3, 4), (3, 4, 2)):
        plain = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        apart = derivatives(nn.SyncBatchNorm(3), shape, sum(sizes), own)
        together = derivatives(plain(3), shape, sum(sizes), slice(None))
        for name, expected in together.items():
            found = apart[name]
            if name[0] == "x":
                expected = expected[own]
            elif name[0] in "wb":
                parts = [json.loads(text) for text in current().texts(json.dumps(found.tolist()))]
                found = np.sum(parts, 0)
            np.testing.assert_allclose(found, expected, 1e-9, 1e-9, err_msg=name)


def derivatives(norm, shape, count, part):
    """Of L = Σ tanh(y)·f for y = norm(x), with x and f the same draws for all; d are directions."""
    norm.double().weight.data.copy_(tensor(draws(90, 3)))
    x = tensor((draws(91, count, *shape) * 3 + 5)[part], requires_grad=True)
    variables = {"x": x, "w": norm.weight, "b": norm.bias}
    y = norm(x)
    value = (y.tanh() * tensor(draws(92, count, *shape)[part])).sum()
    found = {"x": y, "mean": norm.running_mean, "var": norm.running_var}
    for order in (1, 2, 3):
        slopes = minigan.grad(value, list(variables.values()), create_graph=True)
        found |= {f"{name}, order {order}": g for name, g in zip(variables, slopes, strict=True)}
        d = [draws([93, order], count, *shape)[part], draws(94, 3), draws(95, 3)]
        value = sum((g * tensor(e)).sum() for g, e in zip(slopes, d, strict=True))
    return {name: value.detach().numpy() for name, value in found.items()}


def check_a_converted_network_shares_its_parameters():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Sequential(nn.BatchNorm2d(3, 1e-3)))
    before = dict(net.state_dict(keep_vars=True))
    assert nn.SyncBatchNorm.convert_sync_batchnorm(net) is net
    assert type(net[1]) is type(net[2][0]) is nn.SyncBatchNorm and net[2][0].eps == 1e-3
    after = dict(net.state_dict(keep_vars=True))
    assert list(before) == list(after) and all(before[k] is after[k] for k in before)
    with dist.alone():  # no rank waits for another
        net[1](minigan.randn(4, 3))
    net.eval()
    if dist.get_rank() == 0:
        net[1](minigan.randn(4, 3))


if __name__ == "__main__":
    ranks.main(globals())
