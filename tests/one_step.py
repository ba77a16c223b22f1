"""A trained run that is made in a moment, for tests of what is done with runs."""

from minigan.config import Config
from minigan.gan import recipe
from minigan.run import Run

SMALL = {"network": "mlp", "widths": "8", "critic_widths": "8", "latent": 3}


def trained(folder, name, source="glyphs", image_size=8, **settings):
    """A run of one step; returns its folder."""
    config = Config(
        recipe=name,
        settings={**vars(recipe(name).configure(settings))},
        data=source,
        data_dir=None,
        image_size=image_size,
        steps=1,
        batch_size=4,
        seed=0,
        device="cpu",
        sample_every=1,
        checkpoint_every=1,
    )
    run = Run.create(folder, config)
    run.train()
    run.close()
    return folder
