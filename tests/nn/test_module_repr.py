"""Networks print as they do in PyTorch (constants printed by PyTorch 2.13)."""

import pytest

import minigan
from minigan import nn


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Linear(2, 3), "Linear(in_features=2, out_features=3, bias=True)"),
        (nn.Linear(1, 1, False), "Linear(in_features=1, out_features=1, bias=False)"),
        (nn.Conv2d(1, 2, 3), "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"),
        (
            nn.Conv2d(4, 8, (3, 5), 2, 1, 2, 2, False),
            "Conv2d(4, 8, kernel_size=(3, 5), stride=(2, 2), padding=(1, 1), dilation=(2, 2), "
            "groups=2, bias=False)",
        ),
        (
            nn.Conv2d(1, 1, 3, padding="same"),
            "Conv2d(1, 1, kernel_size=(3, 3), stride=(1, 1), padding=same)",
        ),
        (
            nn.ConvTranspose2d(1, 2, 4, 2, 1, 1),
            "ConvTranspose2d(1, 2, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), "
            "output_padding=(1, 1))",
        ),
        (
            nn.BatchNorm2d(3),
            "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
        ),
        (nn.ReLU(), "ReLU()"),
        (nn.ReLU(True), "ReLU(inplace=True)"),
        (nn.LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"),
        (nn.LeakyReLU(0.2, True), "LeakyReLU(negative_slope=0.2, inplace=True)"),
        (nn.Tanh(), "Tanh()"),
        (nn.Sigmoid(), "Sigmoid()"),
        (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
        (nn.Unflatten(1, (2, 3)), "Unflatten(dim=1, unflattened_size=(2, 3))"),
        (nn.Dropout(0.3), "Dropout(p=0.3, inplace=False)"),
        (nn.Upsample(scale_factor=2), "Upsample(scale_factor=2.0, mode='nearest')"),
        (nn.Upsample(scale_factor=(2, 3)), "Upsample(scale_factor=(2.0, 3.0), mode='nearest')"),
        (nn.Upsample(size=(4, 4)), "Upsample(size=(4, 4), mode='nearest')"),
        (nn.BCEWithLogitsLoss(), "BCEWithLogitsLoss()"),
        (nn.MSELoss(), "MSELoss()"),
        (nn.Sequential(), "Sequential()"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_layer_prints_its_settings(module, text):
    assert repr(module) == text


def test_a_tree_prints_indented_with_missing_modules_and_own_settings():
    class Toy(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(1, 1, False), nn.Sequential(nn.Tanh()))
            self.head = nn.Tanh()
            self.head = None

        def extra_repr(self):
            return "toy=True"

    assert repr(Toy()) == (
        "Toy(\n"
        "  toy=True\n"
        "  (body): Sequential(\n"
        "    (0): Linear(in_features=1, out_features=1, bias=False)\n"
        "    (1): Sequential(\n"
        "      (0): Tanh()\n"
        "    )\n"
        "  )\n"
        "  (head): None\n"
        ")"
    )


def test_settings_of_several_lines_print_one_below_the_other():
    class Wordy(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    assert repr(Wordy()) == "Wordy(\n  a=1\n  b=2\n)"


def test_a_parameter_prints_as_one():
    text = repr(nn.Parameter(minigan.ones(2)))
    assert text == "Parameter containing:\ntensor([1., 1.], dtype=float32, requires_grad=True)"
