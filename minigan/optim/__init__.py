"""Optimizers: how parameters move along their gradients, named as in ``torch.optim``."""

from . import lr_scheduler
from .adam import Adam, AdamW
from .algorithms import SGD, Adagrad, RMSprop
from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
