"""What tests need of the machine that they run on: where it is missing they skip with the reason.

MINIGAN_REQUIRE_GPU=1 in the environment says that there is to be a GPU: its tests fail instead.
"""

import os

import pytest
from emulator import driver

from minigan import cuda

needs_emulator = pytest.mark.skipif(
    driver.unavailable() is not None, reason=str(driver.unavailable() or "")
)


def need_gpu():
    """Go on only if there is a CUDA GPU."""
    if cuda.is_available():
        return
    reason = "no CUDA GPU is present"
    if os.environ.get("MINIGAN_REQUIRE_GPU") == "1":
        pytest.fail(f"{reason}, and MINIGAN_REQUIRE_GPU=1 asks for one")
    pytest.skip(reason)
