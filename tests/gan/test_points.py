"""GANs on points: every recipe that leaves its networks open learns them; others are refused."""

import dataclasses

import numpy as np
import pytest

import minigan
from minigan import Tensor, nn
from minigan.data import DataError, PointData, load, mixture
from minigan.gan import SettingError, Trainer, on_points, recipe, recipe_for, recipe_names
from minigan.gan.latents import sampled_latents
from minigan.gan.points import has_choice
from minigan.gan.points_view import examples, picture
from minigan.gan.schema import ImageShape
from minigan.metrics import em
from minigan.metrics.modes import nearest_modes
from minigan.plane import SIDE, places, scene_of

ON_IMAGES = {"autoencoder", "conv-autoencoder", "vae", "ebgan", "began", "pix2pix"}
ON_POINTS = [name for name in recipe_names() if name not in ON_IMAGES]
SMALL = {"widths": (32, 32), "critic_widths": (32, 32)}
PLANE = ImageShape(2, 0, 0, classes=2)
FAST = {  # so that few steps are enough
    "wgan": {"critic_burst": 0, "clip_weights": 0.1, "n_critic": 2},
    "wgan-gp": {"n_critic": 2},
    "unrolled": {"unroll": 2},
}


def two(count=512):
    """Two Gaussians beyond what a tanh could reach, a class each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    modes = np.array([[3.0, -2.0], [-3.0, 2.0]], np.float32)
    points = modes[labels] + 0.2 * rng.standard_normal((count, 2))
    return PointData("two", points.astype(np.float32), labels, modes, 0.2, 5.0)


def trainer(name, data=None, batch_size=64, **options):
    chosen = on_points(recipe(name))
    settings = chosen.configure({**SMALL, "lr": 4e-3, **FAST.get(name, {}), **options})
    return Trainer(chosen, settings, data or two(), batch_size=batch_size, seed=0)


def one_blob(count=512):
    """One Gaussian, beyond what a tanh could reach; its classes mean nothing."""
    rng = np.random.default_rng(0)
    points = [3.0, -2.0] + 0.5 * rng.standard_normal((count, 2))
    modes = np.array([[3.0, -2.0]] * 2, np.float32)
    labels = rng.integers(0, 2, count)
    return PointData("blob", points.astype(np.float32), labels, modes, 0.5, 5.0)


def generated(one, count=256, labels=None):
    return one.generate(Tensor(sampled_latents(one.networks, count, 1, labels)))


@pytest.mark.parametrize("name", ON_POINTS)
def test_it_goes_to_points_that_lie_outside_of_any_tanh(name):
    """Players may go round the goal in circles; at some time they are near it."""
    one = trainer(name, one_blob())
    real = one_blob().points[:64]
    apart = [em(real, generated(one, 64))]
    for step in range(1, 81):
        one.train_step()
        if step % 5 == 0:
            made = generated(one, 64)
            assert made.shape == (64, 2) and made.dtype == np.float32
            apart.append(em(real, made))
    assert apart[0] > 3 and min(apart) < 1.2


@pytest.mark.parametrize("name", recipe_names())
def test_what_has_a_choice_of_networks_plays_on_points(name):
    assert has_choice(recipe(name)) == (name in ON_POINTS)
    assert recipe_for(name, "mnist") == recipe(name)
    if name in ON_IMAGES:
        with pytest.raises(DataError) as caught:
            recipe_for(name, "ring")
        assert str(caught.value) == f"data set: {name} needs images, not points"
        return
    chosen = recipe_for(name, "ring")
    settings, plain = chosen.configure({}), recipe(name).configure({})
    assert chosen.data is PointData and settings.warnings() == []
    assert chosen.configure(dataclasses.asdict(settings)) == settings
    assert type(settings) is type(recipe_for(name, "grid").configure({}))
    own = {"network", "widths", "critic_widths", "latent", "output", "gp", "dragan", "activation"}
    for field in dataclasses.fields(settings):
        if field.name not in own:
            assert getattr(settings, field.name) == getattr(plain, field.name), field.name


def test_a_users_own_recipe_plays_too():
    """As any file of the recipes' folder does: its settings derive from the common ones."""
    common = recipe("dcgan").settings

    @dataclasses.dataclass(frozen=True)
    class Settings(common):
        r1: float = 10.0

    mine = on_points(dataclasses.replace(recipe("dcgan"), name="mine", settings=Settings))
    assert mine.configure({}).r1 == 10.0 and mine.configure({}).network == "mlp"


@pytest.mark.parametrize("values", [{}, {"prior": "uniform"}, {"generator_norm": "batch"}])
def test_the_generator_ends_in_a_linear_layer(values):
    """So doubling its last layer doubles what it makes."""
    chosen = on_points(recipe("wgan-gp"))
    nets = chosen.networks(chosen.configure({**SMALL, **values}), PLANE, minigan.Generator())
    last = list(nets.generator)[-1]
    assert isinstance(last, nn.Linear) and last.out_features == 2
    z = Tensor(np.random.default_rng(0).standard_normal((8, 2), dtype=np.float32))
    nets.generator.eval()
    before = nets.generator(z).detach().numpy()
    with minigan.no_grad():
        last.weight.mul_(2.0)
        last.bias.mul_(2.0)
    np.testing.assert_allclose(nets.generator(z).detach().numpy(), 2 * before, rtol=1e-6)
    assert nets.critic(z).shape == (8, 1)


