import numpy as np
import pytest
from scipy.stats import ks_2samp

from harness.errors import UserError
from lsm.encode import StateFeatures, encode
from lsm.reservoir import Reservoir, ReservoirSpec, from_chip, from_weights, gaussian
from lsm.spikes import SpikeTrains
from rram import LSM_40NM, Chip
from rram.crossbar import ReadConfig
from tests.oracles import noisy_reservoir
from tests.oracles import reservoir as oracle

SPECS = [
    ReservoirSpec(7, 5, 0.9, 5.0, 0.3, 11),
    ReservoirSpec(40, 200, 0.97, 5.0, 0.12, 23),
    ReservoirSpec(20, 700, 0.95, 0.1, 0.003, 9),  # several blocks of neurons
]


def random_trains(spec, samples=30, density=0.1, seed=0):
    x = np.random.default_rng(seed).random((spec.steps, samples, spec.inputs)) < density
    return SpikeTrains.from_dense(x)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("compiled", [True, False])
def test_spikes_equal_the_oracle_to_the_bit(spec, dtype, compiled):
    trains, reservoir = random_trains(spec), gaussian(spec, 1)
    w = reservoir.weights.astype(dtype)
    s, u = oracle.spikes(
        trains.dense(), w[: spec.inputs], w[spec.inputs :], dtype(spec.decay), dtype(spec.threshold)
    )
    assert 0.005 < s.mean() < 0.6
    reads = StateFeatures(windows=3, traces=(0.8, 1.0), membranes=2)
    got = encode(trains, reservoir, reads, dtype=dtype, compiled=compiled)
    window = np.arange(spec.steps) * 3 // spec.steps
    t = np.arange(spec.steps)
    expected = [s[window == k].sum(0) / np.float32((window == k).sum()) for k in range(3)]
    expected += [np.tensordot(g ** (spec.steps - 1 - t), s, 1) for g in (0.8, 1.0)]
    expected += [(u * (1 - s))[stop - 1] for stop in (spec.steps // 2, spec.steps)]
    n = spec.neurons
    assert np.array_equal(got[:, : 3 * n], np.hstack(expected[:3]).astype(np.float32))
    np.testing.assert_allclose(got[:, 3 * n : 5 * n], np.hstack(expected[3:5]), atol=1e-5)
    assert np.array_equal(got[:, 5 * n :], np.hstack(expected[5:]).astype(np.float32))


@pytest.mark.parametrize("noise_per", ["product", "batch"])
def test_noisy_reads_are_equal_in_both_paths(noise_per):
    spec = SPECS[1]
    trains = random_trains(spec)
    chip = Chip(LSM_40NM, 3, sparsity=0.0)
    noisy = from_chip(spec, chip, ReadConfig(read_noise=0.02, noise_per=noise_per))
    a = encode(trains, noisy, batch=12, seed=5)
    assert np.array_equal(a, encode(trains, noisy, batch=12, seed=5, compiled=False))
    assert not np.array_equal(a, encode(trains, noisy, batch=12, seed=6))
    assert not np.array_equal(a, encode(trains, from_chip(spec, chip)))


def test_noise_per_product_has_the_stated_spread():
    # One input spike, no recurrence to speak of: the membrane is the noisy weight itself.
    spec = ReservoirSpec(1, 2000, 0.5, 1e6, 1.0, 1)
    chip = Chip(LSM_40NM, 0, sparsity=0.0)
    trains = SpikeTrains.from_dense(np.ones((1, 50, 1)))
    reads = StateFeatures(membranes=1)
    clean, noisy = (
        encode(trains, from_chip(spec, chip, ReadConfig(n)), reads)[:, 2000:] for n in (0.0, 0.02)
    )
    pair = chip.conductances("input", (1, 2000))
    expected = 0.02 * (pair.plus.square() + pair.minus.square()).sqrt().numpy()
    ratio = (noisy - clean) / expected
    assert abs(ratio.mean()) < 0.02
    assert abs(ratio.std() - 1) < 0.02


@pytest.mark.parametrize("noise_on", ["cells", "weight"])
@pytest.mark.parametrize("compiled", [True, False])
def test_noise_is_distributed_as_the_plain_oracle_draws_it(noise_on, compiled):
    """Mean rates within 5 standard errors; last membranes: Kolmogorov-Smirnov below 0.08."""
    spec = ReservoirSpec(20, 12, 0.9, 5.0, 0.25, 8)
    chip, count, n = Chip(LSM_40NM, 1, sparsity=0.0), 1500, 0.1
    one = np.random.default_rng(2).random((spec.steps, 1, spec.inputs)) < 0.3
    x = np.repeat(one, count, 1)
    read_config = ReadConfig(read_noise=n, noise_on=noise_on)
    got = encode(
        SpikeTrains.from_dense(x), from_chip(spec, chip, read_config),
        StateFeatures(membranes=1), seed=3, compiled=compiled, batch=count,
    )  # fmt: skip
    pairs = [chip.conductances(b, (r, 12)) for b, r in (("input", 20), ("recurrent", 12))]
    plus, minus = (spec.const * np.concatenate([pair[k].numpy() for pair in pairs]) for k in (0, 1))
    spikes, u = noisy_reservoir.states(
        x, plus, minus, spec.decay, spec.threshold, n, noise_on, np.random.default_rng(4)
    )
    rates = spikes.mean(0)
    error = np.sqrt((rates.var(0) + got[:, :12].var(0)) / count)
    assert 0.03 < rates.mean() < 0.6 and (rates.std(0) > 0.03).any()
    assert (np.abs(rates.mean(0) - got[:, :12].mean(0)) <= 5 * error + 1e-6).all()
    assert max(ks_2samp(got[:, 12 + k], u[:, k]).statistic for k in range(12)) < 0.08


def test_noise_on_the_weight_is_smaller_than_on_cells_as_arithmetic_says():
    spec = ReservoirSpec(30, 40, 0.9, 5.0, 0.1, 5)
    chip = Chip(LSM_40NM, 0, sparsity=0.0)
    on_cells, on_weight = (
        from_chip(spec, chip, ReadConfig(0.02, law)) for law in ("cells", "weight")
    )
    pair = chip.conductances("input", (30, 40))
    variances = (pair.plus.square() + pair.minus.square(), (pair.plus - pair.minus).square())
    for liquid, variance in zip((on_cells, on_weight), variances, strict=True):
        kept = liquid.squares[:30] * liquid.square_unit / spec.const**2
        np.testing.assert_allclose(kept, variance.numpy(), atol=2 * float(variance.max()) / 8191)


def test_threads_and_chunks_change_nothing():
    spec = SPECS[1]
    trains = random_trains(spec, samples=600)
    one = encode(trains, gaussian(spec, 0), threads=1)
    assert np.array_equal(one, encode(trains, gaussian(spec, 0), threads=3))
    assert np.array_equal(one[300:310], encode(trains.take(slice(300, 310)), gaussian(spec, 0)))


def test_trains_in_other_arrays_give_the_same():
    spec = SPECS[1]
    trains = random_trains(spec)
    rows, channels = np.repeat(trains.rows, 2)[::2], np.repeat(trains.channels, 3)[::3]
    channels.flags.writeable = False
    strided = SpikeTrains(rows.astype(np.int32), channels, trains.steps, trains.inputs)
    reservoir = gaussian(spec, 0)
    assert np.array_equal(encode(strided, reservoir), encode(trains, reservoir))


def test_silence_and_no_samples():
    spec = SPECS[0]
    silent = SpikeTrains.from_dense(np.zeros((spec.steps, 2, spec.inputs)))
    assert not encode(silent, gaussian(spec, 0)).any()
    assert encode(silent.take(slice(0)), gaussian(spec, 0)).shape == (0, spec.neurons)


def test_everything_firing_does_not_overflow():
    spec = ReservoirSpec(300, 300, 1.0, 0.0, 1.0, 4)
    ones = np.full((300, 300), 7.0)
    reservoir = from_weights(spec, ones, ones)
    trains = SpikeTrains.from_dense(np.ones((4, 2, 300)))
    out = encode(trains, reservoir, StateFeatures(membranes=4))
    assert (out[:, :300] == 1).all()


def test_integers_that_would_overflow_are_refused():
    spec = ReservoirSpec(2, 3, 0.9, 5.0, 1.0, 4)
    integers = np.full((5, 3), 8191, np.int16)
    assert np.array_equal(Reservoir(spec, integers, 1.0).weights, integers)
    for bad, message in [
        (np.full((5, 3), 8192, np.int16), "8192: -8191 to 8191"),
        (integers.astype(np.int32), "int32"),
        (integers[1:], r"\(4, 3\)"),
    ]:
        with pytest.raises(UserError, match=message):
            Reservoir(spec, bad, 1.0)
    with pytest.raises(UserError, match="squares from -1"):
        Reservoir(spec, integers, 1.0, squares=np.full((5, 3), -1, np.int16))
    with pytest.raises(UserError, match="needs squares"):
        Reservoir(spec, integers, 1.0, read_noise=0.02)
    with pytest.raises(UserError, match="units must be above 0"):
        Reservoir(spec, integers, np.nan)


def test_chip_weights_are_differential_pairs_times_const():
    spec = SPECS[1]
    chip = Chip(LSM_40NM, 7, sparsity=0.0)
    weights = from_chip(spec, chip).weights
    pair = chip.weights("recurrent", (200, 200)).numpy() * spec.const
    np.testing.assert_allclose(weights[spec.inputs :], pair, atol=pair.std() / 500)
    assert abs(weights.std() / spec.const - 6.64) < 0.1
    assert chip.cells == 2 * spec.weights
    sparse = from_chip(spec, Chip(seed=1), match_std=True).weights
    assert abs(sparse.std() / spec.const - 6.67) < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: encode(random_trains(SPECS[1]), gaussian(s, 0)), "40 channels"),
        (lambda s: encode(random_trains(s), gaussian(s, 0), StateFeatures(windows=0)), "windows"),
        (
            lambda s: encode(random_trains(s), gaussian(s, 0), StateFeatures(traces=(1.5,))),
            "decays",
        ),
        (lambda s: from_weights(s, np.ones((5, 5)), np.ones((5, 5))), r"\(7, 5\)"),
        (lambda s: from_weights(s, np.full((7, 5), np.nan), np.ones((5, 5))), "finite"),
        (lambda s: from_chip(s, Chip(), ReadConfig(input_bits=6)), "input_bits"),
        (lambda s: from_chip(s, Chip(sparsity=1.0)), "no cell broke"),
        (lambda _: ReservoirSpec(1, 1, 1.5, 0, 1, 1), "decay"),
        (lambda _: ReservoirSpec(1, 1, np.nan, 0, 1, 1), "decay"),
        (lambda _: ReservoirSpec(1, 1, 0.5, np.inf, 1, 1), "threshold"),
        (lambda _: ReservoirSpec(70_000, 1, 0.5, 1, 1, 1), "at most 65,536"),
        (lambda s: from_weights(s, np.full((7, 5), 1e35), np.ones((5, 5))), "up to 1e"),
        (lambda s: encode(random_trains(s), gaussian(s, 0), batch=0), "batch 0"),
        (lambda s: encode(random_trains(s), gaussian(s, 0), seed=-1), "seed -1"),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    with pytest.raises(UserError, match=message):
        change(SPECS[0])
