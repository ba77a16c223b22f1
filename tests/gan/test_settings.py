"""Settings that contradict each other are refused or warned of, in one sentence that says why."""

import dataclasses

import pytest

from minigan.gan import SettingError, autoencoding, recipe, recipe_names
from minigan.gan.settings import Settings


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_the_common_settings_and_agrees_with_itself(name):
    settings = recipe(name).configure({})
    base = Settings if isinstance(settings, Settings) else autoencoding.Settings
    common = [field.name for field in dataclasses.fields(base)]
    assert [field.name for field in dataclasses.fields(settings)][: len(common)] == common
    assert settings.warnings() == []
    assert recipe(name).configure(dataclasses.asdict(settings)) == settings


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("wgan-gp", {"critic_norm": "batch"}, "BatchNorm makes it depend on the whole batch"),
        ("dcgan", {"gp": "10"}, "BatchNorm makes it depend on the whole batch"),
        ("wgan-gp", {"network": "infogan", "critic_norm": "auto"}, "critic_norm=layer"),
        ("wgan", {"critic_norm": "spectral"}, "rescales the weights that were clipped"),
        ("hinge", {"real_targets": "0.9,1"}, "loss=hinge has none"),
        ("wgan", {"flip": "0.1"}, "targets of the cross entropy"),
        ("dcgan", {"widths": "64,64"}, "widths is of network=mlp, the network is dcgan"),
        ("dcgan", {"norm_after": "true"}, "network=5x5"),
        ("dcgan", {"critic_beta1": "1"}, "critic_beta1 must lie in"),
        ("acgan", {"one_batch": "true"}, "one_batch has no part here"),
        ("began", {"clip_weights": "0.1"}, "nothing needs a bounded slope"),
        ("pix2pix", {"gp": "10"}, "gp has no part here"),
        ("pix2pix", {"loss": "wgan"}, "clip_weights=0.01"),
        ("gan", {"kernel": "5"}, "kernel is of network=dcgan"),
        ("dcgan", {"kernel": "9"}, "kernel must lie between 2 and 8"),
        ("unrolled", {"n_critic": "2"}, "takes one step for each"),
        ("unrolled", {"clip_weights": "0.1"}, "not part of the steps"),
        ("unrolled", {"unroll": "-1"}, "unroll must lie between"),
        ("dcgan", {"decay_to": "0.1"}, "with decay=0 they stay; give decay=STEPS"),
        ("began", {"decay": "0", "decay_to": "0.5"}, "with decay=0 they stay"),
        ("vae", {"decay_to": "0.1"}, "with decay=0 they stay"),
        ("wgan", {"beta1": "0.9"}, "beta1 is of optimizer=adam, the optimizer is rmsprop"),
        ("sngan", {"beta2": "0.99", "optimizer": "sgd"}, "beta2 is of optimizer=adam"),
        ("infogan", {"critic_beta1": "0", "optimizer": "sgd"}, "critic_beta1 is of optimizer"),
    ],
)
def test_contradictions_are_refused(name, values, why):
    with pytest.raises(SettingError, match=why) as error:
        recipe(name).configure(values)
    assert str(error.value).startswith(f"{name}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("dcgan", {"real_targets": "0.5,1.5"}, "clipped to"),
        ("dcgan", {"loss": "wgan"}, "no lower bound"),
        ("wgan", {"clip_weights": "0"}, "no lower bound"),
        ("dcgan", {"r1": "10"}, "r1 with BatchNorm in the critic"),
        ("dcgan", {"dragan": "10"}, "dragan with BatchNorm in the critic"),
        ("dragan", {"r1": "10"}, "r1 with BatchNorm in the critic"),
        ("wgan", {"n_critic": "1"}, "critic_burst=0 leaves n_critic alone"),
        ("unrolled", {"critic_norm": "spectral"}, "only nearly right"),
    ],
)
def test_doubtful_settings_are_warned_of(name, values, why):
    (sentence,) = recipe(name).configure(values).warnings()
    assert why in sentence


@pytest.mark.parametrize("values", [{"gp": "10"}, {"clip_weights": "0.01"}])
def test_a_bounded_critic_is_not_warned_of(values):
    configured = recipe("dcgan").configure({"loss": "wgan", "critic_norm": "layer", **values})
    assert configured.warnings() == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("began", {"decay": "0"}),
        ("dcgan", {"decay": "100", "decay_to": "0.1"}),
        ("sngan", {"optimizer": "sgd"}),
        ("infogan", {"optimizer": "sgd", "beta1": "0.9"}),  # of its third optimizer
        ("dragan", {"critic_norm": "layer", "r1": "10"}),
    ],
)
def test_what_has_an_effect_is_neither_refused_nor_warned_of(name, values):
    assert recipe(name).configure(values).warnings() == []


def test_lists_are_read_from_text_and_from_json():
    gan = recipe("gan")
    assert gan.configure({"widths": "256,256"}).widths == (256, 256)
    assert gan.configure({"widths": [3]}).widths == (3,)
    assert gan.configure({"widths": ""}).widths == ()
    assert gan.configure({"augment": "translation,cutout"}).augment == ("translation", "cutout")
    assert gan.configure({"augment": ""}).augment == ()
