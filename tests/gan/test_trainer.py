"""The trainer does what the recipe says, step by step, and its state is complete."""

import numpy as np
import pytest

import minigan
from minigan import nn, optim
from minigan.data import DataError, ImageData, PairData, load, mixture
from minigan.gan import NonFiniteLoss, Trainer, recipe
from minigan.gan.sampling import generate, restore
from minigan.gan.streams import stream


def trainer(seed=0, augment=None, **settings):
    chosen = recipe("dcgan")
    data = load("glyphs", count=40)
    return Trainer(
        chosen, chosen.configure(settings), data, batch_size=8, seed=seed, augment=augment
    )


def parameters(network):
    return {name: p.detach().numpy().copy() for name, p in network.named_parameters()}


def test_one_step_is_the_algorithm_of_the_paper():
    """A step written out by hand, with the same batch and noise, gives the same parameters."""
    ours, reference = trainer(), trainer()
    row = ours.train_step()
    generator, critic, latent, *_ = reference.networks
    bce = nn.BCEWithLogitsLoss()
    d_adam = optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    g_adam = optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    real = minigan.from_numpy(next(reference.batches)[0])
    noise = minigan.randn(8, latent, generator=reference.rng)
    on_real, on_fake = critic(real), critic(generator(noise).detach())
    d_loss = bce(on_real, minigan.ones(8, 1)) + bce(on_fake, minigan.zeros(8, 1))
    d_loss.backward()
    d_adam.step()
    g_loss = bce(critic(generator(noise)), minigan.ones(8, 1))
    generator.zero_grad()
    g_loss.backward()
    g_adam.step()
    assert row["d_loss"] == pytest.approx(d_loss.item(), rel=1e-6)
    assert row["g_loss"] == pytest.approx(g_loss.item(), rel=1e-6)
    assert row["d_real"] == pytest.approx(on_real.sigmoid().mean().item(), rel=1e-6)
    assert row["d_fake"] == pytest.approx(on_fake.sigmoid().mean().item(), rel=1e-6)
    for mine, theirs in ((ours.networks.generator, generator), (ours.networks.critic, critic)):
        for name, value in parameters(theirs).items():
            # Adam's first step is lr·sign(g): where g is rounding noise its sign is arbitrary.
            far = np.abs(parameters(mine)[name] - value) > 1e-7
            assert far.mean() < 0.01, name


def test_n_critic_steps_take_a_fresh_batch_each():
    three = trainer(n_critic=3)
    three.train_step()
    assert three.batches.state_dict() == {"epoch": 0, "position": 3}
    assert three.optimizers[0].state_dict()["state"][0]["step"] == 3
    assert three.optimizers[1].state_dict()["state"][0]["step"] == 1


def test_no_gradient_of_the_frozen_critic_is_computed():
    """In the generator's step the critic's weights get no gradient: .grad is the critic's own."""
    one = trainer()
    critic = one.networks.critic
    generator_loss = one.recipe.generator_loss
    seen = []

    def spy(*arguments):
        seen.append([p.requires_grad for p in critic.parameters()])
        return generator_loss(*arguments)

    object.__setattr__(one.recipe, "generator_loss", spy)
    try:
        one.train_step()
    finally:
        object.__setattr__(one.recipe, "generator_loss", generator_loss)
    assert not any(seen[0])
    assert all(p.requires_grad for p in critic.parameters())


@pytest.mark.parametrize("augment", [None, "flip,crop=4"])
def test_a_state_put_back_goes_on_bit_for_bit(augment):
    one = trainer(ema=0.9, augment=augment)
    for _ in range(2):
        one.train_step()
    state = {k: v.copy() for k, v in one.state_dict().items()}
    rows = [one.train_step() for _ in range(7)]  # beyond the end of an epoch (5 batches)
    two = trainer(seed=0, ema=0.9, augment=augment)
    two.load_state_dict(state)
    assert two.step == 2
    assert [two.train_step() for _ in range(7)] == rows
    a, b = one.state_dict(), two.state_dict()
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name
    one.close()
    two.close()


