import numpy as np

from harness.run.protocol import DataRecord
from lsm.spikes import SpikeTrains
from lsm.zero_shot.modalities import TEST, TRAIN, Modality, PairedModalities, Split
from lsm.zero_shot.principal import principal


def paired(labels, subset):
    nothing = SpikeTrains.from_keys([np.zeros(0, np.int64)] * len(labels), 2, 3)
    modalities = tuple(Modality(name, nothing, labels, subset) for name in "ab")
    record = DataRecord("made up", "synthetic", 1, 1, "")
    return PairedModalities(tuple("xyz"), modalities, record)


def setting(items=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(items) % 3
    subset = np.where(np.arange(items) < items // 2, TRAIN, TEST)
    narrow = rng.normal(size=(items, 3)) @ rng.normal(size=(3, 7))
    wide = rng.normal(size=(items, 2)) @ rng.normal(size=(2, 90))
    return paired(labels, subset), (narrow, wide)


def test_few_components_hold_what_varies():
    data, features = setting()
    scores = principal(features, data, Split([2], 3), 5)
    fit = (data.modalities[0].subset == TRAIN) & (data.modalities[0].labels != 2)
    for x, found, rank in zip(features, scores, (3, 2), strict=True):
        assert found.shape == (60, 5)
        assert found.dtype == np.float32
        assert np.isclose(found[fit].std(0).max(), 1, atol=1e-4)
        assert np.all(found[:, rank:].std(0) < 1e-3)  # the data has so many directions
        # Standardised features are a linear map of the scores, also of items not fitted.
        z = (x - x[fit].mean(0)) / x[fit].std(0)
        rest = z - found @ np.linalg.lstsq(found.astype(float), z, rcond=None)[0]
        assert np.abs(rest).max() < 1e-3


def test_unseen_classes_and_test_items_change_nothing():
    data, features = setting()
    split = Split([2], 3)
    before = principal(features, data, split, 3)
    side = data.modalities[0]
    hidden = (side.subset == TEST) | (side.labels == 2)
    moved = tuple(np.where(hidden[:, None], 5 * x + 1, x) for x in features)
    after = principal(moved, data, split, 3)
    for a, b in zip(before, after, strict=True):
        assert np.allclose(a[~hidden], b[~hidden])
        assert not np.allclose(a[hidden], b[hidden])


def test_no_more_components_than_items_give():
    data, features = setting(items=12)
    scores = principal(features, data, Split([2], 3), 50)
    assert [s.shape for s in scores] == [(12, 3), (12, 3)]  # 4 items to fit
