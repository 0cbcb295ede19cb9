"""The three rules on hand-made scores: which epoch, and whether it passed."""

import json

import pytest

from harness.run.selection import History, Oracle, Published, Validation

# Four epochs of seen and unseen test accuracy, and of validation accuracy.
TEST = [
    {"seen": 40.0, "unseen": 90.0, "back": 10.0},
    {"seen": 60.0, "unseen": 50.0, "back": 30.0},
    {"seen": 55.0, "unseen": 85.0, "back": 30.0},
    {"seen": 55.0, "unseen": 88.0, "back": 20.0},
]
VALIDATION = [70.0, 80.0, 80.0, 60.0]


@pytest.fixture
def history():
    made = History()
    for test, accuracy in zip(TEST, VALIDATION, strict=True):
        made.add(test=test, validation={"accuracy": accuracy})
    return made


def test_validation_takes_the_first_of_equals_and_looks_at_no_test_data(history):
    assert Validation().choose(history) == 1
    history.test = []
    assert Validation().choose(history) == 1


def test_oracle_takes_the_best_of_its_score(history):
    assert Oracle("seen").choose(history) == 1
    assert Oracle("unseen").choose(history) == 0
    assert Oracle().choose(history) == 1


def test_published_takes_the_best_seen_epoch_above_the_floors(history):
    assert Published("seen").choose(history) == 1
    # 85 excludes epoch 1; of the equal epochs 2 and 3 the scripts keep the later one.
    assert Published("seen", {"unseen": 85.0}).choose(history) == 3
    assert Published("seen", {"unseen": 85.0, "back": 25.0}).choose(history) == 2
    assert Published("seen", {"unseen": 89.0}).choose(history) == 0


def test_each_direction_has_its_own_epoch(history):
    assert Published("back", {"unseen": 50.0}).choose(history) == 2
    assert Published("back", {"seen": 60.0}).choose(history) == 1


def test_when_no_epoch_passes_the_best_one_is_shown_and_marked(history):
    rule = Published("seen", {"unseen": 91.0})
    assert rule.choose(history) == 1
    assert not rule.passing(history).any()


def test_rules_that_are_exchanged_choose_otherwise(history):
    chosen = {rule.name: rule.choose(history) for rule in (
        Validation(), Published("seen", {"unseen": 85.0}), Oracle("unseen"),
    )}  # fmt: skip
    assert chosen == {"validation": 1, "published": 3, "oracle": 0}


def test_a_history_survives_a_file(history):
    again = History.from_dict(json.loads(json.dumps(history.as_dict())))
    assert again == history
    assert len(again) == 4
    assert again.curve("test", "unseen") == [90.0, 50.0, 85.0, 88.0]
    assert again.curves() == [VALIDATION, [40.0, 60.0, 55.0, 55.0]]
    assert History.from_dict(None) == History()
