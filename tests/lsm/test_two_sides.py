import numpy as np
import pytest

from harness.errors import UserError
from lsm.zero_shot.modalities import (
    FIT,
    HELD,
    TEST,
    Split,
    make_pairs,
    make_pool,
    match,
    pool_note,
    split_by_name,
)
from tests.lsm.two_sided_data import spike_set, two_sides


def test_parts_and_labels():
    data = two_sides(fraction=0.25)
    first, second = data.sides
    assert [len(first.rows(part)) for part in (FIT, HELD, TEST)] == [48, 24, 36]
    assert np.bincount(second.labels[second.rows(HELD)]).tolist() == [4] * 6
    assert len(first.trains) == len(first.labels) == len(first.part)
    assert data.record.train == 72 + 108
    assert data.record.kind == "synthetic"


def test_whole_groups_are_held_out():
    groups = spike_set("one", 8, 12, groups=3).train_groups
    first = two_sides().sides[0]
    held = first.part[: len(groups)] == HELD
    assert len(set(groups[held])) == 1
    assert not set(groups[held]) & set(groups[~held])


def test_some_classes_in_the_order_asked_for():
    one, other = spike_set("one", 8, 6), spike_set("other", 12, 6)
    data = match(one, other, ("sound", "sight"), classes="fb", limits=(None, 4))
    assert data.classes == ("f", "b")
    assert data.record.train == 12 + 8
    wanted = one.test.take(one.test_labels == 5).dense()
    side = data.sides[0]
    mine = side.rows(TEST)[side.labels[side.rows(TEST)] == 0]
    assert np.array_equal(side.trains.take(mine).dense(), wanted)


def test_the_weaker_kind_counts():
    one = spike_set("one", 8, 6, kind="simulated-sensor")
    for kind, expected in (("real", "simulated-sensor"), ("synthetic", "synthetic")):
        other = spike_set("other", 12, 6, kind=kind)
        assert match(one, other, ("sound", "sight")).record.kind == expected


def test_pairs_are_made_class_by_class():
    data = two_sides()
    pairs = make_pairs(data, (4, 1), (FIT,))
    first, second = data.sides
    assert np.array_equal(first.labels[pairs.first], pairs.labels)
    assert np.array_equal(second.labels[pairs.second], pairs.labels)
    assert pairs.labels.tolist() == [4] * 8 + [1] * 8
    assert np.all(first.part[pairs.first] == FIT)
    assert np.all(second.part[pairs.second] == FIT)
    # The first n of the second side.
    mine = second.rows(FIT)
    assert pairs.second[:8].tolist() == mine[second.labels[mine] == 4][:8].tolist()


def test_a_short_second_side_starts_again():
    data = match(spike_set("one", 8, 10), spike_set("other", 12, 4), ("sound", "sight"))
    pairs = make_pairs(data, (0,), (FIT, HELD))
    assert len(pairs.second) == 10
    assert pairs.second[4:8].tolist() == pairs.second[:4].tolist()


def test_relabelled_items_count_as_another_class():
    data = two_sides()
    relabel = np.array([1, 2, 0, 3, 4, 5])
    pairs = make_pairs(data, (0, 1, 2), (FIT,), relabel)
    assert np.array_equal(relabel[data.sides[1].labels[pairs.second]], pairs.labels)
    pool = make_pool(data, (0, 4), TEST, 3, relabel)
    assert data.sides[1].labels[pool.rows[1]].tolist() == [2] * 3 + [4] * 3
    assert pool.labels[1].tolist() == [0] * 3 + [4] * 3
    assert data.sides[0].labels[pool.rows[0]].tolist() == [0] * 3 + [4] * 3


def test_pools_larger_than_the_data_are_said():
    data = two_sides()
    assert pool_note(data, 6) == ""
    assert pool_note(data, 7) == "sound pool 6 a class, all there are, not 7"
    assert len(make_pool(data, (0, 1), TEST, 100).rows[0]) == 12


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


def test_a_class_that_one_side_lacks():
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
