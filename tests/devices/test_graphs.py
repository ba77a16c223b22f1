"""Recorded work of a GPU: nothing is done while it is recorded, replays do what the calls did."""

import fakegpu
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan import cuda, nn
from minigan.cuda import CaptureError


@pytest.fixture
def cupy(monkeypatch):
    return fakegpu.install(monkeypatch)


def values(tensor):
    return tensor.detach().cpu().numpy().copy()


def test_a_replay_does_what_the_calls_would_do(cupy):
    """A network and its gradient, for inputs that are brought into the recorded tensor."""
    minigan.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).to("cuda")
    inputs = [np.random.default_rng(i).standard_normal((5, 3)).astype("f") for i in range(3)]
    x = minigan.tensor(inputs[0], device="cuda")

    def run(x):
        y = network(x)
        return y, minigan.grad((y * y).sum(), list(network.parameters()))

    run(x)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        y, gradients = run(x)
    assert np.isnan(values(y)).all()  # nothing was computed
    for given in inputs[1:]:
        x.array.set(given)
        graph.replay()
        expected, wanted = run(minigan.tensor(given, device="cuda"))
        assert_array_equal(values(y), values(expected))
        for got, exact in zip(gradients, wanted, strict=True):
            assert_array_equal(values(got), values(exact))


def test_changes_in_place_happen_at_each_replay_and_not_before(cupy):
    count = minigan.zeros(2, device="cuda")
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        count.add_(1)
    assert_array_equal(values(count), [0, 0])
    for _ in range(3):
        graph.replay()
    assert_array_equal(values(count), [3, 3])


@pytest.mark.parametrize(
    "refused",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x[0] > 0),
        lambda x: x.cpu(),
        lambda x: x + minigan.ones(2).to("cuda"),
        lambda x: x[x > 0],
    ],
)
def test_what_waits_or_brings_values_cannot_be_recorded(cupy, refused):
    x = minigan.ones(2, device="cuda")
    graph = cuda.CUDAGraph()
    with pytest.raises(CaptureError, match="cannot be recorded"), cuda.graph(graph):
        refused(x)
    assert not cuda.is_current_stream_capturing()
    with cuda.graph(graph):  # and the next recording is a whole one
        y = x + 1
    graph.replay()
    assert_array_equal(values(y), [2, 2])


def test_errors_of_ones_own_come_out_as_they_are(cupy):
    graph = cuda.CUDAGraph()
    with pytest.raises(ZeroDivisionError), cuda.graph(graph):
        1 / 0  # noqa: B018
    assert not cuda.is_current_stream_capturing()
    with pytest.raises(RuntimeError, match="nothing is recorded"):
        graph.replay()


def test_recording_twice_is_refused(cupy):
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        assert cuda.is_current_stream_capturing()
        with pytest.raises(RuntimeError, match="recorded already"):
            graph.capture_begin()
        with pytest.raises(RuntimeError, match="call capture_end"):
            graph.reset()
    with pytest.raises(RuntimeError, match="recorded already"):
        graph.capture_begin()
    graph.reset()
    with cuda.graph(graph):
        pass
    with pytest.raises(RuntimeError, match="nothing is being recorded"):
        graph.capture_end()


def test_without_a_gpu_there_is_nothing_to_record():
    if cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match="cuda"):
        cuda.CUDAGraph().capture_begin()
    assert not cuda.is_current_stream_capturing()
