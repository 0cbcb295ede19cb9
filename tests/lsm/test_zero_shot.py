from itertools import combinations

import numpy as np
import pytest
import torch

from lsm.zero_shot.modalities import FIT, HELD, TEST, Pool, Split
from lsm.zero_shot.projections import ProjectionConfig
from lsm.zero_shot.selection import (
    Study,
    centred_cosine,
    cosine,
    figures,
    leave_out_more,
    negative_squared_distance,
    principal_axis,
    shared_pseudos,
    study,
)
from tests.lsm.two_sided_data import two_sides

RECIPE = ProjectionConfig(width=4, epochs=2, batch_size=4)


def test_similarities_by_hand():
    first = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    second = torch.tensor([[0.0, 2.0], [1.0, 0.0], [-1.0, 0.0]])
    assert cosine(first, second)[0].tolist() == pytest.approx([0.8, 0.6, -0.6])
    assert negative_squared_distance(first, second)[1].tolist() == pytest.approx(
        [-5, 0, -4], abs=1e-5
    )
    # About their means (2, 2) and (0, 2/3) the first items are (1, 2) and (0, 4/3).
    assert centred_cosine(first, second)[0, 0].item() == pytest.approx(2 / 5**0.5)
    moved = centred_cosine(first + 7, second - 3)
    assert torch.allclose(moved, centred_cosine(first, second), atol=1e-5)


def test_principal_axis_forgets_the_rest():
    generator = torch.Generator().manual_seed(0)
    sign = torch.tensor([1.0, -1.0]).repeat(20)
    noise = torch.randn(2, 40, 3, generator=generator)
    sides = [5 * sign[:, None] * torch.tensor([1.0, 0, 0]) + n for n in noise]
    alike = principal_axis(*sides)
    assert ((alike > 0) == (sign[:, None] * sign > 0)).all()


def test_figures_go_both_ways():
    pool = Pool((np.arange(2), np.arange(3)), (np.array([0, 1]), np.array([0, 1, 1])))
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[0.0, 1.0], [1.0, 0.1], [0.1, 1.0]])
    # 0 finds 1: wrong. 1 finds 0: wrong. Back: all three find the wrong one, or 1 finds 1.
    assert figures(first, second, pool, cosine) == pytest.approx([0, 100, 100 / 3, 100])


def test_leaving_out_more():
    split = Split((0, 5), 6)
    pseudos = leave_out_more(split, 3)
    assert len({p.unseen for p in pseudos}) == 3
    for unseen, ((number, chosen),) in pseudos:
        assert number == 0
        assert set(unseen) == {0, 5, *chosen}
        assert len(chosen) == 2
    assert len(leave_out_more(split, 100)) == 6
    # With three seen classes only one more can go; with two, none.
    assert [p.unseen.seen for p in leave_out_more(Split((0, 1), 5), 9)].count((2, 3)) == 1
    (only,) = leave_out_more(Split((0, 1), 4), 9)
    assert only.unseen.seen == (2, 3)
    assert only.serves == ((0, (2, 3)),)


def test_shared_pseudos_serve_every_split():
    splits = [Split(pair, 9) for pair in combinations(range(9), 2)]
    pseudos = shared_pseudos(splits)
    assert len(pseudos) <= 12
    assert {n for _, serves in pseudos for n, _ in serves} == set(range(36))
    for unseen, serves in pseudos:
        for number, chosen in serves:
            assert {*splits[number], *chosen} == set(unseen)
            assert not {*splits[number]} & {*chosen}


def test_splits_that_share_nothing_get_their_own():
    splits = [Split((0, 1), 6), Split((1, 2), 6)]
    served = [n for _, serves in shared_pseudos(splits) for n, _ in serves]
    assert served == [0, 1]


