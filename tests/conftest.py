"""Settings of the whole suite: helpers beside this file can be imported, draws are repeatable."""

import gc
import os
import sys
from pathlib import Path

# Two test processes with two BLAS threads each on two cores wait for each other more than they
# compute.  Set before NumPy is imported; processes that tests start inherit it.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from hypothesis import settings  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from quick import loaded_once, undrawn  # noqa: E402, F401

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Thousands of tests live as long as the process: the collector need not look at them again."""
    gc.collect()
    gc.freeze()
