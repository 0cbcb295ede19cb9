import numpy as np
import pytest

from harness.errors import UserError
from lsm.zero_shot.modalities import (
    TEST,
    TRAIN,
    VALIDATION,
    Split,
    make_pairs,
    make_pool,
    match,
    pool_note,
    split_by_name,
)
from tests.lsm.two_modalities import spike_set, two_modalities


def test_parts_and_labels():
    data = two_modalities(fraction=0.25)
    first, second = data.modalities
    assert [len(first.rows(part)) for part in (TRAIN, VALIDATION, TEST)] == [48, 24, 36]
    assert np.bincount(second.labels[second.rows(VALIDATION)]).tolist() == [4] * 6
    assert len(first.trains) == len(first.labels) == len(first.subset)
    assert data.record.train == 72 + 108
    assert data.record.kind == "synthetic"


def test_whole_groups_are_held_out():
    groups = spike_set("one", 8, 12, groups=3).train_groups
    first = two_modalities().modalities[0]
    held = first.subset[: len(groups)] == VALIDATION
    assert len(set(groups[held])) == 1
    assert not set(groups[held]) & set(groups[~held])


def test_some_classes_in_the_order_asked_for():
    one, other = spike_set("one", 8, 6), spike_set("other", 12, 6)
    data = match(one, other, ("sound", "sight"), classes="fb", limits=(None, 4))
    assert data.classes == ("f", "b")
    assert data.record.train == 12 + 8
    wanted = one.test.take(one.test_labels == 5).dense()
    sound = data.modalities[0]
    mine = sound.rows(TEST)[sound.labels[sound.rows(TEST)] == 0]
    assert np.array_equal(sound.trains.take(mine).dense(), wanted)


def test_the_weaker_kind_counts():
    one = spike_set("one", 8, 6, kind="simulated-sensor")
    for kind, expected in (("real", "simulated-sensor"), ("synthetic", "synthetic")):
        other = spike_set("other", 12, 6, kind=kind)
        assert match(one, other, ("sound", "sight")).record.kind == expected


def test_pairs_are_made_class_by_class():
    data = two_modalities()
    pairs = make_pairs(data, (4, 1), (TRAIN,))
    first, second = data.modalities
    assert np.array_equal(first.labels[pairs.first], pairs.labels)
    assert np.array_equal(second.labels[pairs.second], pairs.labels)
    assert pairs.labels.tolist() == [4] * 8 + [1] * 8
    assert np.all(first.subset[pairs.first] == TRAIN)
    assert np.all(second.subset[pairs.second] == TRAIN)
    # The first n of the second modality.
    mine = second.rows(TRAIN)
    assert pairs.second[:8].tolist() == mine[second.labels[mine] == 4][:8].tolist()


def test_a_short_second_modality_starts_again():
    data = match(spike_set("one", 8, 10), spike_set("other", 12, 4), ("sound", "sight"))
    pairs = make_pairs(data, (0,), (TRAIN, VALIDATION))
    assert len(pairs.second) == 10
    assert pairs.second[4:8].tolist() == pairs.second[:4].tolist()


def test_relabelled_items_count_as_another_class():
    data = two_modalities()
    relabel = np.array([1, 2, 0, 3, 4, 5])
    pairs = make_pairs(data, (0, 1, 2), (TRAIN,), relabel)
    assert np.array_equal(relabel[data.modalities[1].labels[pairs.second]], pairs.labels)
    pool = make_pool(data, (0, 4), TEST, 3, relabel)
    assert data.modalities[1].labels[pool.rows[1]].tolist() == [2] * 3 + [4] * 3
    assert pool.labels[1].tolist() == [0] * 3 + [4] * 3
    assert data.modalities[0].labels[pool.rows[0]].tolist() == [0] * 3 + [4] * 3


def test_pools_larger_than_the_data_are_said():
    data = two_modalities()
    assert pool_note(data, 6) == ""
    assert pool_note(data, 7) == "sound pool 6 a class, not 7: all 6 there are"
    assert len(make_pool(data, (0, 1), TEST, 100).rows[0]) == 12


def test_few_test_items_of_the_first_may_be_repeated():
    data = two_modalities(test_copies=3)
    pool = make_pool(data, (0, 1), TEST, 15)
    assert [len(rows) for rows in pool.rows] == [30, 18]
    assert pool.rows[0][:6].tolist() == pool.rows[0][6:12].tolist()
    held_out = make_pool(data, (0,), VALIDATION, 100).rows[0]
    assert len(set(held_out)) == len(held_out)
    said = "sound pool 15 a class: all 6 there are up to 3 times each"
    assert pool_note(data, 15).startswith(said)


def test_copies_pair_an_item_with_other_items():
    data = two_modalities()
    once, twice = (make_pairs(data, (2,), (TRAIN,), copies=copies) for copies in (1, 2))
    assert len(twice.first) == 2 * len(once.first)
    assert np.array_equal(np.unique(twice.first), np.unique(once.first))
    assert len(np.unique(twice.second)) > len(np.unique(once.second))


def test_split():
    split = split_by_name(" c, a ", "abcdef")
    assert tuple(split) == (0, 2)
    assert split.seen == (1, 3, 4, 5)


@pytest.mark.parametrize(
    ("names", "said"),
    [("", "no unseen"), ("x", "unseen x"), ("a,b,c,d,e", "two or more"), ("a,B", "unseen B")],
)
def test_bad_splits(names, said):
    with pytest.raises(UserError, match=said):
        split_by_name(names, "abcdef")


def test_unseen_number_that_is_no_class():
    with pytest.raises(UserError, match="6 classes"):
        Split([6], 6)


def test_a_class_that_one_modality_lacks():
    one = spike_set("one", 8, 6)
    with pytest.raises(UserError, match="classes f, g"):
        match(one, spike_set("other", 12, 6, "abcdeg"), ("sound", "sight"))
    with pytest.raises(UserError, match="lacks class g"):
        match(one, spike_set("other", 12, 6, "abcdefg"), ("sound", "sight"), classes="abg")


def test_a_class_without_items():
    one, other = spike_set("one", 8, 6), spike_set("other", 12, 6)
    keep = other.test_labels != 2
    bare = spike_set("other", 12, 6)
    object.__setattr__(bare, "test", other.test.take(keep))
    object.__setattr__(bare, "test_labels", other.test_labels[keep])
    with pytest.raises(UserError, match="no test item of class c"):
        match(one, bare, ("sound", "sight"))
