from itertools import combinations

import numpy as np
import torch
from torch import nn

from harness.run.checkpoint import Checkpoint
from lsm.zero_shot.encoders import LinearEncoders, PrototypeTraining
from lsm.zero_shot.modalities import TEST, TRAIN, VALIDATION, Split
from lsm.zero_shot.projections import ProjectionConfig, ProjectionTraining
from lsm.zero_shot.selection import NEVER, Scoring, score_candidates, score_trained_on_test_items
from lsm.zero_shot.splits import leave_out_more, shared_selection_splits
from lsm.zero_shot.training import GradientTraining
from tests.lsm.two_modalities import two_modalities

SCORING = Scoring(pool_size=5)
SEEN, UNSEEN = (f"sound -> sight, {pool} top-1" for pool in ("seen", "unseen"))


def test_leaving_out_more():
    split = Split((0, 5), 6)
    selection = leave_out_more(split, 3)
    assert len({p.unseen for p in selection}) == 3
    for unseen, ((number, chosen),) in selection:
        assert number == 0
        assert set(unseen) == {0, 5, *chosen}
        assert len(chosen) == 2
    assert len(leave_out_more(split, 100)) == 6
    # With three seen classes only one more can go; with two, none.
    assert [p.unseen.seen for p in leave_out_more(Split((0, 1), 5), 9)].count((2, 3)) == 1
    (only,) = leave_out_more(Split((0, 1), 4), 9)
    assert only.unseen.seen == (2, 3)
    assert only.serves == ((0, (2, 3)),)


def test_shared_selection_splits_serve_every_split():
    splits = [Split(pair, 9) for pair in combinations(range(9), 2)]
    selection = shared_selection_splits(splits)
    assert len(selection) <= 12
    assert {n for _, serves in selection for n, _ in serves} == set(range(36))
    for unseen, serves in selection:
        for number, chosen in serves:
            assert {*splits[number], *chosen} == set(unseen)
            assert not {*splits[number]} & {*chosen}


def test_splits_that_share_nothing_get_their_own():
    splits = [Split((0, 1), 6), Split((1, 2), 6)]
    served = [n for _, serves in shared_selection_splits(splits) for n, _ in serves]
    assert served == [0, 1]


class Recorder(GradientTraining):
    """A training that sees what it is given and embeds every item by its class."""

    def __init__(self, data, swap=(), epochs=1):
        self.data, self.swap, self.count = data, dict(swap), epochs
        self.model, self.optimiser = nn.Linear(1, 1), None
        self.optimiser = torch.optim.Adam(self.model.parameters())

    def make(self, pairs, seeds):
        self.pairs, self.seeds = pairs, seeds
        return self

    def epochs(self, after=0):
        for epoch in range(after + 1, self.count + 1):
            yield epoch, self.embed

    def embed(self, modality, rows, models):
        # The first ones are scored on test items, the selection models on held-out ones.
        wanted = TEST if models.start is None else VALIDATION
        assert (self.data.modalities[modality].subset[rows] == wanted).all()
        labels = self.data.modalities[modality].labels[rows]
        if modality == 1:
            labels = np.array([self.swap.get(n, n) for n in labels])
        return torch.eye(6)[labels].expand(len(self.pairs[models]), -1, -1)


def test_training_never_sees_what_it_must_not():
    data, split = two_modalities(), Split((1, 4), 6)
    recorder = Recorder(data)
    selection = leave_out_more(split, 2)
    (history,) = score_candidates(
        data, [split], selection, recorder.make, SCORING, seed=3, restarts=2
    ).histories
    assert len(history) == 1
    assert len(history.test[0]) == 8
    assert set(history.test[0].values()) == {100.0}
    assert set(history.validation[0].values()) == {100.0}
    assert len({tuple(s) for s in recorder.seeds}) == 4
    for number, pairs in enumerate(recorder.pairs):
        for modality, rows in zip(data.modalities, (pairs.first, pairs.second), strict=True):
            allowed = (TRAIN, VALIDATION) if number < 2 else (TRAIN,)
            assert np.isin(modality.subset[rows], allowed).all()
            seen = set(modality.labels[rows])
            assert seen == {0, 2, 3, 5} if number < 2 else len(seen) == 2
            assert not seen & {1, 4}


