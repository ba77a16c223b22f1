"""InfoGAN: classes and codes come out of the images again, and nobody told it about labels."""

import numpy as np
import pytest

import minigan
from minigan.data import ImageData
from minigan.gan import SettingError, Trainer, recipe
from minigan.gan.latents import draw_latents, parts_of
from minigan.gan.recipes.infogan import info_loss

KINDS = 3
SMALL = {
    **{"network": "mlp", "widths": "64", "critic_widths": "64", "latent": "4"},
    **{"classes": KINDS, "codes": 1, "lr": "5e-3"},
}


def trainer(labelled=False, seed=0, batch_size=16, **options):
    """12×12 images of three kinds, bright in one of three bands, and of any contrast."""
    rng = np.random.default_rng(0)
    kinds = np.arange(192) % KINDS
    light = rng.integers(60, 250, 192)
    images = rng.integers(0, 6, (192, 1, 12, 12), dtype=np.uint8)
    for image, k, level in zip(images, kinds, light, strict=True):
        image[:, 4 * k : 4 * k + 4] += np.uint8(level)
    chosen = recipe("infogan")
    labels = kinds.astype(np.int64) if labelled else None
    data = ImageData("bands", images, labels, KINDS if labelled else 0)
    return Trainer(
        chosen, chosen.configure({**SMALL, **options}), data, batch_size=batch_size, seed=seed
    )


def numbers(module):
    return {name: p.detach().numpy().copy() for name, p in module.named_parameters()}


def changed(before, module):
    return {name for name, old in before.items() if (numbers(module)[name] != old).any()}


def softplus(x):
    return np.logaddexp(0, x)


def test_300_steps_keep_the_law_and_what_went_in_is_read_off_the_images():
    # The rates fall: at constant ones the last steps jump about, and differently on every BLAS.
    t = trainer(decay=300, decay_to=0.02)
    passes = []
    t.networks.critic.register_forward_hook(
        lambda module, inputs, verdict: passes.append(
            [part.detach().numpy().astype(np.float64) for part in verdict]
        )
    )
    given = []
    t.networks.generator.register_forward_pre_hook(lambda m, inputs: given.append(inputs[0]))
    for _ in range(300):
        passes.clear()
        given.clear()
        row = t.train_step()
        (on_real, *_), (on_fake, *_), (again, *_), (_, named, read) = passes
        assert row["d_loss"] == pytest.approx(
            softplus(-on_real).mean() + softplus(on_fake).mean(), rel=1e-4
        )
        assert row["g_loss"] == pytest.approx(softplus(-again).mean(), rel=1e-4)
        latents = given[1].numpy()  # fresh ones, not those of the game
        kind, code = latents[:, 4 : 4 + KINDS].argmax(1), latents[:, 4 + KINDS :]
        assert set(latents[:, 4 : 4 + KINDS].ravel()) == {0, 1} and np.abs(code).max() <= 1
        logs = named - np.log(np.exp(named).sum(1, keepdims=True))
        expected = -logs[np.arange(16), kind].mean()
        assert row["class_loss"] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert row["code_loss"] == pytest.approx(((read - code) ** 2).mean(), rel=1e-4, abs=1e-6)
    latents = draw_latents(t.networks, 300, minigan.Generator().manual_seed(5), "cpu")
    kinds, codes = (part.numpy() for part in parts_of(t.networks, latents))
    images = t.generate(latents)
    t.networks.critic.eval()
    verdict = t.networks.critic(minigan.tensor(images))
    named = verdict.classes.detach().numpy().argmax(1)
    assert (named == kinds.argmax(1)).mean() > 0.95
    assert (
        (verdict.codes.detach().numpy() - codes) ** 2
    ).mean() < 1 / 6  # guessing 0 costs E u² = 1/3


def test_the_heads_are_disjoint():
    """Each output is of its own head alone: no number of another head moves it."""
    critic = trainer().networks.critic
    x = minigan.randn(4, 1, 12, 12)
    heads = ("logit", "classes", "codes")
    before = critic(x)
    assert [part.shape for part in before] == [(4, 1), (4, KINDS), (4, 1)]
    for head in heads:
        layer = getattr(critic, head)
        old = layer.weight.detach().clone()
        with minigan.no_grad():
            layer.weight.fill_(1.0)
        after = critic(x)
        for other in heads:
            same = np.array_equal(
                getattr(before, other).detach().numpy(), getattr(after, other).detach().numpy()
            )
            assert same == (other != head)
        with minigan.no_grad():
            layer.weight.copy_(old)


