from collections.abc import Callable

import pytest
import torch
from torch import nn

from deepernets.errors import UserError
from deepernets.models.layers import (
    SCHEMES,
    SHORTCUTS,
    Convolution,
    Residual,
    ZeroPad,
    conv,
    initialise,
    local_response_norm,
    materialise,
    normalised_convolutions,
    zero_last_gamma,
)

pytestmark = pytest.mark.usefixtures("in_double_precision")


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_a_convolution_keeps_the_map_at_stride_1_and_halves_it_at_stride_2(kernel: int) -> None:
    x = images(2, 3, 8, 6)
    assert conv(3, 4, kernel)(x).shape == (2, 4, 8, 6)
    assert conv(3, 4, kernel, stride=2)(x).shape == (2, 4, 4, 3)


def test_local_response_norm_is_krizhevskys_formula() -> None:
    x = 30 * images(2, 9, 3, 3)
    squares = torch.nn.functional.pad(x**2, (0, 0, 0, 0, 2, 2))
    neighbours = sum(squares[:, offset : offset + 9] for offset in range(5))
    torch.testing.assert_close(local_response_norm()(x), x / (2 + 1e-4 * neighbours) ** 0.75)


def test_option_a_takes_every_second_pixel_and_adds_channels_of_zeros() -> None:
    x = images(2, 3, 6, 6)
    y = ZeroPad(3, 8, stride=2)(x)
    assert y.shape == (2, 8, 3, 3)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_option_a_cannot_narrow() -> None:
    with pytest.raises(UserError, match=r"from 64 channels to 32.*use shortcut 'B'"):
        ZeroPad(64, 32, stride=1)


@pytest.mark.parametrize(
    ("option", "c_in", "c_out", "stride", "kind"),
    [
        ("A", 16, 16, 1, nn.Identity),
        ("A", 16, 32, 2, ZeroPad),
        ("A", 16, 16, 2, ZeroPad),
        ("B", 16, 16, 1, nn.Identity),
        ("B", 16, 32, 1, nn.Sequential),
        ("B", 16, 16, 2, nn.Sequential),
        ("C", 16, 16, 1, nn.Sequential),
    ],
)
def test_shortcuts_are_identities_where_the_option_says_so(
    option: str, c_in: int, c_out: int, stride: int, kind: type[nn.Module]
) -> None:
    shortcut = SHORTCUTS[option](c_in, c_out, stride)
    assert type(shortcut) is kind
    assert shortcut(images(2, c_in, 4, 4)).shape == (2, c_out, 4 // stride, 4 // stride)


def test_a_residual_block_adds_then_rectifies_and_leaves_its_input_alone() -> None:
    branch = normalised_convolutions(4, [Convolution(3, 4), Convolution(3, 4)])
    block = Residual(branch, nn.Identity()).eval()
    x = images(2, 4, 5, 5)
    before = x.clone()
    assert torch.equal(block(x), (branch(x) + x).relu())
    assert torch.equal(x, before)


VARIANCES: dict[str, Callable[[int, int], float]] = {
    "pytorch": lambda fan_in, fan_out: 1 / (3 * fan_in),
    "paper": lambda fan_in, fan_out: 1e-2,
    "normal": lambda fan_in, fan_out: 1e-4,
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
}


@pytest.mark.parametrize("scheme", VARIANCES)
@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [(nn.Conv2d(32, 128, kernel_size=3), 32 * 9, 128 * 9), (nn.Linear(512, 128), 512, 128)],
)
def test_each_scheme_has_the_variance_it_promises(
    layer: nn.Conv2d | nn.Linear, fan_in: int, fan_out: int, scheme: str
) -> None:
    torch.manual_seed(0)
    initialise(layer, scheme)
    # of n normal numbers, the sample variance is off by sqrt(2 / n): 0.7 % here
    assert layer.weight.var().item() == pytest.approx(VARIANCES[scheme](fan_in, fan_out), rel=0.03)
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.02 * layer.weight.std().item())
    assert layer.bias is not None
    assert layer.bias.any() == (scheme == "pytorch")


def test_every_scheme_is_tested_for_what_it_promises() -> None:
    assert set(SCHEMES) == {*VARIANCES, "identity"}


def test_an_identity_hands_its_input_on_and_draws_the_other_filters_as_he_does() -> None:
    torch.manual_seed(0)
    wide, narrow = nn.Conv2d(32, 128, kernel_size=3, padding=1), nn.Conv2d(32, 16, kernel_size=3, padding=1)
    initialise(wide, "identity")
    initialise(narrow, "identity")
    x = images(2, 32, 5, 5)
    torch.testing.assert_close(wide(x)[:, :32], x)
    assert wide.weight[32:].var().item() == pytest.approx(2 / (32 * 9), rel=0.03)
    assert narrow.weight.var().item() == pytest.approx(2 / (32 * 9), rel=0.06)  # no room for all of the input


@pytest.mark.parametrize("scheme", SCHEMES)
def test_normalisations_start_as_identities(scheme: str) -> None:
    with torch.device("meta"):
        norm = nn.BatchNorm2d(3)
    materialise(norm, scheme)
    norm.eval()
    x = images(2, 3, 4, 4)
    torch.testing.assert_close(norm(x), x, rtol=1e-5, atol=1e-6)


def test_zero_last_gamma_starts_every_block_as_its_shortcut() -> None:
    block = Residual(normalised_convolutions(4, [Convolution(3, 4), Convolution(3, 4)]), nn.Identity())
    x = images(2, 4, 5, 5)
    assert not torch.equal(block(x), x.relu())
    zero_last_gamma(block)
    assert torch.equal(block(x), x.relu())
