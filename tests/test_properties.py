"""Properties that hold for any input: fast paths and parsers beside plain loops (hypothesis)."""

import math
import struct

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deplm.data.dvs_aedat import read_aedat, write_aedat
from deplm.points import ball_query, farthest_point_sample, gather
from harness.data.events import as_events, join_events, read_events_5byte, write_events_5byte
from harness.errors import UserError
from harness.readouts.ridge import RidgeReadout
from lsm.data import nmnist
from lsm.data.ntidigits import Binning, bin_spikes
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes
from lsm.spikes import SpikeTrains
from lsm.zero_shot.retrieval import topk_accuracy
from rram import Crossbar, Pair, ReadConfig
from rram.crossbar import quantise
from tests.oracles import crossbar as crossbar_oracle
from tests.oracles import point_network as point_oracle

settings.register_profile(
    "bounded", max_examples=40, deadline=None, derandomize=True, database=None
)
settings.load_profile("bounded")

# Multiples of 1/8: squared distances are exact, so equal ones are equal in every order of sums.
EIGHTHS = st.integers(-8, 8).map(lambda n: n / 8)
CLOUDS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 3), st.integers(1, 40), st.just(3)), elements=EIGHTHS
)
FLOATS = st.floats(-1e3, 1e3, width=32)


@given(CLOUDS, st.data())
def test_sampling_is_that_of_the_oracle(cloud, data):
    points = torch.from_numpy(cloud)
    count = data.draw(st.integers(1, points.shape[1]))
    wanted = point_oracle.farthest_point_sample(points, count)
    for plain in (False, True):
        assert torch.equal(farthest_point_sample(points, count, plain=plain).long(), wanted)


@given(CLOUDS, st.sampled_from([0.13, 0.3, 0.7, 4.0]), st.integers(1, 50), st.data())
def test_grouping_is_that_of_the_oracle(cloud, radius, neighbours, data):
    points = torch.from_numpy(cloud)
    count = data.draw(st.integers(1, points.shape[1]))
    centres = gather(points, farthest_point_sample(points, count))
    wanted = point_oracle.query_ball_point(radius, neighbours, points, centres)
    for plain in (False, True):
        found = ball_query(points, centres, radius, neighbours, plain=plain)
        assert torch.equal(found.long(), wanted)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 20)), elements=FLOATS),
       st.integers(1, 12))  # fmt: skip
def test_quantised_values_are_the_nearest_levels(x, bits):
    found = quantise(torch.from_numpy(x), bits)
    assert found.levels.min() >= 0 and found.levels.max() <= 2**bits - 1
    back = found.minimum.double() + found.step.double() * found.levels
    slack = 1e-6 * (1 + np.abs(x).max())
    assert ((back - torch.from_numpy(x)).abs() <= found.step / 2 + slack).all()
    constant = np.ptp(x, axis=1) == 0
    assert (found.step.flatten().numpy() == 0)[constant].all()


@given(st.integers(1, 9), st.integers(1, 6), st.sampled_from([None, 1, 3, 6]), st.integers(0, 99))
def test_products_are_those_of_the_oracle(inputs, outputs, bits, seed):
    rng = np.random.default_rng(seed)
    plus, minus = rng.uniform(0, 40, (2, inputs, outputs)).astype(np.float32)
    x = rng.normal(size=(4, inputs)).astype(np.float32)
    pair = Pair(torch.from_numpy(plus), torch.from_numpy(minus))
    wanted = crossbar_oracle.product(x, plus, minus, bits=bits)
    for plain in (False, True):
        array = Crossbar(pair, ReadConfig(input_bits=bits))
        found = array.product(torch.from_numpy(x), plain=plain)
        np.testing.assert_allclose(found, wanted, atol=2e-3)


@given(st.integers(4, 30), st.integers(1, 6), st.lists(st.integers(1, 29), max_size=4),
       st.sampled_from([1e-6, 1e-2, 10.0]), st.integers(0, 99))  # fmt: skip
def test_ridge_is_the_closed_form_however_its_rows_come(rows, width, cuts, penalty, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(rows, width)), np.arange(rows) % 3
    readout = RidgeReadout(3, penalties=(penalty,))
    for part in np.split(np.arange(rows), sorted({c for c in cuts if c < rows})):
        readout.partial_fit(x[part], y[part], classes=np.arange(3))
    readout.solve(penalty)
    centred, targets = x - x.mean(0), np.eye(3)[y]
    ridge = rows * penalty * x.var(0).mean() * np.eye(width)
    wanted = np.linalg.solve(centred.T @ centred + ridge, centred.T @ (targets - targets.mean(0)))
    np.testing.assert_allclose(readout.coef_, wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        readout.intercept_, targets.mean(0) - x.mean(0) @ wanted, rtol=1e-5, atol=1e-7
    )


