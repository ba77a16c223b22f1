"""What holds of trainers on several ranks; run by test_training.py under mpiexec."""

import json
import os

import numpy as np
import ranks
from learnt import images, learnt, same_on_all

import minigan
from minigan import distributed as dist
from minigan.data import PairData
from minigan.distributed.process_group import current, tell
from minigan.gan import NonFiniteLoss, Trainer, recipe, recipe_names
from minigan.gan.ranks import here
from minigan.gan.sampling import modules
from minigan.gan.state import state_of
from minigan.generators import default_generator
from minigan.together import _share_the_machine

MLP = {"network": "mlp", "widths": "16", "critic_widths": "16", "latent": 4}
SMALL = {
    **{name: MLP for name in ("wgan", "wgan-gp", "unrolled", "lsgan", "hinge", "dragan")},
    "gan": {"widths": "16", "critic_widths": "16", "latent": 4},
    "autoencoder": {"code": 3},
    "pix2pix": {"patch_layers": 1, "dropout": 0.5},
    "began": {"code": 3},
    "ebgan": {"code": 3},
    "vae": {"hidden": 8},
}


def trainer(name, together, batch_size=2, seed=5, synchronised=False, **options):
    chosen = recipe(name)
    small = {} if "network" in options else SMALL.get(name, {})
    settings = chosen.configure({**small, **options})
    single, pairs = images(size=8 if name == "pix2pix" else 12)
    data = pairs if chosen.data is PairData else single
    shares = {"ranks": here(synchronised)} if together else {}
    return Trainer(chosen, settings, data, batch_size=batch_size, seed=seed, **shares)


def check_every_recipe_learns_the_same_bits_on_every_rank():
    for name in recipe_names():
        ema = {} if "autoencoder" in name or name == "vae" else {"ema": 0.9}
        t = trainer(name, True, **ema)
        before = learnt(t, buffers=False)
        rows = [t.train_step() for _ in range(2)]
        after = learnt(t, buffers=False)
        assert sum(after[k] != before[k] for k in before if k in after) > 4, name
        same_on_all([name, after, rows])


def check_options_learn_the_same_bits_too():
    """Clipped gradients and weights, a schedule, labels, augmentation; statistics of all ranks."""
    for name, options in (
        ("dcgan", {"clip_gradients": 0.1, "decay": 10, "augment": "translation,cutout"}),
        ("dcgan", {"flip": 0.3, "real_targets": "0.7,1.0", "one_batch": "true", "r1": 1.0}),
        ("wgan", {"n_critic": 3, "loss": "wgan", "clip_weights": 0.01}),
        ("cgan", {"label_at": "hidden"}),
        ("infogan", {"n_critic": 2}),
        ("began", {"gamma": 0.3, "control": 0.5}),
    ):
        t = trainer(name, True, synchronised=True, **options)
        rows = [t.train_step() for _ in range(3)]
        same_on_all([name, learnt(t), rows])


def check_random_streams_are_distinct():
    t = trainer("gan", True)
    draws = [t.rng.rng.random(), next(t.batches)[0].tolist()]
    texts = current().texts(json.dumps(draws))
    for i in (0, 1):
        each = [json.dumps(json.loads(text)[i]) for text in texts]
        assert len(set(each)) == len(each)
    with dist.alone():  # rank 0's numbers are those of a process without others
        alone = trainer("gan", False)
    assert dist.get_rank() > 0 or alone.rng.rng.random() == draws[0]


class Slices:
    """A generator that gives this rank's rows of what all ranks draw together."""

    def __init__(self, seed):
        self.rng, self.device = self, "cpu"
        self._own = np.random.default_rng(seed)

    def __getattr__(self, name):
        def draw(*bounds, **options):
            shape = options.pop("size", None) or bounds[-1]
            bounds = bounds[: 2 * (name == "integers")]
            rank, n = current().rank, current().size
            whole = getattr(self._own, name)(*bounds, size=(n * shape[0], *shape[1:]), **options)
            return whole[rank * shape[0] :][: shape[0]]

        return draw


def in_float64(t):
    """The trainer with networks and images of double precision, noise of all ranks' draws."""
    for network in modules(t.networks).values():
        network.double()
    batch, t.rng = t.source, Slices(7)
    t.source = lambda: tuple(None if x is None else x.double() for x in batch())
    return t


