"""``minigan sample``: images from a trained run."""

from __future__ import annotations

import argparse

from ..training import Usage
from .arguments import natural, path, positive


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    sample = commands.add_parser(
        "sample",
        help="draw images from a trained run",
        description="Draw images from a run's generator, as a PNG grid or as an .npz with "
        "images (N, C, H, W) float32 in [-1, 1].",
    )
    sample.set_defaults(run=_sample)
    sample.add_argument("folder", type=path, metavar="DIR", help="the run folder")
    sample.add_argument("-n", type=positive, default=64, metavar="N", help="images (64)")
    sample.add_argument("--seed", type=natural, default=0, metavar="N", help="of the noise (0)")
    sample.add_argument(
        "--out", type=path, metavar="FILE", help=".png or .npz (DIR/sample-SEED.png)"
    )
    sample.add_argument("--force", action="store_true", help="replace FILE if it is there")


def _sample(arguments: argparse.Namespace) -> int:
    import numpy as np

    from .. import report
    from ..config import RunError
    from ..run import FILES, sample
    from ..serialize import write_npz

    folder = arguments.folder
    out = arguments.out or folder / f"sample-{arguments.seed}.png"
    kind = out.suffix.lower()
    if kind not in (".png", ".npz"):
        raise Usage(f"--out expects a name ending in .png or .npz, got {out}")
    if out.name in FILES and out.resolve().parent == folder.resolve():
        raise RunError(f"--out {out}: is a part of the run itself; give another name")
    if out.exists() and not arguments.force:
        raise RunError(f"--out {out}: is there already; give another name or --force")
    images = sample(folder, arguments.n, arguments.seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".npz":
        write_npz(out, {"images": images})
    else:
        report.save_grid(out, images, columns=max(1, round(np.sqrt(arguments.n))))
    print(f"{arguments.n} images: {out}")
    return 0
