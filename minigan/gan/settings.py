"""What can be chosen about any GAN on images: the base of every recipe's settings.

A recipe's own ``Settings`` derives from this one and states the values of its paper; everything
else stays within reach of ``--set``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, ClassVar, Literal

from .objectives import OBJECTIVES
from .values import SettingError

Network = Literal["dcgan", "5x5", "infogan", "cgan", "cgan-dcgan", "mlp"]
Loss = Literal["bce", "saturating", "wgan", "hinge", "lsgan", "lsgan-half"]
CriticNorm = Literal["auto", "batch", "layer", "spectral", "none"]
Optimizer = Literal["adam", "rmsprop", "sgd"]
Activation = Literal["relu", "leaky"]
LabelAt = Literal["none", "input", "hidden"]
Augmentation = Literal["color", "translation", "cutout"]

MOST = 2**16  # of everything that is counted
CROSS_ENTROPIES = [name for name, objective in OBJECTIVES.items() if objective.probabilities]


@dataclass(frozen=True)
class Settings:
    """The common settings; the defaults are DCGAN's.

    A recipe that leaves no choice about some of them names them in ``fixed``, and says why.
    """

    fixed: ClassVar[tuple[str, ...]] = ()
    because: ClassVar[str] = ""
    of_adam: ClassVar[tuple[str, ...]] = ("beta1", "critic_beta1", "beta2")
    of_batch: ClassVar[tuple[str, ...]] = ()  # penalties whose authors' critic has BatchNorm

    latent: int = 100  # numbers the generator starts from
    lr: float = 2e-4  # of both networks
    critic_lr: float = 0.0  # the critic's, where it differs (0: lr)
    optimizer: Optimizer = "adam"
    beta1: float = 0.5  # of Adam
    critic_beta1: float = -1.0  # the critic's, where it differs (-1: beta1)
    beta2: float = 0.999
    decay: int = 0  # generator steps in which the rates fall on a line (0: they stay) ...
    decay_to: float = 0.0  # ... to this share; a count, so that --steps changes no step before
    n_critic: int = 1  # critic steps for each generator step
    critic_burst: int = 0  # critic steps in the first 25 steps and at every 500th (0: n_critic)
    loss: Loss = "bce"
    network: Network = "dcgan"
    widths: tuple[int, ...] = (128, 256, 512)  # hidden layers of the mlp generator ...
    critic_widths: tuple[int, ...] = (512, 256)  # ... and of the mlp critic
    activation: Activation = "relu"  # in the generator
    generator_norm: Literal["auto", "batch", "none"] = "auto"  # auto: the network's own
    norm_after: bool = False  # in the 5x5 generator: BatchNorm after the activation
    critic_norm: CriticNorm = "auto"
    output: Literal["tanh", "sigmoid"] = "tanh"  # sigmoid: pixels from 0 to 1 in both networks
    prior: Literal["normal", "uniform"] = "normal"  # of the latents: N(0, I) or U(-1, 1)
    gp: float = 0.0  # WGAN-GP's penalty: slope 1 between real and fake
    dragan: float = 0.0  # DRAGAN's penalty: slope 1 around the real images
    r1: float = 0.0  # the penalty r1/2·E‖∇D(x)‖² on real images
    clip_weights: float = 0.0  # the critic's, after each of its steps, to ± this (0: not)
    clip_gradients: float = 0.0  # of either network, to this norm (0: not)
    real_targets: tuple[float, float] = (1.0, 1.0)  # drawn uniformly; clipped to [0, 1]
    fake_targets: tuple[float, float] = (0.0, 0.0)
    flip: float = 0.0  # share of targets exchanged between real and fake
    augment: tuple[Augmentation, ...] = ()  # of all that the critic sees, differentiable
    ema: float = 0.0  # decay of the generator's moving average (0: none)
    kernel: int = 4  # of the dcgan generator's convolutions; stride 2 divides even ones
    one_batch: bool = False  # the critic gets real and generated images in one batch, not in two
    label_at: LabelAt = "none"  # conditional: where the critic sees the class; the generator too

    def __post_init__(self):
        for field in fields(self):
            if field.name in self.fixed and getattr(self, field.name) != field.default:
                raise SettingError(f"{field.name} has no part here: {self.because}")
        self._check_numbers()
        self._check_combinations()

    def _check_numbers(self) -> None:
        for name in ("latent", "n_critic"):
            if not 0 < getattr(self, name) <= MOST:
                raise SettingError(f"setting {name} must be positive and at most {MOST}")
        if not 2 <= self.kernel <= 8:
            raise SettingError("setting kernel must lie between 2 and 8")
        for name in ("critic_burst", "decay"):
            if not 0 <= getattr(self, name) <= 10**9:
                raise SettingError(f"setting {name} must not be negative nor beyond 10⁹")
        if not (self.lr > 0 and isfinite(self.lr)):
            raise SettingError("setting lr must be positive and finite")
        for name in ("critic_lr", "gp", "dragan", "r1", "clip_weights", "clip_gradients"):
            value = getattr(self, name)
            if not (value >= 0 and isfinite(value)):
                raise SettingError(f"setting {name} must not be negative and must be finite")
        if not (self.critic_beta1 == -1 or 0 <= self.critic_beta1 < 1):
            raise SettingError("setting critic_beta1 must lie in [0, 1), or be -1 for beta1")
        for name in ("beta1", "beta2", "ema", "decay_to"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"setting {name} must lie in [0, 1)")
        if not 0 <= self.flip <= 0.5:
            raise SettingError("setting flip is a share between 0 and 0.5")
        for name in ("real_targets", "fake_targets"):
            low, high = getattr(self, name)
            if not (isfinite(low) and isfinite(high) and low <= high):
                raise SettingError(f"setting {name} expects low,high with low ≤ high")
        for name in ("widths", "critic_widths"):
            if not all(0 < width <= MOST for width in getattr(self, name)):
                raise SettingError(f"setting {name} expects sizes of 1 to {MOST}")

    def _check_combinations(self) -> None:
        default = {field.name: field.default for field in fields(Settings)}
        check_decay(self)
        for name in self.of_adam:
            if self.optimizer != "adam" and getattr(self, name) != getattr(type(self), name):
                raise SettingError(
                    f"{name} is of optimizer=adam, the optimizer is {self.optimizer}"
                )
        if self.gp and self.norm_of_critic == "batch":
            raise SettingError(
                "gp and a critic with BatchNorm contradict each other: the penalty is on each "
                "image's own gradient, and BatchNorm makes it depend on the whole batch; give "
                "critic_norm=layer or critic_norm=none"
            )
        if self.clip_weights and self.critic_norm == "spectral":
            raise SettingError(
                "clip_weights and critic_norm=spectral contradict each other: spectral norm "
                "rescales the weights that were clipped"
            )
        for name in ("real_targets", "fake_targets", "flip"):
            if self.loss not in CROSS_ENTROPIES and getattr(self, name) != default[name]:
                raise SettingError(
                    f"{name} is about the targets of the cross entropy, and loss={self.loss} has "
                    "none; give loss=bce"
                )
        if self.network != "dcgan" and self.kernel != 4:
            raise SettingError(f"kernel is of network=dcgan, the network is {self.network}")
        if self.network != "mlp":
            for name in ("widths", "critic_widths"):
                if getattr(self, name) != default[name]:
                    raise SettingError(f"{name} is of network=mlp, the network is {self.network}")
        if self.norm_after and (self.network != "5x5" or self.generator_norm == "none"):
            raise SettingError("norm_after is about the BatchNorm in the generator of network=5x5")

    @property
    def norm_of_critic(self) -> str:
        """What ``critic_norm`` comes to: auto is BatchNorm in dcgan and infogan, else nothing."""
        if self.critic_norm != "auto":
            return self.critic_norm
        return "batch" if self.network in ("dcgan", "infogan") else "none"

    @property
    def norm_of_generator(self) -> str:
        """What ``generator_norm`` comes to: auto is BatchNorm, but in the mlp nothing."""
        if self.generator_norm != "auto":
            return self.generator_norm
        return "none" if self.network == "mlp" else "batch"

    def warnings(self) -> list[str]:
        """What the user should know about these settings, a sentence each."""
        said = []
        limits = (*self.real_targets, *self.fake_targets)
        if min(limits) < 0 or max(limits) > 1:
            said.append(
                "targets are clipped to [0, 1]: outside it the cross entropy has no lower bound "
                "and the discriminator's logits would grow for ever"
            )
        bounded = self.gp or self.clip_weights or self.norm_of_critic == "spectral"
        if self.loss == "wgan" and not bounded:
            said.append(
                "nothing bounds the critic's slope, so the WGAN loss has no lower bound and says "
                "nothing; give gp=10, clip_weights=0.01 or critic_norm=spectral"
            )
        if self.critic_burst and self.n_critic != type(self).n_critic:
            said.append(
                f"the critic still takes {self.critic_burst} steps in each of the first 25 and at "
                "every 500th; critic_burst=0 leaves n_critic alone"
            )
        for name in ("dragan", "r1"):
            meant = name in self.of_batch
            if getattr(self, name) and self.norm_of_critic == "batch" and not meant:
                said.append(
                    f"{name} with BatchNorm in the critic: the gradient penalised is not each "
                    "image's own, because BatchNorm mixes the batch; critic_norm=layer or none "
                    "avoids that"
                )
        return said


def check_decay(settings: Any) -> None:
    """Refuse a share for the rates to fall to where they do not fall."""
    if not settings.decay and settings.decay_to != type(settings).decay_to:
        raise SettingError(
            "decay_to is the share to which the rates fall, and with decay=0 they stay; give "
            "decay=STEPS"
        )