def test_choices_by_hand():
    # Three candidates, one split, two restarts; only the first figure chooses.
    test = np.zeros((3, 1, 2, 2, 4))
    held = np.zeros((3, 1, 2))
    held[:, 0, 0] = [10, 30, 20]
    held[:, 0, 1] = [50, 40, 30]
    test[:, 0, :, 0, 0] = [[90, 91], [60, 70], [80, 99]]
    test[:, 0, :, 1, 0] = [[20, 40], [70, 10], [5, 6]]
    test[:, 0, :, 0, 1] = [[1, 2], [3, 4], [5, 6]]
    found = Study(test, held)
    assert found.by_validation()[0, :, 0].tolist() == [65, 30]
    assert found.by_validation()[0, 0, 1] == 3.5
    assert found.by_test()[0, :, 0].tolist() == [99, 70]
    assert found.by_test()[0, 0, 1] == 6
    other = Study(test + 100, held + 100).for_unseen()
    both = Study.of_candidates([found, other])
    assert both.by_validation()[0, :, 0].tolist() == [65, 130]
    assert both.by_test()[0, :, 0].tolist() == [99, 170]
    twice = Study.of_candidates([found, found])
    assert twice.test.shape[0] == 6
    assert np.array_equal(twice.by_test(), found.by_test())


class Recorder:
    """A trainer that sees what it is given and embeds every item by its class."""

    def __init__(self, data, swap=()):
        self.data, self.swap = data, dict(swap)

    def __call__(self, pairs, seeds, measure):
        self.pairs, self.seeds = pairs, seeds

        def embed(side, rows, models):
            # The first ones are scored on test items, the pseudo ones on held-out ones.
            wanted = TEST if models.start is None else HELD
            assert (self.data.sides[side].part[rows] == wanted).all()
            labels = self.data.sides[side].labels[rows]
            if side == 1:
                labels = np.array([self.swap.get(n, n) for n in labels])
            return torch.eye(6)[labels].expand(len(pairs[models]), -1, -1)

        measure(embed)


def test_training_never_sees_what_it_must_not():
    data, split = two_sides(), Split((1, 4), 6)
    trainer = Recorder(data)
    found = study(data, [split], leave_out_more(split, 2), trainer, seed=3, pool_size=5, restarts=2)
    assert found.test.shape == (1, 1, 2, 2, 4)
    assert np.all(found.test == 100)
    assert np.all(found.held == 100)
    assert len({tuple(s) for s in trainer.seeds}) == 4
    for number, pairs in enumerate(trainer.pairs):
        for side, rows in zip(data.sides, (pairs.first, pairs.second), strict=True):
            allowed = (FIT, HELD) if number < 2 else (FIT,)
            assert np.isin(side.part[rows], allowed).all()
            assert not np.isin(side.part[rows], TEST).any()
            seen = set(side.labels[rows])
            assert seen == {0, 2, 3, 5} if number < 2 else len(seen) == 2
            assert not seen & {1, 4}


def test_swapped_unseen_classes_are_all_wrong():
    data, split = two_sides(), Split((1, 4), 6)
    trainer = Recorder(data, {1: 4, 4: 1})
    found = study(data, [split], leave_out_more(split, 1), trainer, seed=0, pool_size=5)
    assert found.by_validation()[0, :, 0].tolist() == [100, 0]
    brief = study(data, [split], leave_out_more(split, 1), trainer, seed=0, pool_size=5, brief=True)
    assert np.array_equal(brief.by_test(), found.by_test()[..., :1])


def test_control_changes_seen_pairs_only():
    data, split = two_sides(), Split((1, 4), 6)
    trainer = Recorder(data)
    found = study(
        data, [split], leave_out_more(split, 1), trainer, seed=0, pool_size=5, permuted=True
    )
    pairs = trainer.pairs[0]
    true = data.sides[0].labels[pairs.first], data.sides[1].labels[pairs.second]
    assert np.all(true[0] != true[1])
    assert set(true[1]) == {0, 2, 3, 5}
    # A model that knows the true classes finds no partner among the seen, all of the unseen.
    assert found.test[0, 0, 0, :, 0].tolist() == [0, 100]
