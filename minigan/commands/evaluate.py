"""``minigan evaluate``: how good a trained run is."""

from __future__ import annotations

import argparse
import contextlib
import warnings
from importlib import import_module
from pathlib import Path

from .._console import interrupts_wait
from .arguments import natural, path, positive
from .bars import Bar

# What it imports, sooner or later: at once, because Ctrl-C can get lost in an import.
_NEEDED = ("PIL.Image", "PIL.ImageDraw", "PIL.ImageFont", "scipy.special", "tqdm")


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a trained run: how good, how diverse, copied or not",
        description="Compare a run's samples with real images by every metric, print the table and "
        "leave it in the run folder as evaluation.json, with a picture of samples above their "
        "nearest training images. The first time for a data set, the network whose features are "
        "compared is trained, about a minute.",
        epilog="example: minigan evaluate runs/dcgan-mnist-1",
    )
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument("folder", type=path, metavar="DIR", help="the run folder")
    evaluate.add_argument(
        "-n", type=positive, metavar="N", help="samples (half of the test images, at most 5000)"
    )
    evaluate.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of the samples and real images (0)"
    )
    evaluate.add_argument(
        "--data-dir", type=path, metavar="DIR", help="where the data set's files are now"
    )
    evaluate.add_argument(
        "--out",
        type=path,
        metavar="FILE",
        help="a .json, with the picture beside it as .png (DIR/evaluation.json, DIR/nearest.png)",
    )
    evaluate.add_argument("--force", action="store_true", help="replace files that are there")


def _evaluate(arguments: argparse.Namespace) -> int:
    with interrupts_wait():
        for name in _NEEDED:
            import_module(name)
        from ..data import DataWarning
        from ..evaluation import evaluate

    files = _files(arguments.folder, arguments.out, arguments.force)
    bar = Bar()
    with warnings.catch_warnings(), contextlib.closing(bar):
        warnings.simplefilter("ignore", DataWarning)  # images left out: training has said so
        evaluation = evaluate(
            arguments.folder,
            arguments.n,
            arguments.seed,
            data_dir=arguments.data_dir,
            progress=bar.show,
        )
    files[0].parent.mkdir(parents=True, exist_ok=True)
    evaluation.save(*files)
    print(f"{evaluation}\n\n  numbers   {files[0]}")
    if evaluation.nearest is not None:
        print(f"  picture   {files[1]}")
    return 0


def _files(folder: Path, out: Path | None, force: bool) -> tuple[Path, Path]:
    """Where the numbers and the picture go; nothing is measured that cannot be written."""
    from ..config import RunError, read_config
    from ..run import FILES
    from ..training import Usage

    read_config(folder)
    files = (folder / "evaluation.json", folder / "nearest.png")
    if out is not None:
        if out.suffix.lower() != ".json":
            raise Usage(f"--out expects a name ending in .json, got {out}")
        files = (out, out.with_suffix(".png"))
    for file in files:
        if out is not None and file.name in FILES and file.resolve().parent == folder.resolve():
            raise RunError(f"--out {out}: {file} is a part of the run itself; give another name")
        if file.exists() and not force:
            raise RunError(f"{file}: is there already; give another --out or --force")
    return files
