"""Figures of the zero-shot tables: similarity, embeddings in the plane, distributions, finds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.report.figures import save, where
from harness.run.protocol import Run
from lsm.tables.figures import ACCENT, INK, in_the_plane
from lsm.tables.zero_shot_models import Clip
from lsm.zero_shot.modalities import (
    TEST,
    TRAIN,
    VALIDATION,
    PairedModalities,
    Split,
    make_pairs,
    make_pool,
)
from lsm.zero_shot.projections import Features
from lsm.zero_shot.retrieval import Pool, Similarity

IN_PLANE = 400  # items a modality in the plane, at most 40 of a class
IN_MATRIX = 180  # items a modality in the similarity matrix
QUERIES = 4  # retrieved examples of seen classes, and of unseen ones


class Shown(NamedTuple):
    """What is drawn of one trained model: features of both modalities and their embeddings."""

    data: PairedModalities
    split: Split
    features: Features
    embedded: tuple[torch.Tensor, torch.Tensor]
    similarity: Similarity
    title: str

    def pool(self, classes: Sequence[int], size: int) -> Pool:
        """Test items."""
        return make_pool(self.data, classes, TEST, size)

    def alike(self, pool: Pool) -> np.ndarray:
        """Similarities (n, m) of a pool's items."""
        parts = (x[rows] for x, rows in zip(self.embedded, pool.rows, strict=True))
        return self.similarity(*parts).numpy()


def trained_model(run: Run, model: Clip, split: Split) -> Shown:
    """One model of chip 0, trained on a split's seen classes to its last epoch.

    Args:
        run: its data, device and constants.
        model: what to train.
        split: of the classes.
    """
    features = model.features.encode(run, 0, split).features
    pairs = [make_pairs(run.data, split.seen, (TRAIN, VALIDATION))]
    training = model.training(run, 0, split, pairs, [[0, 0, 0]])
    *_, (_, embed) = training.epochs()
    embedded = tuple(embed(n, np.arange(len(features[n])), slice(None))[0].cpu() for n in (0, 1))
    unseen = ", ".join(run.data.classes[c] for c in split)
    title = f"{where(run)}, chip 0, unseen {unseen}"
    return Shown(run.data, split, features, embedded, model.similarity, title)


