"""What the tutorials leave open and the WGAN paper claims, answered by ``minigan compare``.

    python -m benchmarks.questions --data-dir MNIST [--seeds 5] [--steps 500] [--out DIR]

All contenders of all questions run once, in one comparison on MNIST at 16 pixels; a question then
looks at its own.  Interrupted, the same command goes on.  Results:
benchmarks/results/questions.json; ``--markdown`` prints the README's tables from it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "questions.json"
WGAN = "wgan:lr=2e-4:critic_burst=0"
MLP = "network=mlp:widths=512,512,512:critic_widths=512,512,512"

# question: (columns that answer it, contenders)
QUESTIONS = {
    "ReLU or LeakyReLU in the generator": (
        ("fcd", "swing"),
        ("dcgan", "dcgan:activation=leaky"),
    ),
    "Adam's β₁": (("fcd", "swing"), ("dcgan", "dcgan:beta1=0.9")),
    "A kernel that the stride divides, or not": (
        ("fcd", "checkerboard"),
        ("dcgan", "dcgan:kernel=3", "dcgan:kernel=5"),
    ),
    "Real and generated images in two batches, or in one": (
        ("fcd", "swing"),
        ("dcgan", "dcgan:one_batch=true"),
    ),
    "Label noise": (
        ("fcd", "swing"),
        ("dcgan", "dcgan:real_targets=0.7,1:fake_targets=0,0.3", "dcgan:flip=0.05"),
    ),
    "DCGAN against WGAN: swing and blur": (
        ("fcd", "swing", "motion", "sharpness"),
        ("dcgan", WGAN, "wgan-gp:n_critic=5"),
    ),
    "Labels at D's input or in the middle": (
        ("fcd", "swing"),
        ("dcgan", "dcgan:label_at=input", "dcgan:label_at=hidden"),
    ),
    "Does −critic loss follow the FCD?": (
        ("fcd", "follows"),
        (WGAN, "wgan-gp:n_critic=5"),
    ),
    "Does the balance of the two matter less to a WGAN?": (
        ("fcd", "swing"),
        (
            *("dcgan", "dcgan:n_critic=5", "dcgan:n_critic=20"),
            *(f"{WGAN}:n_critic=1", WGAN, f"{WGAN}:n_critic=20"),
            *("wgan-gp:n_critic=1", "wgan-gp:n_critic=5", "wgan-gp:n_critic=20"),
        ),
    ),
    "A fully connected generator without BatchNorm": (
        ("fcd", "swing"),
        (f"gan:{MLP}:activation=relu", f"wgan-gp:{MLP}"),
    ),
}
CONTENDERS = list(dict.fromkeys(name for _, names in QUESTIONS.values() for name in names))


def tables(found: dict[str, Any]) -> str:
    """A Markdown table for each question."""
    lines = [found["said"], ""]
    for question, (columns, names) in QUESTIONS.items():
        lines += [f"**{question}**", "", f"| | {' | '.join(columns)} |"]
        lines.append("|---" * (1 + len(columns)) + "|")
        for name in names:
            row = found["names"].index(name)
            cells = [cell(found["numbers"][column][row]) for column in columns]
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
        floor = [f"{found['floor'][c]:.3g}" if c in found["floor"] else "" for c in columns]
        lines += [f"| real images | {' | '.join(floor)} |", ""]
    return "\n".join(lines)


def cell(values: list[float | None]) -> str:
    """Mean ± standard deviation over the seeds."""
    kept = np.array([value for value in values if value is not None])
    if not len(kept):
        return "–"
    spread = f" ± {kept.std(ddof=1):.2g}" if len(kept) > 1 else ""
    return f"{kept.mean():.3g}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where MNIST is")
    parser.add_argument("--seeds", default="5", metavar="N")
    parser.add_argument("--steps", default="500", metavar="N")
    parser.add_argument("--out", type=Path, default=Path("runs/questions"), metavar="DIR")
    parser.add_argument("--markdown", action="store_true", help="print the tables and end")
    arguments = parser.parse_args()
    if not arguments.markdown:
        if arguments.data_dir is None:
            parser.error("--data-dir is needed")
        command = [sys.executable, "-m", "minigan", "compare", *CONTENDERS]
        command += ["--data", "mnist", "--data-dir", str(arguments.data_dir), "--image-size", "16"]
        command += ["--seeds", arguments.seeds, "--steps", arguments.steps, "--every", "50"]
        subprocess.run([*command, "--out", str(arguments.out)], check=True)
        found = json.loads((arguments.out / "comparison.json").read_text())
        del found["rows"], found["plan"]  # long, and the command says it
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(tables(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