def test_swapped_unseen_classes_are_all_wrong():
    data, split = two_modalities(), Split((1, 4), 6)
    options = [split], leave_out_more(split, 1), Recorder(data, {1: 4, 4: 1}).make
    (history,) = score_candidates(data, *options, SCORING, seed=0).histories
    assert history.test[0][SEEN] == 100
    assert history.test[0][UNSEEN] == 0
    quick = SCORING._replace(top1_only=True, unseen_only=True)
    (quick_history,) = score_candidates(data, *options, quick, seed=0).histories
    assert quick_history.test == [{SEEN: NEVER, UNSEEN: 0.0}]


def test_control_changes_seen_pairs_only():
    data, split = two_modalities(), Split((1, 4), 6)
    recorder = Recorder(data)
    (history,) = score_candidates(
        data, [split], leave_out_more(split, 1), recorder.make, SCORING, seed=0, permuted=True
    ).histories
    pairs = recorder.pairs[0]
    true = (
        data.modalities[0].labels[pairs.first],
        data.modalities[1].labels[pairs.second],
    )
    assert np.all(true[0] != true[1])
    assert set(true[1]) == {0, 2, 3, 5}
    # A model that knows the true classes finds no partner among the seen, all of the unseen.
    assert history.test[0][SEEN] == 0
    assert history.test[0][UNSEEN] == 100


def test_each_split_is_chosen_for_by_the_models_that_serve_it():
    data, splits = two_modalities(), [Split((0, 1), 6), Split((2, 3), 6)]
    selection = shared_selection_splits(splits)
    scores = score_candidates(data, splits, selection, Recorder(data).make, SCORING, seed=0)
    assert [len(history) for history in scores.histories] == [1, 1]


def features_of(data):
    return tuple(modality.trains.counts() for modality in data.modalities)


def test_real_projections_find_unseen_classes_and_shuffled_labels_do_not():
    data, split = two_modalities(each=30), Split((1, 4), 6)
    config = ProjectionConfig(
        16, targets="labels", normalise=True, temperature=0.1, learning_rate=1e-2, batch_size=16,
        epochs=5,
    )  # fmt: skip
    features = features_of(data)

    def make(pairs, seeds):
        return ProjectionTraining(features, pairs, seeds, config)

    def seen_top1(permuted):
        (history,) = score_candidates(
            data, [split], leave_out_more(split, 1), make, SCORING, seed=0, permuted=permuted
        ).histories
        return history.test[-1][SEEN]

    assert seen_top1(False) > 60  # chance 25
    # Permuted pairs teach the permuted partner: scored by true labels, it would be wrong.
    assert seen_top1(True) > 60


def test_a_killed_training_goes_on_to_the_same_digits(tmp_path):
    data, split = two_modalities(), Split((1, 4), 6)
    features = features_of(data)

    def scores(epochs, checkpoint):
        config = ProjectionConfig(4, batch_size=4, epochs=epochs)
        (history,) = score_candidates(
            data, [split], leave_out_more(split, 1),
            lambda pairs, seeds: ProjectionTraining(features, pairs, seeds, config),
            SCORING, seed=0, checkpoint=checkpoint,
        ).histories  # fmt: skip
        return history

    kept = Checkpoint(tmp_path / "one.npz", {"seed": 0})
    assert len(scores(2, kept)) == 2
    resumed, whole = scores(4, kept), scores(4, None)
    assert resumed.test == whole.test
    assert resumed.validation == whole.validation


def test_trained_on_test_items_takes_the_seen_figure_before_the_update():
    data, split = two_modalities(), Split((1, 4), 6)
    features = features_of(data)
    config = ProjectionConfig(4, activation="none", learning_rate=0.1, batch_size=99, epochs=3)

    def make(pairs, seeds):
        encoders = [LinearEncoders((8, 12), config, seed) for seed in seeds]
        return PrototypeTraining(features, encoders, pairs, seeds, config)

    (history,) = score_trained_on_test_items(data, split, make, SCORING, seed=0).histories
    assert len(history.test) == 3
    assert not history.validation

    def untrained(pairs, seeds):
        recorded.append(pairs)
        training = make(pairs, seeds)
        training.config = ProjectionConfig(4, activation="none", learning_rate=1e-30, epochs=1)
        for group in training.optimiser.param_groups:
            group["lr"] = 0.0
        return training

    recorded = []
    (start,) = score_trained_on_test_items(data, split, untrained, SCORING, seed=0).histories
    assert start.test[0][SEEN] == history.test[0][SEEN]
    assert len(recorded[0]) == 1  # no selection model: nothing honest is chosen
    labels = data.modalities[0].labels[recorded[0][0].first]
    assert set(labels) == set(split.seen)