def test_the_info_loss_reaches_generator_trunk_and_q_and_nothing_else():
    t = trainer()
    critic, generator = t.networks.critic, t.networks.generator
    info_loss(t).loss.backward()
    for part in (generator, critic.trunk, critic.classes, critic.codes):
        assert all(p.grad.abs().sum().item() > 0 for p in part.parameters())
    assert all(p.grad is None for p in critic.logit.parameters())
    before = numbers(generator), numbers(critic)
    info = info_loss(t)
    slope = t.step_of(t.optimizers.info, info.loss)
    assert slope.item() > 0
    assert changed(before[0], generator) == set(before[0])
    assert changed(before[1], critic) == {n for n in before[1] if not n.startswith("logit")}


def test_the_game_leaves_the_heads_of_q_alone():
    t = trainer()
    q = numbers(t.networks.critic.classes), numbers(t.networks.critic.codes)
    real, fake, known = t.deal()
    t.critic_step(real, fake, known)
    t.generator_step(fake, known)
    assert not changed(q[0], t.networks.critic.classes)
    assert not changed(q[1], t.networks.critic.codes)


@pytest.mark.parametrize(("setting", "column"), [("info_class", "class"), ("info_code", "code")])
def test_the_weights_are_the_settings(setting, column):
    info = info_loss(trainer(**{setting: 0.25}))
    other = ({"class_loss", "code_loss"} - {f"{column}_loss"}).pop()
    expected = 0.25 * info.record[f"{column}_loss"].item() + info.record[other].item()
    assert info.loss.item() == pytest.approx(expected, rel=1e-6)


def test_labels_are_not_looked_at():
    """With and without them, also where others give the fakes the real images' labels (gp)."""
    for options in ({}, {"gp": "10"}, {"classes": 5, "gp": "10"}):
        rows = [
            [t.train_step() for _ in range(3)]
            for t in (trainer(labelled, **options) for labelled in (False, True))
        ]
        assert rows[0] == rows[1]


@pytest.mark.parametrize("options", [{"ema": 0.9, "decay": 9}, {"clip_gradients": 1, "gp": 1}])
def test_a_state_put_back_goes_on_bit_for_bit(options):
    """Three optimizers, of which the critic's knows nothing of Q's heads."""
    one = trainer(**options)
    for _ in range(3):
        one.train_step()
    state = {k: v.copy() for k, v in one.state_dict().items()}
    kinds = {key.split("/")[0] for key in state}
    assert {"critic_optimizer", "generator_optimizer", "info_optimizer"} <= kinds
    rows = [one.train_step() for _ in range(5)]
    two = trainer(**options)
    two.load_state_dict(state)
    assert [two.train_step() for _ in range(5)] == rows
    a, b = one.state_dict(), two.state_dict()
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name


@pytest.mark.parametrize("network", ["dcgan", "infogan", "cgan", "cgan-dcgan", "mlp"])
def test_every_network_can_bear_the_heads(network):
    mlp = {} if network == "mlp" else {"widths": "128,256,512", "critic_widths": "512,256"}
    row = trainer(network=network, batch_size=4, **mlp).train_step()
    assert row["class_loss"] > 0 and row["code_loss"] > 0


def test_classes_or_codes_alone():
    assert "code_loss" not in trainer(codes=0).train_step()
    assert "class_loss" not in trainer(classes=0).train_step()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"classes": 1}, "setting classes must be 0 or from 2"),
        ({"classes": 0, "codes": 0}, "not be 0 with classes=0"),
        ({"codes": -1}, "setting codes must lie between 0"),
        ({"info_code": "nan"}, "setting info_code must not be negative and must be finite"),
        ({"label_at": "input"}, "label_at=input is about the data's labels, and infogan looks at"),
        ({"clip_weights": 0.1}, "clip_weights cannot hold here"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, said):
    with pytest.raises(SettingError, match=said):
        recipe("infogan").configure(values)
