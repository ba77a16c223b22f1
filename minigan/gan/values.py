"""Settings as text: how ``--set name=value`` is read as the type that the setting has."""

from __future__ import annotations

import typing
from typing import Any


class SettingError(ValueError):
    """A setting is unknown, cannot be read or does not fit the others; one clear line."""


def read(recipe: str, name: str, kind: Any, value: Any) -> Any:
    """``value`` as the setting's type ``kind``, from text or from JSON."""
    try:
        return _converted(kind, value)
    except (ValueError, KeyError, TypeError):
        raise SettingError(
            f"{recipe}: setting {name} expects {_describe(kind)}, got {value!r}"
        ) from None


def _converted(kind: Any, value: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        parts = value.split(",") if isinstance(value, str) else list(value)
        if inner[-1] is ...:
            parts = [] if parts == [""] else parts
            inner = inner[:1] * len(parts)
        return tuple(_converted(k, part) for k, part in zip(inner, parts, strict=True))
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError
        return value
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
    if kind is int and isinstance(value, float):
        raise ValueError
    return kind(value)


def _describe(kind: Any) -> str:
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        if inner[-1] is not ...:
            return f"{len(inner)} numbers separated by a comma"
        each = "whole numbers" if inner[0] is int else f"any of {_choices(inner[0])}"
        return f"{each}, separated by commas"
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {_choices(kind)}"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a text")


def _choices(kind: Any) -> str:
    return ", ".join(map(str, typing.get_args(kind)))
