"""``cudnn.benchmark = True`` and its like: scripts may set them, and nothing changes.

Convolutions here are the project's own, on every device, and give the same result each time.
"""

enabled = False
benchmark = False
deterministic = True
allow_tf32 = False


def is_available() -> bool:
    """Whether cuDNN is used: it never is."""
    return False