@given(st.integers(1, 6), st.integers(1, 12), st.integers(1, 14), st.integers(0, 99))
def test_topk_is_a_loop_over_queries(queries, items, k, seed):
    rng = np.random.default_rng(seed)
    alike = rng.permutation(queries * items).reshape(queries, items).astype(np.float32)
    wanted, there = rng.integers(0, 3, queries), rng.integers(0, 3, items)
    hits = [wanted[n] in there[np.argsort(-alike[n])[:k]] for n in range(queries)]
    found = topk_accuracy(*map(torch.from_numpy, (alike, wanted, there)), k)
    assert math.isclose(found.item(), 100 * np.mean(hits), abs_tol=1e-6)


SPIKES = st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 8))


@given(st.lists(SPIKES, max_size=60))
def test_spike_trains_hold_the_set_of_events(events):
    columns = np.array(events, np.int64).reshape(-1, 3).T
    trains = SpikeTrains.from_events(*columns, (4, 6, 9))
    wanted = np.zeros((6, 4, 9))
    for sample, step, channel in events:
        wanted[step, sample, channel] = 1
    np.testing.assert_array_equal(trains.dense(), wanted)
    again = SpikeTrains.from_dense(wanted)
    assert (again.rows == trains.rows).all() and (again.channels == trains.channels).all()
    np.testing.assert_array_equal(trains.counts(), wanted.sum(0))


EVENT = st.tuples(
    st.integers(0, 33), st.integers(0, 33), st.integers(0, 1), st.integers(0, 2**23 - 1)
)


@given(st.lists(EVENT, min_size=1, max_size=40))
def test_events_of_five_bytes_are_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("events") / "1.bin"
    write_events_5byte(path, as_events(*np.array(rows).T))
    found = read_events_5byte(path, 34, 34)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == rows


@given(st.binary(max_size=60))
def test_any_bytes_are_events_or_one_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("events") / "1.bin"
    path.write_bytes(content)
    wanted = []
    for start in range(0, len(content), 5):
        x, y, *rest = content[start : start + 5].ljust(5, b"\0")
        (word,) = struct.unpack(">I", b"\0" + bytes(rest))
        wanted.append((x, y, word >> 23, word & 0x7FFFFF))
    fits = content and len(content) % 5 == 0 and all(x < 34 and y < 34 for x, y, *_ in wanted)
    try:
        found = read_events_5byte(path, 34, 34)
    except UserError:
        assert not fits
    else:
        assert fits
        assert list(zip(*(column.tolist() for column in found), strict=True)) == wanted


@given(st.lists(EVENT, min_size=1, max_size=50), st.integers(1, 60), st.integers(1, 60))
def test_recordings_are_read_back_in_packets_of_any_size(tmp_path_factory, rows, packet, chunk):
    rows = sorted(rows, key=lambda row: row[3])
    path = tmp_path_factory.mktemp("aedat") / "a.aedat"
    write_aedat(path, [as_events(*np.array(rows).T)], packet_events=packet)
    found = join_events(list(read_aedat(path, chunk_events=chunk)))
    assert list(zip(*(column.tolist() for column in found), strict=True)) == rows


@given(st.lists(EVENT, min_size=1, max_size=40), st.integers(1, 60))
def test_events_are_binned_as_by_hand(rows, steps):
    times = [row[3] for row in rows]
    first, span = min(times), max(times) - min(times) + 1
    wanted = sorted({
        (t - first) * steps // span * 256 + (y - 9) * 16 + (x - 9)
        for x, y, p, t in rows if p == 0 and 9 <= x < 25 and 9 <= y < 25
    })  # fmt: skip
    try:
        assert nmnist.bin_events(as_events(*np.array(rows).T), steps).tolist() == wanted
    except UserError:
        assert not wanted


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 3000)), min_size=1, max_size=40),
       st.integers(1, 150))  # fmt: skip
def test_spikes_of_the_cochlea_are_binned_as_by_hand(rows, steps):
    channels, milliseconds = np.array(rows).T
    together = math.ceil((max(milliseconds) + 1) / steps)
    wanted = sorted({ms // together * 64 + channel for channel, ms in rows})
    spikes = AudioSpikes(channels, milliseconds / 1000)
    assert bin_spikes(spikes, Binning(steps=steps)).tolist() == wanted