def similarity_matrix(path: Path, shown: Shown) -> Path:
    """Similarity of test items of both modalities, class by class, and its class means."""
    order = [*shown.split.seen, *shown.split]
    pool = shown.pool(order, max(1, IN_MATRIX // len(order)))
    alike = shown.alike(pool)
    means = np.array(
        [
            [alike[np.ix_(pool.labels[0] == a, pool.labels[1] == b)].mean() for b in order]
            for a in order
        ]
    )
    figure = Figure(figsize=(11, 5), layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)
    every, classes = figure.subplots(1, 2)
    image = every.imshow(alike, cmap="viridis", aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=every, label="similarity")
    names = [shown.data.classes[c] for c in order]
    for labels, ticks in ((pool.labels[1], every.set_xticks), (pool.labels[0], every.set_yticks)):
        ticks([np.flatnonzero(labels == c).mean() for c in order], names)
    image = classes.imshow(means, cmap="viridis")
    figure.colorbar(image, ax=classes, label="mean similarity")
    classes.set_xticks(range(len(order)), names)
    classes.set_yticks(range(len(order)), names)
    for axis in (every, classes):
        one, other = (modality.name for modality in shown.data.modalities)
        axis.set(xlabel=f"{other}, class", ylabel=f"{one}, class")
    _part_unseen(every, [np.sum(np.isin(labels, shown.split.seen)) for labels in pool.labels])
    _part_unseen(classes, [len(shown.split.seen)] * 2)
    every.set_title("test items")
    classes.set_title("class means")
    figure.suptitle(f"{shown.title}; beyond the red lines: never trained on")
    return save(figure, path)


def _part_unseen(axis: Axes, at: list[int]) -> None:
    axis.axhline(at[0] - 0.5, color=ACCENT, linewidth=1.5)
    axis.axvline(at[1] - 0.5, color=ACCENT, linewidth=1.5)


def planes(path: Path, shown: Shown) -> Path:
    """t-SNE of both modalities' features apart, and of their embeddings together."""
    count = min(40, IN_PLANE // len(shown.data.classes))
    pool = shown.pool([*shown.split.seen, *shown.split], count)
    before = [x[rows] for x, rows in zip(shown.features, pool.rows, strict=True)]
    after = [x[rows].numpy() for x, rows in zip(shown.embedded, pool.rows, strict=True)]
    joined = np.concatenate(
        [x / np.linalg.norm(x, axis=1, keepdims=True).clip(1e-9) for x in after]
    )
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    axes = figure.subplots(1, 3)
    for n, (axis, x) in enumerate(zip(axes, before, strict=False)):
        _scatter(axis, shown, in_the_plane(x), pool.labels[n], n)
        axis.set_title(f"{shown.data.modalities[n].name}: reservoir features")
    points, count = in_the_plane(joined), len(after[0])
    _scatter(axes[2], shown, points[:count], pool.labels[0], 0)
    _scatter(axes[2], shown, points[count:], pool.labels[1], 1)
    one, other = (modality.name for modality in shown.data.modalities)
    axes[2].set_title(f"after projection: {one} o, {other} +")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", frameon=False, markerscale=2)
    figure.suptitle(shown.title)
    return save(figure, path)


def _scatter(
    axis: Axes, shown: Shown, points: np.ndarray, labels: np.ndarray, modality: int
) -> None:
    colours = colormaps["tab10" if len(shown.data.classes) <= 10 else "nipy_spectral"]
    many = max(len(shown.data.classes) - 1, 1)
    for n, name in enumerate(shown.data.classes):
        mine = labels == n
        colour = colours(n) if len(shown.data.classes) <= 10 else colours(n / many)
        style = (
            {"facecolors": "none", "edgecolors": [colour]} if modality == 0 else {"color": colour}
        )
        about = f"{name}, unseen" if n in shown.split else name
        axis.scatter(
            *points[mine].T, s=14, marker="o+"[modality], linewidths=0.9, label=about, **style
        )
    axis.set(xticks=[], yticks=[])


def retrieved(
    path: Path, shown: Shown, picture: Callable[[int, np.ndarray], np.ndarray], size: int
) -> Path:
    """Queries of the first modality, seen and unseen, and the five items that each finds.

    Args:
        path: of the PNG.
        shown: the model.
        picture: (modality, dense spikes (T, channels)) -> image to draw.
        size: items a class in the pools.
    """
    figure = Figure(figsize=(11, 1.25 * QUERIES + 0.9), layout="constrained")
    halves = figure.subfigures(1, 2, wspace=0.04)
    for half, classes, what in zip(
        halves, (shown.split.seen, tuple(shown.split)), ("seen", "unseen"), strict=True
    ):
        pool = shown.pool(classes, size)
        best = np.argsort(-shown.alike(pool), axis=1, kind="stable")[:, :5]
        picked = np.linspace(0, len(pool.rows[0]) - 1, QUERIES + 2).astype(int)[1:-1]
        axes = half.subplots(QUERIES, best.shape[1] + 1, squeeze=False)
        half.suptitle(f"{what} classes")
        for row, query in zip(axes, picked, strict=True):
            _found_row(row, shown, pool, query, best[query], picture)
    figure.suptitle(f"queries and the five most similar items, green: right class\n{shown.title}")
    return save(figure, path)


def _found_row(
    axes: Sequence[Axes],
    shown: Shown,
    pool: Pool,
    query: int,
    best: np.ndarray,
    picture: Callable[[int, np.ndarray], np.ndarray],
) -> None:
    wanted = pool.labels[0][query]
    for n, axis in enumerate(axes):
        modality, at = (0, query) if n == 0 else (1, best[n - 1])
        spikes = (
            shown.data.modalities[modality]
            .trains.take(pool.rows[modality][[at]])
            .dense(np.uint8)[:, 0]
        )
        shade, aspect = ("gray_r", "auto") if modality == 0 else ("gray", "equal")
        axis.imshow(picture(modality, spikes), cmap=shade, aspect=aspect)
        axis.set(xticks=[], yticks=[])
        label = pool.labels[modality][at]
        colour = INK if n == 0 else "#2e8b57" if label == wanted else ACCENT
        axis.set_title(shown.data.classes[label], color=colour, fontsize=9, pad=2)
        for spine in axis.spines.values():
            spine.set(color=colour, linewidth=1.0 if n == 0 else 2.0)


def distribution(path: Path, rows: Sequence[dict], chance: float, title: str) -> Path:
    """Unseen top-1 of every split and chip in both protocols, with chance drawn in.

    Args:
        path: of the PNG.
        rows: result rows whose `details` hold lists "unseen <chip>" and "unseen (oracle) <chip>".
        chance: in %.
        title: of the picture.
    """
    figure = Figure(figsize=(9, 1.6 + 1.9 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.arange(0, 100.1, 5)
    for axis, row in zip(axes, rows, strict=True):
        kinds = (
            ("unseen ", INK, "held-out classes"),
            ("unseen (oracle) ", ACCENT, "the test pool (oracle)"),
        )
        for start, colour, by in kinds:
            found = _of_chips(row, start)
            values = found.ravel()
            about = f"chosen on {by}: mean {values.mean():.1f}, s.d. {values.std():.1f} %"
            fill = {"alpha": 0.75} if colour == INK else {"histtype": "step", "linewidth": 1.6}
            axis.hist(values, edges, color=colour, label=about, **fill)
        axis.axvline(chance, color="black", linestyle="--", label=f"chance, {chance:.0f} %")
        axis.set_title(f"{row['row']}: {found.shape[1]} splits, {len(found)} chip(s)", fontsize=10)
        axis.set_ylabel("splits")
        axis.legend(frameon=False, fontsize=8, loc="best")
    axes[-1].set(xlabel="unseen top-1 (%)", xlim=(0, 100))
    figure.suptitle(title)
    return save(figure, path)


def _of_chips(row: dict, start: str) -> np.ndarray:
    """(chips, splits) of the details whose keys are `start` and the chip's number."""
    details = row["details"].items()
    values = [x for key, x in details if key.removeprefix(start).isdigit()]
    return np.array(values)


def draw_zero_shot(
    run: Run,
    rows: list[dict],
    shown: Shown,
    picture: Callable[[int, np.ndarray], np.ndarray],
    name: str,
    chance: float,
) -> list[Path]:
    """All figures of a zero-shot table.

    Args:
        run: of the table.
        rows: its result rows; those with a distribution are drawn.
        shown: a trained model, see `trained_model`.
        picture: see `retrieved`.
        name: that file names begin with.
        chance: of an unseen query, in %.
    """
    size = run.config.pool_size

    def path(what: str) -> Path:
        return run.results / f"{name}_{what}.png"

    drawn = [
        similarity_matrix(path("similarity"), shown),
        planes(path("tsne"), shown),
        retrieved(path("retrieved"), shown, picture, size),
    ]
    spread = [r for r in rows if any(k.startswith("unseen ") for k in r.get("details", {}))]
    if spread:
        drawn.append(distribution(path("distribution"), spread, chance, where(run)))
    return drawn
