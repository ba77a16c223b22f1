"""Module: a tree of parameters, buffers and sub-modules with a ``forward``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .._hooks import RemovableHandle
from .._tensor import Tensor
from ..array import to_device
from ..ops.creation import as_tensor, zeros_like
from .parameter import Parameter


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` did not find, and did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of all networks and layers.

    Assign Parameters, Tensors given to ``register_buffer`` and Modules as attributes, and define
    ``forward``.

    >>> import minigan
    >>> class Scale(minigan.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = minigan.nn.Parameter(minigan.ones(1))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> list(Scale().state_dict())
    ['factor']
    """

    def __init__(self):
        for kind in _KINDS:
            object.__setattr__(self, kind, {})
        self._transient: set[str] = set()  # buffers that state_dict leaves out
        self._forward_pre_hooks: dict[int, Callable] = {}
        self._forward_hooks: dict[int, Callable] = {}
        self.training = True

    # -- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        home = next((kind for kind in _KINDS if name in self.__dict__.get(kind, ())), None)
        if isinstance(value, Parameter):
            kind = "_parameters"
        elif isinstance(value, Module) and home != "_parameters":
            kind = "_modules"
        else:
            kind = home
        if kind is None:
            object.__setattr__(self, name, value)
            return
        if kind != home:
            for place in (self.__dict__, self.__dict__.get(home, {})):
                place.pop(name, None)
        self._register(kind, name, value)

    def _register(self, kind: str, name: str, value: Any) -> None:
        what = f"{type(self).__name__}.{name}"
        if kind not in self.__dict__:
            raise AttributeError(f"{what}: call super().__init__() before assigning")
        if not isinstance(name, str):
            raise TypeError(f"{what}: expected a string as name, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{what}: a name must not be empty nor hold a dot")
        if name not in self.__dict__[kind] and hasattr(self, name):
            raise KeyError(f"{what}: this attribute exists already")
        if value is not None and not isinstance(value, _KINDS[kind]):
            raise TypeError(
                f"{what}: expected a {_KINDS[kind].__name__} or None, got {type(value).__name__}"
            )
        self.__dict__[kind][name] = value

    def __getattr__(self, name: str) -> Any:
        for kind in _KINDS:
            if name in self.__dict__.get(kind, ()):
                return self.__dict__[kind][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in _KINDS:
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make ``param`` a parameter called ``name`` (None: there is none)."""
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make ``tensor`` part of the module's state that is not trained."""
        self._register("_buffers", name, tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make ``module`` a sub-module called ``name``."""
        self._register("_modules", name, module)

    # -- calling

    def forward(self, *inputs: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        for hook in list(self._forward_pre_hooks.values()):
            changed = hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*inputs, **kwargs)
        for hook in list(self._forward_hooks.values()):
            changed = hook(self, inputs, output)
            if changed is not None:
                output = changed
        return output

    def register_forward_pre_hook(self, hook: Callable[[Module, tuple], Any]) -> RemovableHandle:
        """Call ``hook(module, inputs)`` before every forward; what it returns replaces the inputs.

        None leaves them, anything but a tuple is one input.  Hooks run in order of registration.
        """
        return RemovableHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[[Module, tuple, Any], Any]) -> RemovableHandle:
        """Call ``hook(module, inputs, output)`` after every forward; what it returns is the output.

        None leaves the output as it is.  Hooks run in order of registration.
        """
        return RemovableHandle(self._forward_hooks, hook)

    # -- walking the tree

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it with their dotted names, each module once."""
        seen: set[int] = set()
        stack = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            children = [(k, m) for k, m in module._modules.items() if m is not None]
            stack += [(f"{name}.{k}" if name else k, m) for k, m in reversed(children)]

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names, each once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct sub-modules."""
        return (module for _, module in self.named_children())

    def _named(self, kind: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, value in module.__dict__[kind].items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with their dotted names, shared ones once (``recurse``: those below too)."""
        return self._named("_parameters", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters."""
        return (value for _, value in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Buffers with their dotted names, shared ones once (``recurse``: those below too)."""
        return self._named("_buffers", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (value for _, value in self.named_buffers(recurse=recurse))

    def apply(self, function: Callable[[Module], None]) -> Module:
        """Call ``function`` on every module, children first; returns the module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # -- modes, gradients, dtype and device

    def train(self, mode: bool = True) -> Module:
        """Training (or, with False, evaluation) behaviour for BatchNorm, Dropout, …"""
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected True or False, got {mode!r}")
        self.training = mode
        for child in self.children():  # not self.modules(): a module may define its own train
            child.train(mode)
        return self

    def eval(self) -> Module:
        """Evaluation behaviour."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Ask, or stop asking, for the parameters' gradients."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients (or make them zero)."""
        for p in self.parameters():
            p.grad = None if set_to_none or p.grad is None else zeros_like(p.grad)

    def to(self, *target: Any, dtype: Any = None, device: Any = None) -> Module:
        """Float parameters and buffers with another dtype, everything on another device."""
        for value in target:
            if str(value).partition(":")[0] in ("cpu", "cuda"):
                device = value
            else:
                dtype = value
        if dtype is not None and np.dtype(dtype).kind != "f":
            raise TypeError(f"Module.to: expected a float dtype, got {np.dtype(dtype)}")
        tensors = [*self.parameters(), *self.buffers()]
        for tensor in tensors + [t.grad for t in tensors if t.grad is not None]:
            array = tensor.array if device is None else to_device(tensor.array, device)
            if dtype is not None and array.dtype.kind == "f":
                array = array.astype(dtype, copy=False)
            if array is not tensor.array:
                tensor.data = Tensor(array)
        return self

    def float(self) -> Module:
        """Parameters and float buffers as float32."""
        return self.to("float32")

    def double(self) -> Module:
        """Parameters and float buffers as float64."""
        return self.to("float64")

    def cpu(self) -> Module:
        """Everything on the CPU."""
        return self.to("cpu")

    def cuda(self, device: str = "cuda") -> Module:
        """Everything on a GPU."""
        return self.to(device)

    # -- state

    def state_dict(self) -> OrderedDict[str, Tensor]:
        """Parameters and buffers by PyTorch's names, on the modules' own memory."""
        state: OrderedDict[str, Tensor] = OrderedDict()
        self._collect("", state)
        return state

    def _collect(self, prefix: str, state: OrderedDict[str, Tensor]) -> None:
        for name, value in self._parameters.items():
            if value is not None:
                state[prefix + name] = value.detach()
        for name, value in self._buffers.items():
            if value is not None and name not in self._transient:
                state[prefix + name] = value.detach()
        for name, module in self._modules.items():  # a shared one under each of its names
            if module is not None:
                module._collect(f"{prefix}{name}.", state)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Take over the values of ``state_dict``: Tensors or arrays by name, into existing memory.

        Raises:
            RuntimeError: names are missing or unknown (``strict``), a shape differs, or a value
                holds no numbers; then nothing has been changed.
        """
        own = self.state_dict()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        values = {name: as_tensor(state_dict[name]) for name in own if name in state_dict}
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

    # -- printing

    def extra_repr(self) -> str:
        """A layer's own settings, for printing."""
        return ""

    def __repr__(self) -> str:
        settings = self.extra_repr()
        lines = settings.split("\n") if settings else []
        if not self._modules and len(lines) < 2:
            return f"{type(self).__name__}({settings})"
        lines += [f"({name}): {module!r}" for name, module in self._modules.items()]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


_KINDS = {"_parameters": Parameter, "_buffers": Tensor, "_modules": Module}
