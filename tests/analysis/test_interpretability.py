import numpy as np
import pytest
import torch
from torch import nn

import deepernets
from deepernets.analysis import interpretability as inside

pytestmark = pytest.mark.usefixtures("in_double_precision")


def linear_head(weights: list[list[float]]) -> nn.Sequential:
    """Return a network whose maps are the image's channels, averaged and weighted: all answers are known."""
    network = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        next(network.parameters()).copy_(torch.tensor(weights))
    return network


def test_grad_cam_of_a_linear_head_is_the_weighted_sum_of_its_maps() -> None:
    network = linear_head([[1.0, -2.0], [0.5, 3.0]])
    images = torch.rand(3, 2, 4, 4)
    classes = torch.tensor([0, 1, 0])
    expected = torch.einsum("nc,nchw->nhw", next(network.parameters()).detach()[classes] / 16, images).relu()
    torch.testing.assert_close(inside.grad_cam(network, images, "0", classes), expected)


def test_gradients_are_those_of_each_image_with_its_own_class() -> None:
    network = linear_head([[1.0, -2.0], [0.5, 3.0]])
    maps, gradients = inside.maps_and_gradients(network, torch.rand(2, 2, 4, 4), "0", torch.tensor([1, 0]))
    assert maps.shape == gradients.shape
    expected = torch.tensor([[0.5, 3.0], [1.0, -2.0]]) / 16  # the mean over 16 places shares each weight out
    torch.testing.assert_close(gradients, expected[:, :, None, None].expand(2, 2, 4, 4))


def test_looking_works_where_gradients_are_off_and_leaves_none_behind() -> None:
    network = linear_head([[1.0, -2.0], [0.5, 3.0]])
    with torch.no_grad():
        inside.grad_cam(network, torch.rand(1, 2, 4, 4), "0", torch.tensor([0]))
    assert next(network.parameters()).grad is None


def test_maps_are_those_of_the_layer_even_before_a_relu_in_place() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True))
    images = torch.randn(1, 1, 3, 3)
    torch.testing.assert_close(inside.feature_maps(network, images, "0"), network[0](images).detach())
    assert inside.feature_maps(network, images, "0").min() < 0


def test_looking_leaves_a_network_as_it_was() -> None:
    network = deepernets.build_model("vgg-mini-bn-cifar", in_shape=(3, 32, 32), classes=3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images = torch.randn(2, 3, 32, 32)
    inside.grad_cam(network, images, "block3.conv2", torch.tensor([0, 1]))
    inside.occlusion(network, images[0], 1, size=8, stride=8)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_occlusion_finds_the_only_pixel_that_counts() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    with torch.no_grad():
        next(network.parameters()).zero_()
        next(network.parameters())[1, 6] = 5.0  # row 1, column 2
    heat = inside.occlusion(network, torch.ones(1, 4, 4), label=1, size=2, stride=2)
    assert heat.shape == (2, 2)
    assert heat.argmin() == 1
    assert heat[0, 1] == pytest.approx(0.5)


def test_calibration_by_hand() -> None:
    confidence = torch.tensor([0.95, 0.85, 0.55, 1.0])
    right = torch.tensor([True, False, True, True])
    found = inside.calibration(confidence, right, bins=5)
    assert found.count.tolist() == [0, 0, 1, 0, 3]
    assert np.isnan(found.accuracy[0])
    assert found.accuracy[4] == pytest.approx(2 / 3)
    assert found.error == pytest.approx((abs(1 - 0.55) + 3 * abs(2 / 3 - 2.8 / 3)) / 4)


def test_losses_between_two_sets_of_weights_end_at_their_own() -> None:
    network = deepernets.build_model("vgg-mini-bn-cifar", in_shape=(3, 32, 32), classes=3)
    other = deepernets.build_model("vgg-mini-bn-cifar", in_shape=(3, 32, 32), classes=3)
    batches = [(torch.randn(8, 3, 32, 32), torch.randint(3, (8,)))]
    losses = inside.losses_along_line(
        network, network.state_dict(), other.state_dict(), batches, [0.0, 0.5, 1.0]
    )
    for loss, model in ((losses[0], network), (losses[2], other)):
        logits = model.eval()(batches[0][0])
        assert loss == pytest.approx(nn.functional.cross_entropy(logits, batches[0][1]).item(), rel=1e-4)


def test_a_loss_with_other_weights_leaves_the_network_its_own() -> None:
    linear = nn.Linear(2, 2, bias=False)
    network, own = nn.Sequential(nn.Flatten(), linear), linear.weight.detach().clone()
    batches = [(torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([0]))]
    other = {"1.weight": torch.tensor([[2.0, 0.0], [0.0, 0.0]])}
    (loss,) = inside.losses_along_line(network, network.state_dict(), other, batches, [1.0])
    assert loss == pytest.approx(np.log1p(np.exp(-2.0)))
    assert torch.equal(linear.weight, own)


@pytest.mark.parametrize("training", [True, False])
def test_a_loss_with_other_weights_leaves_the_network_in_its_mode(training: bool) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2)).train(training)
    state, batches = network.state_dict(), [(torch.ones(1, 1, 1, 2), torch.tensor([0]))]
    inside.losses_along_line(network, state, state, batches, [0.5])
    assert {module.training for module in network.modules()} == {training}


