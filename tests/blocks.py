"""Products cut in blocks where they would be too small for it, to test those who use them."""

from contextlib import contextmanager

import pytest

from minigan.cpu import blocks

SMALL = {"BLOCK": 50, "WIDTH": 2, "ROWS": 1, "RESULTS": 8, "SQUARE": 2, "DEEP": 2, "MANY": 1 << 30}
LONG = {"HEIGHT": 3, "TERMS": 2}


@contextmanager
def tiny_blocks(kernels=True):
    """A block in which products are cut from 51 multiplications on; not at all without kernels."""
    cached = blocks._rows_and_columns, blocks._rows_terms_and_columns
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (SMALL | LONG).items():
            patch.setattr(blocks, name, value)
        patch.setattr(blocks, "without_copies", lambda: kernels)
        for f in cached:
            f.cache_clear()
        try:
            yield
        finally:
            for f in cached:
                f.cache_clear()
