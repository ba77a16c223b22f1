"""One contestant of ``benchmarks.step --device cuda``: makes steps on a GPU when it is told to.

    python -m benchmarks.worker_cuda ENGINE PRECISION

Reads lines and answers each with one of JSON:

    begin WORKLOAD      six steps on numbers that all engines have; {"losses": …, "flops": …, …}
    20                  so many steps; {"ms": […], "host_ms": […]}
    end                 {"peak_mib": …} of this workload, whose memory is then given back

An error is answered with {"error": sentence}, and the process ends.  ``ms`` is the GPU's time from
one step's end to the next one's, steps following each other; ``host_ms`` the host's time until the
call of a step returns, the GPU having nothing else to do before it.  No loss is read in them: that
would wait for the GPU.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, TextIO

from benchmarks import engines_cuda, workloads
from benchmarks.worker import arithmetic

CHECKED = 3  # steps before a recording, and as many after it
WARM_UP = 5


class Session:
    """An engine at one workload after the other."""

    def __init__(self, engine: engines_cuda.Minigan | engines_cuda.Torch):
        self.engine = engine
        self.step: Callable[[], Any] | None = None
        self.body: Callable[[], Any] | None = None  # a recording does not hold what it works on

    def answer(self, line: str) -> dict[str, Any]:
        """What a line asks for."""
        word, *rest = line.split()
        if word == "begin":
            return self.begin(*rest)
        return self.end() if word == "end" else self.times(int(word))

    def begin(self, workload: str) -> dict[str, Any]:
        """Build it, and make the steps whose losses are compared; then noise is the engine's."""
        engine, options = self.engine, self.engine.options()
        body = options.from_start(engine.step(workloads.make(workload, engine.lib, options)))
        losses: list[list[float]] = []
        flops = None

        def check(step: Callable[[], Any]) -> None:
            losses.append([loss.item() for loss in step()])

        for number in range(CHECKED):
            options.refill()
            if number == 0 and engine.lib.__name__ == "minigan":
                flops = arithmetic(lambda: check(body))
            else:
                check(body)
        run = engine.recorded(body) if engine.graphed else body
        for _ in range(CHECKED):
            options.refill()
            check(run)
        options.source = None

        def step() -> Any:
            options.refill()
            return run()

        self.step, self.body = step, body
        for _ in range(WARM_UP):
            step()
        engine.wait()
        return {"losses": losses, "flops": flops, "versions": engine.versions()}

    def times(self, steps: int) -> dict[str, list[float]]:
        """Milliseconds of each step, and of each on the host."""
        engine, step, host = self.engine, self.step, []
        for _ in range(steps):
            engine.wait()
            begin = time.perf_counter()
            step()
            host.append((time.perf_counter() - begin) * 1e3)
        engine.wait()
        moments = [engine.event()]
        for _ in range(steps):
            step()
            moments.append(engine.event())
        engine.wait()
        return {"ms": [engine.between(*span) for span in pairwise(moments)], "host_ms": host}

    def end(self) -> dict[str, float]:
        """Forget the workload."""
        peak, self.step, self.body = self.engine.peak(), None, None
        self.engine.forget()
        return {"peak_mib": peak}


def serve(name: str, precision: str, lines: Iterable[str], out: TextIO) -> bool:
    """Answer every line; False after an error."""
    session: Session | None = None
    for line in lines:
        try:
            session = session or Session(engines_cuda.make(name, precision))
            answer = session.answer(line)
        except Exception as error:
            traceback.print_exc()
            first = (str(error).strip() or "no message").splitlines()[0]
            print(json.dumps({"error": f"{type(error).__name__}: {first}"}), file=out, flush=True)
            return False
        print(json.dumps(answer), file=out, flush=True)
    return True


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    raise SystemExit(not serve(*sys.argv[1:3], sys.stdin, answers))