def test_counters_on_the_line_are_those_of_its_end() -> None:
    start = {"w": torch.tensor([0.0, 4.0]), "seen": torch.tensor(3)}
    end = {"w": torch.tensor([1.0, 0.0]), "seen": torch.tensor(8)}
    found = inside.interpolate_weights(start, end, 1.5)
    assert found["w"].tolist() == [1.5, -2.0]
    assert found["seen"] == 8
    assert not found["seen"].is_floating_point()


def test_principal_components_agree_with_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    features = torch.randn(20, 5) * torch.tensor([5.0, 1.0, 3.0, 0.5, 0.1]) + 7
    theirs = torch.from_numpy(PCA(2).fit_transform(features.numpy()))
    torch.testing.assert_close(
        inside.principal_components(features).abs(), theirs.abs(), atol=1e-4, rtol=1e-4
    )


def test_a_square_is_covered_where_the_mask_is() -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[0, :4, :4] = True
    covered = inside.mask_coverage(masks, size=4, stride=2)
    assert covered.shape == (1, 3, 3)
    assert covered[0].tolist() == [[1, 0.5, 0], [0.5, 0.25, 0], [0, 0, 0]]


def test_places_are_those_of_occlusion() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    drops = inside.occlusion(network, torch.zeros(3, 32, 32), label=0, size=8, stride=4)
    assert inside.mask_coverage(torch.ones(1, 32, 32, dtype=torch.bool), 8, 4)[0].shape == drops.shape


def test_heat_on_a_mask_is_shared_out_where_a_cell_lies_on_its_edge() -> None:
    masks = torch.zeros(2, 4, 4, dtype=torch.bool)
    masks[:, :, 0] = True  # half of each cell in the left column
    heat = torch.tensor([[[1.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    shares = inside.heat_inside_mask(heat, masks)
    assert shares[0] == pytest.approx(0.25)
    assert shares[1].isnan()


def test_even_heat_falls_on_a_mask_as_its_area_says() -> None:
    masks = torch.rand(5, 32, 32) < 0.3
    shares = inside.heat_inside_mask(torch.ones(5, 8, 8), masks)
    torch.testing.assert_close(shares, masks.float().mean(dim=(1, 2)), check_dtype=False)


def test_rank_correlation_knows_order_reversed_order_and_constants() -> None:
    maps = torch.rand(3, 4, 4)
    torch.testing.assert_close(inside.rank_correlation(maps, maps.exp()), torch.ones(3), check_dtype=False)
    torch.testing.assert_close(inside.rank_correlation(maps, -maps), -torch.ones(3), check_dtype=False)
    assert inside.rank_correlation(maps, torch.zeros(3, 4, 4)).isnan().all()


def test_cka_knows_rotations_from_other_features() -> None:
    torch.manual_seed(0)
    features, others = torch.randn(400, 6), torch.randn(400, 9)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6))
    assert inside.linear_cka(features, 2 * features @ rotation + 5) == pytest.approx(1, abs=1e-4)
    assert inside.linear_cka(features, others) < 0.1


def test_neighbours_of_clusters_agree_and_those_of_noise_do_not() -> None:
    torch.manual_seed(0)
    labels = torch.arange(300) % 3
    clusters = torch.randn(300, 2) + 100 * labels[:, None]
    assert inside.neighbour_agreement(clusters, labels) == 1
    assert 0.15 < inside.neighbour_agreement(torch.randn(300, 2), labels) < 0.5
