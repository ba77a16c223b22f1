"""One picture of every system, from a real run on real data, with its command and its time.

    python -m benchmarks.gallery --data DIR [--only NAME,NAME] [--runs DIR]
    python -m benchmarks.gallery --markdown        the README's table of what is there

DIR holds ``mnist`` (IDX files), ``cifar-10-batches-bin`` and ``facades`` (train, val).  Each system
is trained by the command line, as a user would; the pictures and ``gallery.json`` go to
benchmarks/results/gallery, where a system's entry is replaced when it is made again.  With
MINIGAN_NUM_THREADS=1 the time stated is the processor's, which other programs hardly change.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from minigan import get_num_threads

RESULTS = Path(__file__).parent / "results" / "gallery"
MNIST = "--data mnist --data-dir {data}/mnist"
CIFAR = "--data cifar10 --data-dir {data}/cifar-10-batches-bin"
FACADES = "--data pairs:{data}/facades --direction BtoA --image-size 64"

UNROLLED = "--set network=mlp --set activation=leaky --set lr=1e-3 --set critic_lr=1e-4"

# name: (options of ``minigan train``, the picture in its run folder)
LAST = "samples/last"
SYSTEMS = {
    "autoencoder": (f"autoencoder {MNIST}", "figures/principal-components.png"),
    "conv-autoencoder": (f"conv-autoencoder {MNIST}", LAST),
    "vae": (f"vae {MNIST}", "figures/manifold.png"),
    "gan": (f"gan {MNIST} --steps 8000", LAST),
    "dcgan": (f"dcgan {MNIST} --steps 3000", LAST),
    "cgan": (f"cgan {MNIST} --steps 3500", LAST),
    "wgan": (f"wgan {MNIST} --steps 1500 --set critic_burst=25 --set lr=2e-4", LAST),
    "wgan-gp": (f"wgan-gp {MNIST} --steps 1000", LAST),
    "unrolled": (f"unrolled {MNIST} --steps 2000 {UNROLLED}", LAST),
    "lsgan": (f"lsgan {MNIST} --steps 1000", LAST),
    "hinge": (f"hinge {MNIST} --steps 1000", LAST),
    "sngan": (f"sngan {MNIST} --steps 1000", LAST),
    "dragan": (f"dragan {MNIST} --steps 1000", LAST),
    "acgan": (f"acgan {MNIST} --steps 1000", LAST),
    "infogan": (f"infogan {MNIST} --steps 2000", LAST),
    "ebgan": (f"ebgan {MNIST} --steps 1000 --set margin=0.2", LAST),
    "began": (f"began {MNIST} --steps 2500", LAST),
    "pix2pix": (f"pix2pix {FACADES} --steps 2000", "figures/triples.png"),
    "dcgan-cifar10": (f"dcgan {CIFAR} --steps 1500", LAST),
}
EVALUATED = ("gan", "dcgan", "cgan", "wgan", "wgan-gp", "hinge", "sngan", "acgan", "dcgan-cifar10")


def minigan(words: list[str], **variables: str) -> str:
    """The standard output of a ``minigan`` command that must succeed."""
    command = [sys.executable, "-m", "minigan", *words]
    done = subprocess.run(
        command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def make(name: str, data: Path, runs: Path) -> dict[str, Any]:
    """Train one system; returns its entry."""
    options, picture = SYSTEMS[name]
    run = runs / name
    words = [word.format(data=data) for word in options.split()]
    if (run / "checkpoint.npz").is_file():  # it was interrupted
        steps = words[words.index("--steps") + 1 :][:1] if "--steps" in words else []
        words = ["--resume", str(run), *(["--steps", *steps] if steps else [])]
    else:
        words += ["--out", str(run), "--force"]
    begin, processor = time.perf_counter(), processor_seconds()
    minigan(["train", *words])
    seconds, processor = time.perf_counter() - begin, processor_seconds() - processor
    pictures = sorted((run / "samples").glob("step-*.png"))
    found = pictures[-1] if picture == LAST else run / picture
    save_small(found, RESULTS / f"{name}.png")
    shown = shlex.join(["minigan", "train", *options.format(data="DATA").split()])
    entry: dict[str, Any] = {
        "command": shown,
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "threads": get_num_threads(),
    }
    if name in EVALUATED:
        minigan(["evaluate", str(run), "--force"])
        entry["evaluation"] = json.loads((run / "evaluation.json").read_text())
    return entry


def processor_seconds() -> float:
    """What the commands run so far have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def save_small(source: Path, target: Path) -> None:
    """Few colours: a third of the size, and nothing to be seen of it."""
    with Image.open(source) as opened:
        picture = opened.convert("L" if opened.mode == "L" else "RGB")
    if picture.mode == "RGB":
        picture = picture.quantize(200, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    else:
        picture = picture.point([round(v / 15) * 15 if v < 255 else 255 for v in range(256)])
    picture.save(target, optimize=True)


def table() -> str:
    """The pictures with their commands, two in a row."""
    entries = json.loads((RESULTS / "gallery.json").read_text())
    cells = []
    for name, entry in entries.items():
        said = [took(entry)] if "threads" in entry else []
        metrics = entry.get("evaluation", {}).get("metrics", {})
        if (fcd := metrics.get("frechet_classifier_distance")) is not None:
            said.append(f"FCD {fcd['value']:.0f} (real images {fcd['real']:.0f})")
        if (right := metrics.get("conditional_accuracy")) is not None:
            said.append(f"{right['value']:.1%} are what was asked for")
        words = f"**{name}**<br>`{entry['command']}`<br>{'; '.join(said)}"
        cells.append(f'<img src="benchmarks/results/gallery/{name}.png" width="340"><br>{words}')
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    lines = ["| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join((row + [''])[:2])} |" for row in rows)])


def took(entry: dict[str, Any]) -> str:
    """The time of a run, in words."""
    if entry["threads"] == 1:
        return f"{entry['processor_seconds'] / 60:.1f} min on one core"
    return f"{entry['seconds'] / 60:.1f} min on {entry['threads']} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--markdown", action="store_true", help="print the table and end")
    parser.add_argument("--only", metavar="NAME,NAME", help=", ".join(SYSTEMS))
    parser.add_argument("--runs", type=Path, default=Path("runs/gallery"), metavar="DIR")
    parser.add_argument("--results", type=Path, default=RESULTS / "gallery.json", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.markdown:
        print(table())
        return
    if arguments.data is None:
        parser.error("--data is needed")
    names = arguments.only.split(",") if arguments.only else list(SYSTEMS)
    if unknown := set(names) - set(SYSTEMS):
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        entry = make(name, arguments.data.resolve(), arguments.runs.resolve())
        entries = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
        entries[name] = entry
        ordered = {key: entries[key] for key in SYSTEMS if key in entries}
        arguments.results.write_text(json.dumps(ordered, indent=1) + "\n")
        print(f"{name}: {took(entry)}", flush=True)


if __name__ == "__main__":
    main()