def test_augmentation_changes_the_real_images_and_nothing_else():
    """Mirrored or not, each image of a batch is the one that would be there without."""
    plain, mirrored = trainer(), trainer(augment="flip")
    real, seen = plain.real().numpy(), mirrored.real().numpy()
    same = [np.array_equal(a, b) for a, b in zip(real, seen, strict=True)]
    turned = [np.array_equal(a, b[..., ::-1]) for a, b in zip(real, seen, strict=True)]
    assert any(same) and any(turned) and all(np.logical_or(same, turned))
    assert np.array_equal(plain.fake().detach().numpy(), mirrored.fake().detach().numpy())
    mirrored.close()


def test_a_closed_trainer_goes_on_where_it_was():
    one, two = trainer(augment="crop=4"), trainer(augment="crop=4")
    one.train_step()
    two.train_step()
    two.close()
    assert two.train_step() == one.train_step()
    one.close()
    two.close()
    trainer().close()  # nothing to end


def test_what_are_no_single_images_is_refused():
    chosen = recipe("dcgan")
    photos = np.zeros((4, 3, 32, 32), np.uint8)
    for data, unit in (
        (PairData("facades", photos, photos), "facades has pairs"),
        (mixture("ring", 10, seed=0), "ring has points"),
    ):
        with pytest.raises(DataError, match=f"data set: dcgan needs single images, {unit}"):
            Trainer(chosen, chosen.configure({}), data, batch_size=2, seed=0)


def test_an_augmentation_that_does_not_fit_the_images_is_refused_at_once():
    with pytest.raises(DataError, match="crop reflects 28 pixels"):
        trainer(augment="flip,crop=28")


def test_a_state_of_other_networks_is_refused():
    state = trainer().state_dict()
    with pytest.raises(ValueError, match="does not fit"):
        trainer(latent=50).load_state_dict(state)
    del state["state.json"]
    with pytest.raises(ValueError, match="does not fit"):
        trainer().load_state_dict(state)


def test_the_average_is_the_geometric_mean_of_the_past_and_soon_forgets_the_start():
    one = trainer(ema=0.75)
    expected = parameters(one.networks.generator)
    for decay in [(1 + n) / (10 + n) for n in range(26)] + [0.75, 0.75]:  # grows to 0.75
        one.train_step()
        now = parameters(one.networks.generator)
        expected = {k: decay * v + (1 - decay) * now[k] for k, v in expected.items()}
    for name, value in parameters(one.average).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-7)
    latents = minigan.randn(3, 100)
    restored, shape = restore(one.recipe, one.settings, one.state_dict())
    assert restored.latent == 100 and shape == one.shape
    assert np.array_equal(generate(restored.generator, latents), one.generate(latents))
    assert not np.array_equal(
        generate(restored.generator, latents), generate(one.networks.generator, latents)
    )


def test_generating_changes_nothing_and_each_image_depends_on_its_own_latent():
    one = trainer()
    one.train_step()
    latents = minigan.randn(70, 100)
    before = {k: v.copy() for k, v in one.state_dict().items()}
    images = one.generate(latents)
    assert images.shape == (70, 1, 28, 28) and images.dtype == np.float32
    assert np.abs(images).max() <= 1
    np.testing.assert_allclose(one.generate(latents[3:4])[0], images[3], atol=1e-5)
    after = one.state_dict()
    assert all(np.array_equal(before[k], after[k]) for k in before)
    assert one.networks.generator.training


def test_a_non_finite_loss_stops_and_names_the_step():
    one = trainer()
    one.train_step()
    with minigan.no_grad():
        next(iter(one.networks.critic.parameters())).fill_(float("nan"))
    with pytest.raises(NonFiniteLoss, match="d_loss became nan at step 2"):
        one.train_step()


def test_random_streams_of_a_run_differ():
    seeds = {
        stream(s, p) for s in range(50) for p in ("data", "training", "weights", "grid", "global")
    }
    assert len(seeds) == 250


def test_colour_images_train_too():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 3, 32, 32), dtype=np.uint8)
    chosen = recipe("dcgan")
    one = Trainer(
        chosen, chosen.configure({}), ImageData("noise", images, None, 0), batch_size=4, seed=0
    )
    one.train_step()
    assert one.generate(minigan.randn(1, 100)).shape == (1, 3, 32, 32)


def test_a_batch_of_one_is_refused_where_batchnorm_has_nothing_to_compare():
    chosen, data = recipe("infogan"), load("glyphs", count=10, image_size=8)
    with pytest.raises(DataError, match="at least 2 images in a batch here"):
        Trainer(chosen, chosen.configure({}), data, batch_size=1, seed=0)
