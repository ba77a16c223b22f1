"""A Module's state: taken out by name, and put back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._tensor import Tensor
from ..ops.creation import as_tensor


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` did not find, and did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self[0]}, unexpected_keys={self[1]})"


class State:
    """``state_dict`` and ``load_state_dict`` of what a Module owns."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _transient: set[str]

    def state_dict(
        self,
        *,
        destination: dict[str, Tensor] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Tensor]:
        """Parameters and buffers by PyTorch's names, on the modules' own memory.

        Args:
            destination: the dict to add to (None: a new OrderedDict).
            prefix: stands before every name.
            keep_vars: give the parameters themselves instead of Tensors without history.
        """
        state = OrderedDict() if destination is None else destination
        kept = {k: v for k, v in self._buffers.items() if k not in self._transient}
        for name, value in {**self._parameters, **kept}.items():
            if value is not None:
                state[prefix + name] = value if keep_vars else value.detach()
        for name, module in self._modules.items():  # a shared one under each of its names
            if module is not None:
                module.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Take over the values of ``state_dict``: Tensors or arrays by name, into existing memory.

        Args:
            strict: refuse missing and unknown names (False: report them).

        Returns:
            The missing and the unknown names.

        Raises:
            RuntimeError: names are missing or unknown (``strict``), a shape differs, or a value
                holds no numbers; then nothing has been changed.

        >>> from minigan import nn
        >>> nn.Linear(2, 3).load_state_dict(nn.Linear(2, 3).state_dict())
        <All keys matched successfully>
        """
        own = self.state_dict()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        values = {
            name: as_tensor(state_dict[name], device=mine.device)
            for name, mine in own.items()
            if name in state_dict
        }
        wrong = []
        for name, value in values.items():
            if value.dtype.kind not in "biuf":
                wrong.append(f"{name} is of dtype {value.dtype}, expected real numbers")
            elif value.shape != own[name].shape:
                wrong.append(f"{name} has shape {value.shape}, expected {own[name].shape}")
        if strict and missing:
            wrong.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            wrong.append(f"unexpected keys: {', '.join(map(str, unexpected))}")
        if wrong:
            raise RuntimeError(f"load_state_dict: {type(self).__name__}: {'; '.join(wrong)}")
        for name, value in values.items():
            own[name].copy_(value.detach())
        return IncompatibleKeys(missing, unexpected)
