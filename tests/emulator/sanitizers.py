"""Python programs under g++'s sanitizers, for kernels that ``driver.Module`` compiled with them.

A sanitizer's library has to be loaded before Python itself, so such a program is another process.
"""

from __future__ import annotations

import os
import subprocess
import sys

LIBRARIES = {"address": "libasan.so", "undefined": "libubsan.so", "thread": "libtsan.so"}
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
    "UBSAN_OPTIONS": "print_stacktrace=0",
    "TSAN_OPTIONS": "halt_on_error=1",
}


def run(sanitizers: tuple[str, ...], *arguments: object) -> tuple[int, str]:
    """(exit status, everything printed) of ``python *arguments``; not 0 if a sanitizer complains.

    ``sanitizers`` are ("address", "undefined") or ("thread",).
    """
    found = [
        subprocess.run(
            ["g++", f"-print-file-name={LIBRARIES[name]}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name in sanitizers
    ]
    environment = {**os.environ, **OPTIONS, "LD_PRELOAD": " ".join(found)}
    command = [sys.executable, *map(str, arguments)]
    done = _run(command, environment)
    if "unexpected memory mapping" in done.stdout:  # addresses too random for ThreadSanitizer
        done = _run(["setarch", "-R", *command], environment)
    return done.returncode, done.stdout


def _run(command, environment):
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