def test_penalties_on_the_slope_have_the_weight_of_their_authors_toy():
    weights = {n: on_points(recipe(n)).configure({}) for n in ("wgan-gp", "dragan", "dcgan")}
    assert {n: (s.gp, s.dragan) for n, s in weights.items()} == {
        "wgan-gp": (0.1, 0.0),
        "dragan": (0.0, 0.1),
        "dcgan": (0.0, 0.0),
    }
    assert on_points(recipe("wgan-gp")).configure({"gp": "10"}).gp == 10.0


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("dcgan", {"network": "dcgan"}, "dcgan: network=dcgan makes images; points have no pixels"),
        ("gan", {"network": "5x5"}, "gan: network=5x5 makes images"),
        ("wgan-gp", {"output": "tanh"}, "output=tanh keeps what is made within bounds, and points"),
        ("gan", {"output": "sigmoid"}, "output=sigmoid keeps what is made within bounds"),
        ("gan", {"augment": "color,cutout"}, "augment=color,cutout changes images"),
        ("dcgan", {"kernel": "5"}, "kernel is of network=dcgan, the network is mlp"),
        ("dcgan", {"norm_after": "true"}, "norm_after is about the BatchNorm"),
        ("wgan-gp", {"critic_norm": "batch"}, "gp and a critic with BatchNorm contradict"),
        ("gan", {"network": "cnn"}, "network expects one of dcgan, 5x5"),
    ],
)
def test_settings_that_only_images_have_are_refused_in_a_sentence(name, values, said):
    with pytest.raises(SettingError) as caught:
        on_points(recipe(name)).configure(values)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_without_labels_classes_are_refused(name):
    with pytest.raises(SettingError, match=r"needs data with labels, .*these have none"):
        trainer(name, load("roll", count=64))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cgan", {"label_at": "hidden"}),
        ("wgan-gp", {"label_at": "input"}),
        ("acgan", {}),
    ],
)
def test_points_of_a_class_come_to_its_mode(name, options):
    one = trainer(name, **options)
    for _ in range(120):
        one.train_step()
    data = two()
    for label in (0, 1):
        weights = np.tile(np.eye(2, dtype=np.float32)[label], (200, 1))
        mode, _ = nearest_modes(generated(one, 200, weights), data.modes)
        assert (mode == label).mean() > 0.85


@pytest.mark.parametrize("name", ["gan", "sngan", "cgan", "acgan", "infogan"])
def test_a_picture_shows_classes_and_contours_and_changes_nothing(name):
    data = mixture("ring", 200, seed=0)
    one = trainer(name, data)
    one.train_step()
    before = {key: array.copy() for key, array in one.state_dict().items()}
    rows, scene = examples(one.networks, data, np.random.default_rng(0))
    found = one.pictures((rows, scene))
    after = one.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    np.testing.assert_array_equal(found.points, one.generate(Tensor(rows)))
    classes = {"cgan": 8, "acgan": 8, "infogan": 10}.get(name, 0)
    assert found.classes == classes and found.discovered == (name == "infogan")
    if classes:
        counts = np.bincount(found.labels, minlength=classes)
        assert counts.max() - counts.min() <= 1  # every class is shown, equally often
    else:
        assert found.labels is None
    if name == "cgan":
        assert found.heights is None  # what it says depends on the class
        return
    critic = one.networks.critic
    critic.eval()
    said = critic(Tensor(places(data.box)))
    logits = getattr(said, "logit", said).detach().numpy()
    np.testing.assert_allclose(found.heights, logits.reshape(SIDE, SIDE), rtol=1e-4, atol=1e-5)


def test_classes_that_are_found_need_not_be_as_many_as_the_modes():
    """Also where both kinds of points go through the critic in one batch."""
    one = trainer("infogan", mixture("grid", 200, seed=0), one_batch=True, critic_norm="batch")
    assert one.shape.classes == 25 and one.networks.classes == 10
    assert np.isfinite(list(one.train_step().values())).all()


def test_points_that_overflow_are_left_out_of_the_figure(tmp_path):
    data = mixture("ring", 200, seed=0)
    one = trainer("gan", data)
    save = one.recipe.view.figures["coverage.png"]
    for scale in (1e36, 1e38):  # some overflow, then all
        with minigan.no_grad():
            list(one.networks.generator)[-1].weight.fill_(scale)
        with np.errstate(all="ignore"):  # as a run has it
            save(one.networks, data, tmp_path / "a.png", "cpu")
        assert (tmp_path / "a.png").stat().st_size
        (tmp_path / "a.png").unlink()


def test_a_mixture_of_classes_has_no_colour():
    data = mixture("ring", 200, seed=0)
    one = trainer("cgan", data)
    view, nets = one.recipe.view, one.networks
    weights = np.zeros((5, 8), np.float32)
    weights[:, :2] = 0.5
    rows = sampled_latents(nets, 5, 0, weights)
    assert picture(view, nets, rows, scene_of(data)).labels is None
    pure = sampled_latents(nets, 5, 0, np.eye(8, dtype=np.float32)[[3] * 5])
    assert picture(view, nets, pure, scene_of(data)).labels.tolist() == [3] * 5


def test_the_data_must_be_what_the_recipe_is_for():
    chosen = on_points(recipe("gan"))
    with pytest.raises(DataError, match=r"^data set: gan needs points, glyphs has images$"):
        Trainer(chosen, chosen.configure({}), load("glyphs", count=20), batch_size=4, seed=0)
    with pytest.raises(DataError, match="augmentation: two holds points, expected images"):
        Trainer(chosen, chosen.configure({}), two(), batch_size=4, seed=0, augment="flip")
