"""Class labels of image files, from their folders or from a table in a text file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath

import numpy as np

from minigan.data.images import DataError
from minigan.data.pictures import ENDINGS

CELEBA = ("list_attr_celeba.txt", "list_attr_celeba.csv")
_MOST_NAMED = 8  # columns that an error lists
_MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Labels:
    """A label for each image: int64 (N,), and what each class is called."""

    values: np.ndarray
    class_names: tuple[str, ...]


def folder_labels(pictures: Sequence[str]) -> Labels | None:
    """The first folder in each path is its class, in the order of the folders' names.

    None if an image lies in no folder, or all lie in the same.

    >>> folder_labels(["cat/1.png", "cat/2.png", "dog/1.png"])
    Labels(values=array([0, 0, 1]), class_names=('cat', 'dog'))
    """
    folders = [path.partition("/")[0] if "/" in path else None for path in pictures]
    names = sorted(set(folders) - {None})
    if None in folders or len(names) < 2:
        return None
    number = {name: i for i, name in enumerate(names)}
    return Labels(np.array([number[f] for f in folders], np.int64), tuple(names))


def table_labels(path: Path, attributes: Sequence[str], pictures: Sequence[str]) -> Labels:
    """The labels that the table in ``path`` has for ``pictures``.

    A line is the name of an image file (or its path below the data set's folder, or its name
    without the ending) and its values, with commas (CSV) or, where the first lines have none,
    spaces between them. A first line whose first cell is no such name is the heading. CelebA's
    ``list_attr_celeba.txt`` is such a table (a count, a heading without a cell for the name,
    values 1 and -1).

    The classes are the different values in the table, in their order (as numbers where all are
    whole numbers); of several attributes, all combinations, the last one changing fastest.

    Args:
        path: the table.
        attributes: the columns to use, by the heading; empty: the only one that there is.
        pictures: the paths of the images.

    Raises:
        DataError: the table cannot be read or is none, has no such column, several columns and
            none is chosen, or no line for an image.
    """
    heading, width, rows = _read(path, pictures)
    if len(attributes) == 0 and width > 1:
        raise DataError(
            f"attributes: expected the columns to use, as {path} has {width}{_listed(heading)}"
        )
    columns = [_column(path, heading, name) for name in attributes] or [0]
    cells = _chosen(path, width, rows, columns)
    try:
        found = [cells[name] for name in _keys(pictures, cells)]
    except KeyError as missing:
        raise DataError(f"{path}: expected a line for each image, {missing} has none") from None
    values, names = np.zeros(len(pictures), np.int64), [""]
    for i, column in enumerate(columns):
        kinds = _ordered({row[i] for row in cells.values()})
        number = {kind: k for k, kind in enumerate(kinds)}
        values = values * len(kinds) + [number[row[i]] for row in found]
        prefix = f"{heading[column]}=" if heading and attributes else ""
        names = [f"{before} {prefix}{kind}".strip() for before in names for kind in kinds]
        if len(names) > _MOST_CLASSES:
            raise DataError(f"attributes: expected at most {_MOST_CLASSES} classes in {path}")
    return Labels(values, tuple(names))


def celeba_table(root: Path) -> Path:
    """CelebA's table of attributes, in ``root`` or beside it."""
    for folder in (root, root.parent):
        for name in CELEBA:
            if (folder / name).is_file():
                return folder / name
    raise DataError(
        f"attributes: expected a file with labels (labels=, --labels FILE), or {CELEBA[0]} in "
        f"{root} or beside it"
    )


def _read(path: Path, pictures: Sequence[str]) -> tuple[list[str] | None, int, Iterator[list[str]]]:
    """The heading of the values, if any, the number of values, and the lines in cells."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, it is something else") from error
    lines = [line for line in lines if line.strip()]
    if lines and lines[0].strip().isdecimal():  # CelebA begins with a count
        lines = lines[1:]
    commas = any("," in line for line in lines[:2])
    rows = _split_at_commas(path, lines) if commas else map(str.split, lines)
    first = list(islice(rows, 2))
    heading = None
    if len(first) == 2 and not _is_picture(first[0][0].strip(), pictures):
        heading = [cell.strip() for cell in first.pop(0)]
    if not first or not first[0][1:]:
        raise DataError(f"{path}: expected lines with an image's name and its label")
    width = len(first[0]) - 1
    if heading is not None:
        heading = heading[-width:] if len(heading) in (width, width + 1) else None
        if heading is None:
            raise DataError(f"{path}: expected a heading for each of the {width + 1} columns")
    return heading, width, chain(first, rows)


def _split_at_commas(path: Path, lines: Sequence[str]) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise DataError(f"{path}: is no table ({error})") from error


def _is_picture(name: str, pictures: Sequence[str]) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in ENDINGS or any(name == PurePosixPath(p).stem for p in pictures)


def _chosen(
    path: Path, width: int, rows: Iterator[list[str]], columns: Sequence[int]
) -> dict[str, list[str]]:
    """The values of the columns by image."""
    cells = {}
    for row in rows:
        if len(row) != width + 1:
            raise DataError(
                f"{path}: expected {width + 1} cells in each line, {row[0]!r} has {len(row)}"
            )
        cells[row[0].strip()] = [row[1 + column].strip() for column in columns]
    return cells


def _keys(pictures: Sequence[str], cells: Mapping[str, object]) -> Iterator[str]:
    """By what the table calls each image: its path, its name, or that without the ending."""
    for picture in pictures:
        path = PurePosixPath(picture)
        called = [name for name in (picture, path.name, path.stem) if name in cells]
        yield called[0] if called else picture


def _column(path: Path, heading: list[str] | None, name: str) -> int:
    if heading is None or name not in heading:
        raise DataError(f"attributes: {path} has no column {name!r}{_listed(heading)}")
    return heading.index(name)


def _listed(heading: list[str] | None) -> str:
    if not heading:
        return " (it has no heading)"
    more = "" if len(heading) <= _MOST_NAMED else ", …"
    return f" ({', '.join(heading[:_MOST_NAMED])}{more})"


def _ordered(kinds: set[str]) -> list[str]:
    """As numbers where all are: -1, 1; 2, 10."""
    try:
        return sorted(kinds, key=int)
    except ValueError:
        return sorted(kinds)