def follows_one_process(name, **options):
    """n ranks with batch b beside one process with batch n·b, step by step."""
    n = dist.get_world_size()
    minigan.set_default_dtype("float64")
    try:
        ours = in_float64(trainer(name, True, batch_size=4, synchronised=True, **options))
        with dist.alone():
            one = in_float64(trainer(name, False, batch_size=4 * n, **options))
        for _ in range(3):
            row = ours.train_step()
            with dist.alone():
                expected = one.train_step()
            assert row.keys() == expected.keys()
            for key, value in expected.items():
                np.testing.assert_allclose(row[key], value, 1e-8, 1e-9, err_msg=f"{name} {key}")
        for key, network in modules(one.networks).items():
            state = modules(ours.networks)[key].state_dict()
            for part, tensor in network.state_dict().items():
                found, value = state[part].numpy(), tensor.numpy()
                np.testing.assert_allclose(found, value, 1e-6, 1e-8, err_msg=f"{name} {key}.{part}")
    finally:
        minigan.set_default_dtype("float32")


# With options that a batch as a whole has a part in, and each of the others once.
LIKE_ONE_PROCESS = {
    "dcgan": {"ema": 0.9, "augment": "color,translation,cutout", "clip_gradients": 0.1},
    "gan": {"flip": 0.3, "real_targets": "0.7,1.0", "r1": 1.0, "one_batch": "true"},
    "unrolled": {"unroll": 3},
    "began": {"control": 0.5},
    "ebgan": {"pull_away": 5.0},
    "cgan": {"network": "cgan-dcgan"},
    "infogan": {"n_critic": 2},
    "dragan": {"network": "dcgan"},
    "sngan": {"network": "dcgan"},
    "wgan": {"clip_weights": 0.01},
    "wgan-gp": {"network": "dcgan", "critic_norm": "layer"},
    "conv-autoencoder": {"clip_gradients": 0.05},
    "pix2pix": {"dropout": 0.0},
}


def check_every_recipe_on_n_ranks_trains_as_on_one():
    for name in recipe_names():
        follows_one_process(name, **LIKE_ONE_PROCESS.get(name, {}))


def check_some_recipes_on_more_ranks_train_as_on_one():
    """Those that compare the images of a batch: by BatchNorm, their codes, how they vary."""
    for name in ("dcgan", "ebgan", "dragan"):
        follows_one_process(name, **LIKE_ONE_PROCESS[name])


def check_a_checkpoint_goes_on_bit_for_bit_on_as_many_ranks():
    for name in ("dcgan", "pix2pix"):  # pix2pix: dropout draws from the default generator
        default_generator().manual_seed(here().stream(1, "global"))
        t = trainer(name, True)
        for _ in range(2):
            t.train_step()
        checkpoint = {key: array.copy() for key, array in state_of(t).items()}
        same_on_all(json.loads(checkpoint["state.json"].tobytes())["ranks"])
        rows = [t.train_step() for _ in range(3)]
        default_generator().manual_seed(99)
        again = trainer(name, True, seed=6)
        again.batches = trainer(name, True).batches
        again.load_state_dict(checkpoint)
        assert [again.train_step() for _ in range(3)] == rows
        assert learnt(again) == learnt(t)


def check_what_is_not_finite_on_one_rank_stops_all():
    t = trainer("gan", True)
    t.train_step()
    real = t.batch
    if dist.get_rank() == 1:
        t.batch = lambda: (real()[0] * float("nan"), None)
    try:
        t.train_step()
        said = ""
    except NonFiniteLoss as error:
        said = str(error)
    assert "d_loss became nan at step 2" in said
    same_on_all(said)


def check_one_request_to_stop_stops_all():
    for asked in range(dist.get_world_size()):
        assert here().any(dist.get_rank() == asked) is True
    assert here().any(False) is False
    assert tell("still in step") == "still in step"


def check_the_cores_are_shared_out():
    """A number that the environment gives is kept."""
    cores, n = len(os.sched_getaffinity(0)), dist.get_world_size()
    before = minigan.get_num_threads()
    try:
        minigan.set_num_threads(cores)
        _share_the_machine(False, lambda check: check())
        assert minigan.get_num_threads() == cores
        del os.environ["MINIGAN_NUM_THREADS"]
        _share_the_machine(False, lambda check: check())
        assert minigan.get_num_threads() == max(1, cores // n)
    finally:
        os.environ["MINIGAN_NUM_THREADS"] = "1"
        minigan.set_num_threads(before)


def check_rank_0_draws_without_the_others():
    """pix2pix keeps its batch statistics when it draws: alone, they are not synchronised."""
    t = trainer("pix2pix", True, synchronised=True)
    t.train_step()
    if dist.get_rank() == 0:
        with dist.alone():
            t.pictures(images(size=8)[1].take(np.arange(2)))
    dist.barrier()
    same_on_all(learnt(t))


if __name__ == "__main__":
    ranks.main(globals())
