import pytest
import torch

from deepernets.analysis import insight, similarity


def test_a_square_is_covered_where_the_mask_is() -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[0, :4, :4] = True
    covered = similarity.coverage(masks, size=4, stride=2)
    assert covered.shape == (1, 3, 3)
    assert covered[0].tolist() == [[1, 0.5, 0], [0.5, 0.25, 0], [0, 0, 0]]


def test_places_are_those_of_occlusion() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    drops = insight.occlusion(network, torch.zeros(3, 32, 32), label=0, size=8, stride=4)
    assert similarity.coverage(torch.ones(1, 32, 32, dtype=torch.bool), 8, 4)[0].shape == drops.shape


def test_heat_on_a_mask_is_shared_out_where_a_cell_lies_on_its_edge() -> None:
    masks = torch.zeros(2, 4, 4, dtype=torch.bool)
    masks[:, :, 0] = True  # half of each cell in the left column
    heat = torch.tensor([[[1.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    shares = similarity.share_on(heat, masks)
    assert shares[0] == pytest.approx(0.25)
    assert shares[1].isnan()


def test_even_heat_falls_on_a_mask_as_its_area_says() -> None:
    masks = torch.rand(5, 32, 32) < 0.3
    shares = similarity.share_on(torch.ones(5, 8, 8), masks)
    torch.testing.assert_close(shares, masks.float().mean(dim=(1, 2)))


def test_rank_correlation_knows_order_reversed_order_and_constants() -> None:
    maps = torch.rand(3, 4, 4)
    torch.testing.assert_close(similarity.rank_correlation(maps, maps.exp()), torch.ones(3))
    torch.testing.assert_close(similarity.rank_correlation(maps, -maps), -torch.ones(3))
    assert similarity.rank_correlation(maps, torch.zeros(3, 4, 4)).isnan().all()


def test_cka_knows_rotations_from_other_features() -> None:
    torch.manual_seed(0)
    features, others = torch.randn(400, 6), torch.randn(400, 9)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6))
    assert similarity.linear_cka(features, 2 * features @ rotation + 5) == pytest.approx(1, abs=1e-4)
    assert similarity.linear_cka(features, others) < 0.1


def test_neighbours_of_clusters_agree_and_those_of_noise_do_not() -> None:
    torch.manual_seed(0)
    labels = torch.arange(300) % 3
    clusters = torch.randn(300, 2) + 100 * labels[:, None]
    assert similarity.neighbours_agree(clusters, labels) == 1
    assert 0.15 < similarity.neighbours_agree(torch.randn(300, 2), labels) < 0.5
