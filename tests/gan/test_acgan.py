"""AC-GAN: the discriminator's second head names the class, and the generator learns from it."""

import numpy as np
import pytest

import minigan
from minigan.data import ImageData
from minigan.gan import SettingError, Trainer, recipe
from minigan.gan.explore import label_grid

CLASSES = 3
SMALL = {"network": "mlp", "widths": "16", "critic_widths": "16", "latent": "4", "lr": "5e-3"}


def trainer(labelled=True, batch_size=16, **options):
    """Dark 12×12 images; those of class k are bright in rows 4k to 4k + 3."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (96, 1, 12, 12), dtype=np.uint8)
    labels = (np.arange(96) % CLASSES).astype(np.int64)
    for image, k in zip(images, labels, strict=True):
        image[:, 4 * k : 4 * k + 4] += 190
    chosen = recipe("acgan")
    data = ImageData("bands", images, labels if labelled else None, CLASSES if labelled else 0)
    return Trainer(chosen, chosen.configure(options), data, batch_size=batch_size, seed=0)


def brightest(images):
    return np.asarray(images).reshape(len(images), CLASSES, -1).mean(2).argmax(1)


def noted(critic):
    """(images, logits, class logits) of every pass, in float64."""
    said = []

    def note(module, inputs, verdict):
        parts = (inputs[0], verdict.logit, verdict.classes)
        said.append([part.detach().numpy().astype(np.float64) for part in parts])

    critic.register_forward_hook(note)
    return said


def cross_entropy(logits, labels):
    """-mean ln softmax(logits)[label], written out."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        total -= row[label] - np.log(np.exp(row - row.max()).sum()) - row.max()
    return total / len(labels)


def softplus(x):
    return np.logaddexp(0, x)


def asked(t):
    """The classes that the next step asks the generator for, caught on their way into it."""
    classes = []
    t.networks.generator.register_forward_pre_hook(
        lambda module, inputs: classes.append(inputs[0].numpy()[:, -CLASSES:].argmax(1))
    )
    return classes


def test_300_steps_keep_the_law_and_the_generator_draws_what_it_is_asked_for():
    t = trainer(**SMALL)
    said, classes = noted(t.networks.critic), asked(t)
    first = None
    for _ in range(300):
        said.clear()
        classes.clear()
        row = t.train_step()
        (real, on_real, named_real), (_, on_fake, named_fake), (_, again, _) = said
        labels = brightest(real)
        assert row["d_loss"] == pytest.approx(
            softplus(-on_real).mean() + softplus(on_fake).mean(), rel=1e-4
        )
        assert row["g_loss"] == pytest.approx(softplus(-again).mean(), rel=1e-4)
        assert row["class_loss"] == pytest.approx(
            cross_entropy(named_real, labels) + cross_entropy(named_fake, classes[0]),
            rel=1e-4,
            abs=1e-6,
        )
        share = (named_real.argmax(1) == labels).mean()
        assert row["class_accuracy"] == pytest.approx(share, abs=1e-6)
        first = row if first is None else first
    assert first["class_loss"] > np.log(CLASSES)  # two cross entropies, each near ln 3 by guessing
    assert row["class_loss"] < 0.1 and row["class_accuracy"] == 1
    view = t.recipe.view
    images = view.decode(t.networks, label_grid(view.space(t.networks), 10, seed=1), "cpu")
    assert (brightest(images) == np.tile(np.arange(CLASSES), 10)).mean() >= 0.95


def test_the_losses_are_the_sums_and_teach_the_generator_its_class():
    """What is descended is the recorded objective and the cross entropies; G's too."""
    t = trainer(**SMALL)
    said = noted(t.networks.critic)
    real, fake, known = t.deal()
    arguments = (t.settings, t.networks.critic)
    judged = t.recipe.critic_loss(*arguments, real, fake.detach(), t.rng, known)
    both = judged.record["d_loss"].item() + judged.record["class_loss"].item()
    assert judged.loss.item() == pytest.approx(both, rel=1e-6)
    fooled = t.recipe.generator_loss(*arguments, fake, t.rng, known)
    wanted = cross_entropy(said[-1][2], known.fake.numpy().argmax(1))
    assert fooled.loss.item() == pytest.approx(fooled.record["g_loss"].item() + wanted, rel=1e-5)
    # Without the adversarial head only the class moves G: all of its layers hear of it.
    with minigan.no_grad():
        t.networks.critic.logit.weight.fill_(0)
    t.recipe.generator_loss(*arguments, t.fake(), t.rng, known).loss.backward()
    assert all(p.grad.abs().sum().item() > 0 for p in t.networks.generator.parameters())


def test_penalties_and_other_objectives_leave_the_classes_alone():
    """With r1 the critic judges the real images once more; the classes are of the first passes."""
    t = trainer(loss="hinge", r1="1", **SMALL)
    said, classes = noted(t.networks.critic), asked(t)
    row = t.train_step()
    assert len(said) == 4 and "penalty" in row and "d_real" not in row
    (real, on_real, named_real), (_, on_fake, named_fake) = said[:2]
    hinge = np.maximum(0, 1 - on_real).mean() + np.maximum(0, 1 + on_fake).mean()
    assert row["d_loss"] == pytest.approx(hinge, rel=1e-4)
    expected = cross_entropy(named_real, brightest(real)) + cross_entropy(named_fake, classes[0])
    assert row["class_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_heads_share_the_trunk_and_nothing_else():
    critic = trainer(**SMALL).networks.critic
    x = minigan.randn(4, 1, 12, 12)
    for head, other in (("logit", "classes"), ("classes", "logit")):
        critic.zero_grad()
        getattr(critic(x), head).sum().backward()
        assert all(p.grad is None for p in getattr(critic, other).parameters())
        assert all(p.grad is not None for p in getattr(critic, head).parameters())
        assert all(p.grad is not None for p in critic.trunk.parameters())


@pytest.mark.parametrize("network", ["dcgan", "infogan", "cgan", "cgan-dcgan", "mlp"])
def test_every_network_can_bear_the_second_head(network):
    row = trainer(network=network, batch_size=4).train_step()
    assert 0 <= row["class_accuracy"] <= 1


def test_labels_are_needed_and_the_discriminator_must_not_be_told_them():
    with pytest.raises(SettingError, match="acgan needs data with labels"):
        trainer(labelled=False)
    with pytest.raises(SettingError, match="acgan: label_at=input tells the discriminator the cl"):
        trainer(label_at="input")
