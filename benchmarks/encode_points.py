"""Times the frozen point encoders beside the straightforward implementation.

`python -m benchmarks.encode_points` prints and records, for the three shapes of the DEPLM paper,
ms per cloud and peak memory of ours and of `tests/oracles/point_network.py`: sampling, grouping
and encoding, nothing cached. `--profile` prints where our time goes.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.timing import paired_medians, peak_mb, print_cases, write_benchmark
from deplm.data.seg_clouds import PartClouds
from deplm.encoder import FrozenEncoder, calibration_batches, encode
from deplm.layers import neighbour_max
from deplm.network import DVS_GESTURE, FASHION_MNIST, SHAPENET_PART
from deplm.points import (
    Clouds,
    CloudSet,
    Grouping,
    ball_query,
    farthest_point_sample,
    gather,
    three_nearest,
)
from deplm.segmentation import PART_NETWORK, PartEncoder, PartNetwork, interpolate, link
from harness.scale.parallel import cores, torch_threads
from rram import Chip
from tests.oracles import point_network as oracle
from tests.oracles import segment_network as segment_oracle

Encoder = FrozenEncoder | PartEncoder

CASES = {
    "Fashion-MNIST": (FASHION_MNIST, 784),
    "DVS128 Gesture": (DVS_GESTURE, 1024),
    "ShapeNet-part": (SHAPENET_PART, 2048),
    "ShapeNet-part, back to every point": (PART_NETWORK, 2048),
}
CLOUDS = 64
BATCH = 16  # of the oracle, where it is fastest; ours has its own
MEMORY_CLOUDS = (64, 512)  # ours is measured on both, to show that it does not grow


class RandomClouds(CloudSet):
    """Clouds with the statistics that matter for time: how many points lie in a ball."""

    name = "benchmark"

    def __init__(self, case: str, count: int) -> None:
        network, points = CASES[case]
        rng = np.random.default_rng(0)
        cloud = {
            "Fashion-MNIST": _images,
            "DVS128 Gesture": _events,
        }.get(case, _surfaces)(rng, count, points)
        self.points = torch.from_numpy(cloud.astype(np.float32))
        self.features = self.points[..., : network.features]
        self.categories = np.arange(count) % 16
        if network in (SHAPENET_PART, PART_NETWORK):
            self.batch_size = PartClouds.batch_size

    def __len__(self) -> int:
        return len(self.points)

    def clouds(self, indices: np.ndarray) -> Clouds:
        """The clouds `indices`."""
        return Clouds(self.points[indices], self.features[indices])


def _images(rng: np.random.Generator, count: int, points: int) -> np.ndarray:
    """Half of each image dark, the other half of all intensities, as in Fashion-MNIST."""
    grid = np.arange(points)
    place = np.stack([grid % 28 / 28 - 0.5, grid // 28 / 28 - 0.5], -1)
    inside = np.abs(place).max(-1) < rng.uniform(0.3, 0.4, (count, 1))
    intensity = rng.integers(0, 256, (count, points)) * inside / 127.5 - 1
    return np.concatenate([intensity[..., None], np.broadcast_to(place, (count, points, 2))], -1)


def _events(rng: np.random.Generator, count: int, points: int) -> np.ndarray:
    """Times spread evenly, places around two moving hands."""
    t = np.sort(rng.random((count, points)), 1)
    centre = 0.5 + 0.2 * np.sin(6 * t + rng.integers(0, 2, (count, points)) * 3)
    x = centre + rng.normal(0, 0.08, (count, points))
    y = 0.6 + rng.normal(0, 0.12, (count, points))
    return np.stack([t, x.clip(0, 1), y.clip(0, 1)], -1)


def _surfaces(rng: np.random.Generator, count: int, points: int) -> np.ndarray:
    """Points on ellipsoids inside the unit sphere."""
    direction = rng.normal(size=(count, points, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return direction * rng.uniform(0.2, 1, (count, 1, 3))


def models(case: str) -> tuple[Encoder, oracle.PointNetwork | segment_oracle.SegmentNetwork]:
    """Ours and the oracle, with the same weights and statistics."""
    network = CASES[case][0]
    chip, source = Chip(seed=0), RandomClouds(case, 32)
    parts = isinstance(network, PartNetwork)
    ours = (PartEncoder if parts else FrozenEncoder)(network, chip)
    ours.calibrate(calibration_batches(source, network, 32))
    scale = (network.encoder if parts else network).input_scale
    weights = {n: chip.weights(n, s) * scale for n, s in network.shapes.items()}
    if parts:
        theirs = segment_oracle.SegmentNetwork(network, weights)
        theirs(source.points, source.features, torch.from_numpy(source.categories), calibrate=True)
        theirs.match_biased_variances(len(source), source.points.shape[1])
    else:
        theirs = oracle.PointNetwork(network, list(weights.values())).eval()
        theirs.calibrate(source.points, source.features)
    return ours, theirs


def run_ours(source: RandomClouds, encoder: Encoder, threads: int) -> np.ndarray:
    """Features of all clouds, ours."""
    parts = encode(source, [encoder], threads=threads)
    return np.concatenate([outputs[0] for _, outputs in parts])


def run_oracle(source: RandomClouds, model: torch.nn.Module, threads: int) -> np.ndarray:
    """Features of all clouds, the oracle's, in batches of the same size."""
    with torch.no_grad(), torch_threads(threads):
        return torch.cat(list(oracle_batches(source, model))).numpy()


