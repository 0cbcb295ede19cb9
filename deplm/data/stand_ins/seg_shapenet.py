"""Writes the stand-in of ShapeNet-part: built shapes in the benchmark's own files.

Each shape is scanned unevenly and noisily, stretched along its axes and turned a little; the
real benchmark's shapes stand upright too. Data kind: synthetic.
"""

import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deplm.data import seg_categories
from deplm.data.seg_categories import CATEGORIES, Category
from deplm.data.stand_ins import seg_objects, seg_shapes, seg_surfaces, seg_vehicles
from deplm.data.stand_ins.seg_shapes import BUILDERS
from deplm.data.stand_ins.seg_surfaces import X, Y, Z, turn
from harness.data.cache import key_of, stand_in

# Shapes a category in the training, validation and test list.
COUNTS, TINY_COUNTS = {"train": 150, "val": 25, "test": 45}, {"train": 3, "val": 1, "test": 2}
POINTS = (1000, 2000)  # a shape; the real ones have about 2,600
SEED = 16
LEAST_A_PART = 6  # points, so that a part that is there can be seen


def ensure_stand_in(parent: Path, *, tiny: bool = False) -> Path:
    """The stand-in's folder, written when it is not there or its writer has changed.

    Args:
        parent: of all stand-ins of the set.
        tiny: six shapes a category.

    Raises:
        UserError: the folder cannot be written.
    """
    counts = TINY_COUNTS if tiny else COUNTS
    builders = seg_objects, seg_shapes, seg_surfaces, seg_vehicles
    code = sys.modules[__name__], seg_categories, *builders
    key = key_of(code=code, counts=counts, points=POINTS, least=LEAST_A_PART, seed=SEED)
    return stand_in(
        parent,
        "synthetic",
        key,
        lambda new: write_stand_in(new, counts),
        "building shapes",
        tiny=tiny,
    )


def write_stand_in(folder: Path, counts: dict[str, int], seed: int = SEED) -> None:
    """Write table, lists and shapes into an existing folder.

    Args:
        folder: where to.
        counts: shapes a category in the lists `train`, `val` and `test`.
        seed: of everything.
    """
    lines = [f"{category.name}\t{category.synset}" for category in CATEGORIES]
    (folder / "synsetoffset2category.txt").write_text("\n".join(lines) + "\n")
    lists: dict[str, list[str]] = {split: [] for split in counts}
    for number, category in enumerate(tqdm(CATEGORIES, desc="building shapes", disable=None)):
        (folder / category.synset).mkdir()
        for index, split in enumerate(s for s, count in counts.items() for _ in range(count)):
            rng = np.random.default_rng([seed, number, index])
            name = rng.bytes(16).hex()
            (folder / category.synset / f"{name}.txt").write_text(as_text(build(category, rng)))
            lists[split].append(f"shape_data/{category.synset}/{name}")
    (folder / "train_test_split").mkdir()
    for split, entries in lists.items():
        np.random.default_rng([seed, len(entries)]).shuffle(entries)
        path = folder / "train_test_split" / f"shuffled_{split}_file_list.json"
        path.write_text(json.dumps(entries))


def build(category: Category, rng: np.random.Generator) -> np.ndarray:
    """One random shape.

    Args:
        category: of what.
        rng: of everything about it.

    Returns:
        (n, 7) float64, rows x y z nx ny nz label, in random order.
    """
    parts = BUILDERS[category.name](rng)
    # Uneven scanning: each piece has its own density.
    weights = np.array([max(part.area, 1e-4) for _, part in parts]) ** 0.8
    weights *= np.exp(0.35 * rng.standard_normal(len(parts)))
    total = int(rng.integers(*POINTS))
    shares = LEAST_A_PART + rng.multinomial(total, weights / weights.sum())
    drawn = [part.sample(rng, int(n)) for (_, part), n in zip(parts, shares, strict=True)]
    points, normals = (np.concatenate(columns) for columns in zip(*drawn, strict=True))
    labels = np.repeat([category.first + part for part, _ in parts], shares)
    stretch = rng.uniform(0.88, 1.12, 3)
    pose = turn(Y, rng.normal(0, 8)) @ turn(X, rng.normal(0, 3)) @ turn(Z, rng.normal(0, 3))
    points = (points * stretch) @ pose.T
    normals = (normals / stretch) @ pose.T
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    extent = np.ptp(points, axis=0).max()
    points += rng.uniform(0.001, 0.006) * extent * rng.standard_normal(points.shape)
    return rng.permutation(np.column_stack([points / extent, normals, labels]))


def as_text(rows: np.ndarray) -> str:
    """Rows as in the benchmark's files, six decimals a number, blank between, a row a line."""
    line = " ".join(["%.6f"] * rows.shape[1]) + "\n"
    return (line * len(rows)) % tuple(rows.ravel().tolist())
