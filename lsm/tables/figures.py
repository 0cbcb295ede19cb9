"""Pictures of the LSM tables: arrays in, a PNG out."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from harness.errors import UserError
from harness.report.figures import save

INK, ACCENT = "#20303c", "#c8553d"
COLOURS = (INK, ACCENT, "#6a8d73", "#8e6c8a")


def rasters(path: Path, inputs: np.ndarray, reservoir: np.ndarray, title: str) -> Path:
    """Spikes of one sample and of the reservoir it drives.

    Args:
        path: of the PNG.
        inputs: (T, channels) zeros and ones.
        reservoir: (T, neurons) zeros and ones; `encode` with `StateFeatures(windows=T)` gives them.
        title: of the picture.
    """
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for axis, spikes, name in zip(axes, (inputs, reservoir), ("channel", "neuron"), strict=True):
        step, unit = np.nonzero(spikes)
        axis.plot(step, unit, "|", color=INK, markersize=2.5, markeredgewidth=0.8)
        axis.set_ylabel(f"{name} (of {spikes.shape[1]})")
        axis.set_ylim(-1, spikes.shape[1])
    axes[0].set_title(title)
    axes[1].set_xlabel("step")
    return save(figure, path)


def firing_rates(path: Path, rates: Mapping[str, np.ndarray], title: str) -> Path:
    """Histogram of firing rates.

    Args:
        path: of the PNG.
        rates: name -> (samples, neurons), spikes a step.
        title: of the picture.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    everything = np.concatenate([values.ravel() for values in rates.values()])
    # Rates are whole multiples of 1 / T: so are the bars, or they would look like a comb.
    unit = everything[everything > 0].min(initial=1.0)
    width = unit * max(1, round(float(np.quantile(everything, 0.999)) / unit / 40))
    edges = np.arange(-0.5 * unit, everything.max() + width, width)
    for colour, (name, values) in zip(COLOURS, rates.items(), strict=False):
        axis.hist(
            values.ravel(), edges, density=True, histtype="step", color=colour,
            linewidth=1.6, label=f"{name}: mean {values.mean():.3f}, 0: {np.mean(values == 0):.0%}",
        )  # fmt: skip
    axis.set(xlabel="spikes per neuron and step", ylabel="density", yscale="log", title=title)
    axis.legend(frameon=False)
    return save(figure, path)


def accuracy_against_size(
    path: Path,
    neurons: np.ndarray,
    accuracies: Mapping[str, np.ndarray],
    title: str,
) -> Path:
    """Accuracy against reservoir size, with the spread over chips.

    Args:
        path: of the PNG.
        neurons: (sizes,).
        accuracies: name -> (sizes, chips), in %.
        title: of the picture.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for colour, (name, values) in zip(COLOURS, accuracies.items(), strict=False):
        mean, spread = values.mean(1), values.std(1)
        axis.plot(neurons, mean, "o-", color=colour, markersize=4, label=name)
        axis.fill_between(neurons, mean - spread, mean + spread, color=colour, alpha=0.15, lw=0)
    axis.set(xscale="log", xlabel="neurons", ylabel="validation accuracy (%)", title=title)
    axis.set_xticks(neurons, [str(n) for n in neurons])
    axis.minorticks_off()
    axis.legend(frameon=False)
    return save(figure, path)


def in_the_plane(features: np.ndarray) -> np.ndarray:
    """Features (samples, d) in the plane by t-SNE, (samples, 2); equal samples all at 0, 0.

    Raises:
        UserError: features that are no finite numbers.
    """
    if not np.isfinite(features).all():
        raise UserError("features of a figure are no finite numbers: choose less extreme constants")
    neighbours = min(30, (len(features) - 1) // 3)
    if neighbours < 1 or (features == features[:1]).all():  # t-SNE would divide by zero
        return np.zeros((len(features), 2))
    if features.shape[1] < 2:  # it begins with two principal components
        features = np.pad(features, ((0, 0), (0, 1)))
    return TSNE(perplexity=neighbours, random_state=0).fit_transform(features)


def embedding(
    path: Path, points: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], title: str
) -> Path:
    """Features in the plane, coloured by class.

    Args:
        path: of the PNG.
        points: (samples, 2), from t-SNE for instance.
        labels: (samples,) index into `classes`.
        classes: names.
        title: of the picture.
    """
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axis = figure.subplots()
    colours = matplotlib.colormaps.get_cmap("tab20" if len(classes) > 10 else "tab10")
    for n, name in enumerate(classes):
        mine = labels == n
        if mine.any():
            axis.scatter(*points[mine].T, s=5, color=colours(n), label=name, linewidths=0)
    axis.set(xticks=[], yticks=[], title=title)
    axis.legend(frameon=False, markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))
    return save(figure, path)


def recordings_side_by_side(
    path: Path,
    real: list[np.ndarray],
    simulated: list[np.ndarray],
    rhythm: Mapping[str, np.ndarray],
) -> Path:
    """Event images of real and simulated recordings of the same pictures, and their rhythm.

    Args:
        path: of the PNG.
        real: event images (34, 34).
        simulated: the same pictures, in the same order.
        rhythm: name -> (slices,) mean events in slices of 5 ms.
    """
    figure = Figure(figsize=(1.1 * len(real), 4.4), layout="constrained")
    grid = figure.add_gridspec(3, len(real), height_ratios=[1, 1, 1.4])
    for row, (name, images) in enumerate((("real", real), ("simulated", simulated))):
        for column, image in enumerate(images):
            axis = figure.add_subplot(grid[row, column])
            axis.imshow(image, cmap="magma")
            axis.set(xticks=[], yticks=[])
            if column == 0:
                axis.set_ylabel(name)
    axis = figure.add_subplot(grid[2, :])
    for colour, (name, values) in zip((INK, ACCENT), rhythm.items(), strict=True):
        axis.plot(5 * np.arange(len(values)) + 2.5, values, color=colour, label=name)
    axis.set(xlabel="ms", ylabel="events in 5 ms")
    axis.legend(frameon=False)
    return save(figure, path)