def oracle_batches(source: RandomClouds, model: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Features batch by batch."""
    for start in range(0, len(source), BATCH):
        rows = slice(start, start + BATCH)
        inputs = [source.points[rows], source.features[rows]]
        if isinstance(model, segment_oracle.SegmentNetwork):
            inputs.append(torch.from_numpy(source.categories[rows]))
        yield model(*inputs)


def memory_ours(case: str, clouds: int) -> Callable[[], None]:
    """Ours on `clouds` clouds, features not kept, for `peak_mb`."""
    source, (encoder, _) = RandomClouds(case, clouds), models(case)

    def run() -> None:
        for _ in encode(source, [encoder], threads=1):
            pass

    return run


def memory_oracle(case: str, clouds: int) -> Callable[[], None]:
    """The oracle on `clouds` clouds, features not kept, for `peak_mb`."""
    source, (_, model) = RandomClouds(case, clouds), models(case)

    def run() -> None:
        with torch.no_grad(), torch_threads(1):
            for _ in oracle_batches(source, model):
                pass

    return run


def measure(case: str, repeats: int) -> list[dict[str, Any]]:
    """One record with one thread, one with all."""
    source, (encoder, model) = RandomClouds(case, CLOUDS), models(case)
    ours, theirs = run_ours(source, encoder, 1), run_oracle(source, model, 1)
    agrees = bool(np.abs(ours - theirs).max() < 1e-4)
    peaks = {
        "peak_mb_ours": peak_mb(memory_ours, case, MEMORY_CLOUDS[0]),
        f"peak_mb_ours_{MEMORY_CLOUDS[1]}_clouds": peak_mb(memory_ours, case, MEMORY_CLOUDS[1]),
        "peak_mb_peer": peak_mb(memory_oracle, case, MEMORY_CLOUDS[0]),
    }
    records = []
    for threads in dict.fromkeys((1, cores())):
        seconds = paired_medians(
            lambda n=threads: run_ours(source, encoder, n),
            lambda n=threads: run_oracle(source, model, n),
            repeats,
        )
        ms = [1000 * value / len(source) for value in seconds[:2]]
        peer = f"tests/oracles/{type(model).__module__.rpartition('.')[2]}.py"
        record = {"case": case, "peer": peer, "threads": threads}
        record |= {"ms_ours": ms[0], "ms_peer": ms[1], "ratio": seconds[2], "agrees": agrees}
        records.append(record | peaks)
    return records


def profile(case: str) -> None:
    """Where our time goes, one thread: ms per cloud of each step."""
    source, network = RandomClouds(case, CLOUDS), CASES[case][0]
    encoder, _ = models(case)
    steps: dict[str, float] = {}

    def timed(name: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401
        call()
        started = time.perf_counter()
        result = call()
        spent = 1000 * (time.perf_counter() - started) / BATCH
        steps[name] = steps.get(name, 0.0) + spent
        return result

    with torch_threads(1):
        batch = network.batch(source, np.arange(BATCH))
        points = batch.clouds.points
        for level, layer in enumerate(network.abstractions[:-1], 1):
            chosen = timed(
                f"sample {level}", lambda p=points, n=layer: farthest_point_sample(p, n.centres)
            )
            centres = gather(points, chosen)
            timed(
                f"group {level}",
                lambda p=points, c=centres, n=layer: ball_query(p, c, n.radius, n.neighbours),
            )
            points = centres
        points, features = batch.clouds
        inputs = torch.cat([points, features], -1)
        for level, (layer, grouping) in enumerate(
            zip(encoder.layers, batch.groupings, strict=True), 1
        ):
            matrix = layer.crossbar.weights
            projected = timed(f"project {level}", lambda i=inputs, w=matrix: i @ w)
            if grouping is not None:
                near = grouping.neighbours
                timed(f"maximum {level}", lambda p=projected, n=near: neighbour_max(p, n))
                features = layer(points, features, grouping, batch.noise_key)
                points = grouping.centres
                inputs = torch.cat([points, features], -1)
            else:
                timed(f"maximum {level}", lambda p=projected: p.amax(1))
    print(f"\n{case}, ms per cloud, one thread: total {sum(steps.values()):.3f}")
    for name, spent in steps.items():
        print(f"  {name:<11} {spent:.3f}")


def time_kernels(repeats: int) -> None:
    """What each compiled loop of `deplm.kernels` takes, beside plain torch, one thread."""
    points = RandomClouds("ShapeNet-part", 4).points.contiguous()
    centres = gather(points, farthest_point_sample(points, 512))
    grouping = Grouping(centres, ball_query(points, centres, 0.1, 32))
    near, (where,) = grouping.neighbours, link(points, [grouping])
    fine, coarse = torch.rand(4, 2048, 117), torch.rand(4, 512, 117)
    weighted = where.weights[..., None]
    steps = {
        "sampling": [lambda p=way: farthest_point_sample(points, 512, plain=p) for way in (0, 1)],
        "grouping": [lambda p=way: ball_query(points, centres, 0.1, 32, plain=p) for way in (0, 1)],
        "three nearest": [
            lambda: three_nearest(points, centres),
            lambda: torch.cdist(points, centres).topk(3, largest=False),
        ],
        "interpolation": [
            lambda: interpolate(coarse, where),
            lambda: (gather(coarse, where.nearest) * weighted).sum(2),
        ],
        "maxima of groups": [
            lambda: neighbour_max(fine, near),
            lambda: gather(fine, near).amax(2),
        ],
    }
    with torch_threads(1):
        for name, (ours, plain) in steps.items():
            ours()
            seconds = paired_medians(ours, plain, repeats)
            ms = [1000 * value for value in seconds[:2]]
            print(f"{name:<17} {ms[0]:8.2f} ms   torch {ms[1]:8.2f} ms   ratio {seconds[2]:6.1f}")


def main() -> int:
    """Measure all cases, or print their profiles."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encode_points")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of timed calls (default 7)")
    parser.add_argument("--profile", action="store_true", help="where our time goes instead")
    parser.add_argument("--kernels", action="store_true", help="each compiled loop beside torch")
    options = parser.parse_args()
    if options.kernels:
        time_kernels(options.repeats)
        return 0
    if options.profile:
        for case in CASES:
            if not isinstance(CASES[case][0], PartNetwork):
                profile(case)
        return 0
    cases = [
        record for case in tqdm(CASES, disable=None) for record in measure(case, options.repeats)
    ]
    print_cases(cases)
    print(f"results  {write_benchmark('encode_points', cases)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
