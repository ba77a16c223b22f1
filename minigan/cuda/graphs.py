"""A GPU's work, recorded once and launched again as one piece: CUDA graphs.

A training step is hundreds of small kernels, and starting each costs the host microseconds.  What
is done inside ``graph`` is not computed but recorded; ``replay`` then starts all of it at once:

    g = minigan.cuda.CUDAGraph()
    with minigan.cuda.graph(g):
        y = network(x)            # y holds nothing yet
    x.copy_(batch); g.replay()    # now y is network(batch)

A replay reads and writes the same memory as the recorded calls.  So inputs are brought into the
tensors that were recorded (outside), results are read from those that it gave, and numbers that the
host knows (a learning rate, the step) are part of the recording.  Whatever would wait for the GPU
or bring values from the host raises an error inside.

Memory made inside comes from a pool of the graph's own, which lives as long as the graph: nobody
else is given it between two replays.  Do once before, outside, what is to be recorded: kernels are
compiled and lazy state is made then.

Source: the CUDA programming guide, "CUDA Graphs"; names are those of ``torch.cuda``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from .. import array as arrays


class CaptureError(RuntimeError):
    """Something cannot be recorded; the message says what was tried."""


class CUDAGraph:
    """What one GPU is to do, recorded between ``capture_begin`` and ``capture_end``."""

    def __init__(self):
        self._graph: Any = None
        self._open: ExitStack | None = None
        self._pool = self._stream = None

    def capture_begin(self) -> None:
        """From here on the work of this thread is recorded, not done.

        Raises:
            RuntimeError: there is no usable GPU, or the graph is recorded already.
        """
        if self._open is not None or self._graph is not None:
            raise RuntimeError("capture_begin: this graph is recorded already; reset() it first")
        cuda = arrays.module_for("cuda").cuda
        self._pool, self._stream = cuda.MemoryPool(), cuda.Stream(non_blocking=True)
        before = cuda.get_current_stream().record()
        with ExitStack() as opened:
            opened.enter_context(cuda.using_allocator(self._pool.malloc))
            opened.enter_context(self._stream)
            self._stream.wait_event(before)  # what was begun outside comes first
            self._stream.begin_capture()
            self._open = opened.pop_all()

    def capture_end(self) -> None:
        """What was recorded can be replayed.

        Raises:
            CaptureError: something inside could not be recorded.
        """
        if self._open is None:
            raise RuntimeError("capture_end: nothing is being recorded; call capture_begin() first")
        try:
            self._graph = self._stream.end_capture()
        except Exception as error:  # CuPy's CUDARuntimeError, which is there with CuPy only
            raise CaptureError(f"capture_end: the work could not be recorded ({error})") from error
        finally:
            self._open.close()
            self._open = None

    def replay(self) -> None:
        """Do what was recorded, on the current stream; returns at once."""
        if self._graph is None:
            raise RuntimeError("replay: nothing is recorded; use minigan.cuda.graph() first")
        self._graph.launch(stream=arrays.cupy().cuda.get_current_stream())

    def reset(self) -> None:
        """Forget what was recorded, and let its memory go."""
        if self._open is not None:
            raise RuntimeError("reset: the graph is being recorded; call capture_end() first")
        self._graph = self._pool = self._stream = None


@contextmanager
def graph(cuda_graph: CUDAGraph) -> Iterator[None]:
    """A block whose work on the GPU ``cuda_graph`` records; nothing is computed in it.

    Raises:
        CaptureError: in the place of an error that comes of recording.  The block's own errors
            come out as they are.
    """
    cuda_graph.capture_begin()
    try:
        yield
    except BaseException as error:
        refused = _is_refusal(error)
        with suppress(CaptureError):  # after an error there is nothing to end
            cuda_graph.capture_end()
        cuda_graph.reset()
        if refused:
            raise CaptureError(f"graph: this cannot be recorded: {error}") from error
        raise
    cuda_graph.capture_end()


def _is_refusal(error: BaseException) -> bool:
    """Whether CUDA refused a call because of the recording."""
    return "StreamCapture" in str(error)


def is_current_stream_capturing() -> bool:
    """Whether what is asked of the GPU now is recorded instead of done; without a GPU, False."""
    try:
        cuda = arrays.cupy().cuda
    except RuntimeError:  # no CuPy
        return False
    return bool(cuda.is_available() and cuda.get_current_stream().is_capturing())
