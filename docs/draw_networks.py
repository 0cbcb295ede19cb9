"""Draws the pictures of both networks that the README shows.

    python docs/draw_networks.py

Centres, neighbours, weights, membranes and spikes in them are computed by the package's own code,
on a made-up picture and made-up spikes; nothing in them is a result.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from draw_parts import DATA, INK, PALE, RANDOM, TRAINED, arrow, box, canvas, inset, legend, words
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from deplm.network import FASHION_MNIST
from deplm.points import ball_query, farthest_point_sample
from lsm.neurons import LIFParameters, lif_step, rest
from lsm.reservoir import NMNIST, gaussian
from rram import Chip

HERE = Path(__file__).resolve().parent
SIGNED = LinearSegmentedColormap.from_list("signed", ["#b5572a", "#ffffff", RANDOM])
DOTS = 120  # a figure's dots per inch
SHOWN_CENTRES = 60
plt.rcParams.update({"font.family": "DejaVu Sans", "mathtext.fontset": "dejavusans"})


def picture() -> np.ndarray:
    """A made-up T-shirt, (28, 28), 0 to 1."""
    row, column = np.mgrid[0:28, 0:28] / 27
    body = (abs(column - 0.5) < 0.23) & (row > 0.12) & (row < 0.95)
    slope = 0.13 + 0.9 * (abs(column - 0.5) - 0.2)
    sleeves = (abs(abs(column - 0.5) - 0.32) < 0.13) & (row > slope) & (row < slope + 0.26)
    collar = ((column - 0.5) / 0.12) ** 2 + ((row - 0.1) / 0.1) ** 2 < 1
    light = 0.62 + 0.25 * np.sin(9 * row) * np.cos(7 * column)
    return np.where((body | sleeves) & ~collar, light, 0.0)


def draw_deplm() -> Figure:
    """The Fashion-MNIST network: three random set abstractions and a readout."""
    figure, axes = canvas(12.4, 6.5)
    _cascade(figure, axes)
    _abstraction(figure, axes)
    legend(axes, 0.45, 0.27)
    return figure


def _cascade(figure: Figure, axes: Axes) -> None:
    words(axes, 0.3, 6.22, "DEPLM: points in, a class out", 13, ha="left", weight="bold")
    words(axes, 12.1, 6.2, "sizes of the Fashion-MNIST network", 9, ha="right", color=PALE)
    image = inset(figure, 0.4, 4.25, 1.35, 1.35)
    image.imshow(picture(), cmap="Greys", vmax=1.1)
    words(axes, 1.07, 5.78, "784 points", 9.5, weight="bold")
    words(axes, 1.07, 4.02, "intensity, x, y", 8.5)
    sizes = [(512, 51), (128, 102), (1, 819)]
    spots = (2.7, 5.2, 7.7)
    for number, (x, (centres, channels)) in enumerate(zip(spots, sizes, strict=True), 1):
        spec = FASHION_MNIST.abstractions[number - 1]
        assert (spec.centres or 1, spec.channels) == (centres, channels)
        box(axes, x, 4.15, 1.6, 1.5, RANDOM)
        words(axes, x + 0.8, 5.36, f"SA{number}", 12, weight="bold", color=RANDOM)
        shape = FASHION_MNIST.shapes[f"sa{number}"]
        words(axes, x + 0.8, 5.02, f"$W_{number}$: {shape[0]} $\\times$ {shape[1]}", 10)
        point = "point" if centres == 1 else "centres"
        words(axes, x + 0.8, 4.7, f"{centres} {point} $\\times$ {channels}", 9)
        group = (
            f"{spec.neighbours} neighbours in {spec.radius}"
            if spec.radius
            else "all points, one group"
        )
        words(axes, x + 0.8, 4.4, group, 8, color=PALE)
    box(axes, 10.15, 4.15, 1.3, 1.5, TRAINED)
    words(axes, 10.8, 5.36, "readout", 12, weight="bold", color=TRAINED)
    words(axes, 10.8, 5.02, "819 $\\times$ 10", 10)
    words(axes, 10.8, 4.57, "ridge, logistic,\nor gradient", 8)
    for start, end in ((1.85, 2.63), (4.38, 5.13), (6.88, 7.63), (9.38, 10.08), (11.53, 12.0)):
        arrow(axes, (start, 4.92), (end, 4.92))
    words(axes, 12.18, 4.92, "class", 9.5, rotation=90)


def _abstraction(figure: Figure, axes: Axes) -> None:
    """One set abstraction, step by step."""
    box(axes, 0.25, 0.5, 11.9, 3.05, RANDOM)
    for x, end in ((2.8, 0.4), (4.2, 12.0)):
        axes.plot([x, end], [4.13, 3.57], color=RANDOM, lw=0.7, ls=":")
    words(axes, 0.45, 3.3, "inside SA1", 10.5, ha="left", weight="bold", color=RANDOM)
    equation = (
        "$h_c = \\mathrm{ReLU}\\,(\\,\\max_k\\; \\mathrm{BN}\\,(\\,W\\,[\\,p_k - c,\\; f_k\\,]))$"
    )
    words(axes, 11.95, 3.27, equation, 12, ha="right")
    centre, neighbours, xy, centres = _grouping()
    _sampling(inset(figure, 0.55, 1.3, 1.65, 1.65), xy, centres, None, None)
    words(axes, 1.37, 1.03, "1  sample centres $c$", 9)
    words(axes, 1.37, 0.77, "each the farthest from the last ones", 7.5, color=PALE)
    _sampling(inset(figure, 2.75, 1.3, 1.65, 1.65), xy, centres, centre, neighbours)
    words(axes, 3.57, 1.03, "2  group neighbours $p_k$", 9)
    words(axes, 3.57, 0.77, "the first 32 within 0.15; intensity counts", 7.5, color=PALE)
    weights = Chip(seed=0).weights("sa1", FASHION_MNIST.shapes["sa1"]).numpy()
    grid = inset(figure, 5.0, 1.75, 3.0, 0.78)
    grid.imshow(weights, cmap=SIGNED, vmin=-45, vmax=45, aspect="auto")
    words(axes, 6.5, 2.92, "$[\\,p_k - c,\\; f_k\\,]$", 11)
    arrow(axes, (6.5, 2.76), (6.5, 2.57))
    arrow(axes, (6.5, 1.72), (6.5, 1.53))
    words(
        axes, 6.5, 1.33, "$W = G^+ - G^-$,  read as $G\\,(1 + n\\,\\varepsilon)$", 9.5, color=RANDOM
    )
    words(axes, 6.5, 1.03, "3  project through the chip", 9)
    words(
        axes, 6.5, 0.77, "a quarter of the weights is exactly 0; noise enters here", 7.5, color=PALE
    )
    _maximum(inset(figure, 8.75, 1.3, 1.15, 1.55), xy, centre, neighbours, weights)
    words(axes, 9.32, 1.03, "4  normalise", 9)
    words(axes, 9.32, 0.77, "batch norm of 32 neighbours", 7.5, color=PALE)
    _maximum(inset(figure, 10.95, 1.3, 0.3, 1.55), xy, centre, neighbours, weights, largest=True)
    words(axes, 11.1, 1.03, "5  maximum, ReLU", 9)
    words(axes, 11.1, 0.77, "51 features of the centre", 7.5, color=PALE)
    for start, end in ((2.28, 2.68), (4.48, 4.92), (8.08, 8.67), (9.98, 10.87)):
        arrow(axes, (start, 2.12), (end, 2.12))


def _grouping() -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Shown centre, its neighbours, places (784, 2) of all points, and centres."""
    light = picture().ravel() * 2 - 1
    column, row = np.tile(np.arange(28), 28) / 28 - 0.5, np.repeat(np.arange(28), 28) / 28 - 0.5
    points = torch.tensor(np.stack([light, column, row], -1), dtype=torch.float32)[None]
    spec = FASHION_MNIST.abstractions[0]
    sampled = farthest_point_sample(points, spec.centres)[0].numpy()
    centre = int(sampled[np.argmin(np.hypot(column[sampled] - 0.1, row[sampled] - 0.05))])
    found = ball_query(points, points[:, centre : centre + 1], spec.radius, spec.neighbours)
    return centre, found[0, 0].numpy(), np.stack([column, row], -1), sampled[:SHOWN_CENTRES]


def _sampling(
    axes: Axes, xy: np.ndarray, centres: np.ndarray, centre: int | None, found: np.ndarray | None
) -> None:
    axes.scatter(*xy.T, s=4, c=picture().ravel(), cmap="Greys", vmin=-0.35, vmax=1.1, lw=0)
    axes.set(xlim=(-0.54, 0.5), ylim=(0.5, -0.54), aspect="equal")
    if centre is None:
        axes.scatter(*xy[centres].T, s=9, color=RANDOM, lw=0)
        return
    radius = FASHION_MNIST.abstractions[0].radius
    axes.add_patch(Circle(xy[centre], radius, fill=False, ec=RANDOM, lw=1.2))
    axes.scatter(*xy[found].T, s=8, color=RANDOM, lw=0)
    axes.scatter(*xy[centre], s=34, color=TRAINED, marker="*", lw=0, zorder=3)
    axes.set(xlim=(xy[centre, 0] - 0.21, xy[centre, 0] + 0.21))
    axes.set(ylim=(xy[centre, 1] + 0.21, xy[centre, 1] - 0.21))


def _maximum(
    axes: Axes,
    xy: np.ndarray,
    centre: int,
    found: np.ndarray,
    weights: np.ndarray,
    *,
    largest: bool = False,
) -> None:
    light = picture().ravel() * 2 - 1
    points = np.concatenate([light[:, None], xy], 1)
    vectors = np.concatenate([points[found] - points[centre], points[found]], 1)
    currents = vectors @ weights
    currents = (currents - currents.mean(0)) / (currents.std(0) + 1e-6)
    shown = np.maximum(currents.max(0, keepdims=True), 0) if largest else currents
    axes.imshow(shown.T, cmap=SIGNED, vmin=-2.5, vmax=2.5, aspect="auto")


def spikes_in() -> np.ndarray:
    """Made-up events of a moving edge, (50, 256) 0 or 1."""
    rng = np.random.default_rng(3)
    place = np.arange(256)
    rates = [
        0.015 + 0.5 * np.exp(-(((place % 16) - 8 - 6 * np.sin(t / 8)) ** 2) / 3) for t in range(50)
    ]
    return (rng.random((50, 256)) < np.array(rates) * 0.35).astype(np.float32)


def liquid(spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Membranes before reset and spikes (50, 200) of the paper's N-MNIST reservoir."""
    weights = torch.from_numpy(gaussian(NMNIST, seed=0).weights)
    inputs, recurrent = weights[: NMNIST.inputs], weights[NMNIST.inputs :]
    state = rest(1, NMNIST.neurons, weights)
    parameters = LIFParameters(NMNIST.decay, NMNIST.threshold)
    history = []
    for step in torch.from_numpy(spikes):
        state = lif_step(step[None] @ inputs + state.spikes @ recurrent, state, parameters)
        history.append((state.membrane[0].numpy(), state.spikes[0].numpy()))
    membranes, fired = zip(*history, strict=True)
    return np.stack(membranes), np.stack(fired)


def draw_lsm() -> Figure:
    """The liquid with its readout, and the zero-shot query."""
    figure, axes = canvas(12.4, 6.9)
    _reservoir(figure, axes)
    _query(figure, axes)
    legend(axes, 0.45, 0.22)
    return figure


def _reservoir(figure: Figure, axes: Axes) -> None:
    words(axes, 0.3, 6.62, "LSM: spikes in, a class out", 13, ha="left", weight="bold")
    words(axes, 12.1, 6.6, "sizes of the N-MNIST table", 9, ha="right", color=PALE)
    given = spikes_in()
    membranes, fired = liquid(given)
    _raster(inset(figure, 0.4, 4.3, 1.9, 1.6), given, DATA)
    words(axes, 1.35, 6.08, "input spikes $x[t]$", 9.5, weight="bold")
    words(axes, 1.35, 4.07, "256 channels, 50 steps", 8, color=PALE)
    _neurons(axes, 4.05, 5.1)
    _membrane(inset(figure, 5.75, 4.75, 1.95, 1.15), membranes, fired)
    words(axes, 6.72, 6.08, "membrane $u[t]$ of a neuron", 9.5, weight="bold")
    words(axes, 6.72, 4.5, "$u[t] = d\\,u[t-1]\\,(1 - s[t-1])$", 8.5)
    words(axes, 6.72, 4.24, "$\\quad + W_{in}\\,x[t] + W_{rec}\\,s[t-1]$", 8.5)
    words(
        axes, 6.72, 3.98, "$s[t] = 1$ if $u[t] > V_{th}$, then $u$ starts from 0", 7.5, color=PALE
    )
    _raster(inset(figure, 8.2, 4.3, 1.75, 1.6), fired, RANDOM)
    words(axes, 9.07, 6.08, "spikes $s[t]$ of all", 9.5, weight="bold")
    words(axes, 9.07, 4.07, "200 neurons, 50 steps", 8, color=PALE)
    rates = inset(figure, 10.3, 4.3, 0.42, 1.6)
    rates.barh(np.arange(200), fired.mean(0), height=1.0, color=RANDOM)
    rates.set(ylim=(0, 200))
    words(axes, 10.51, 6.08, "rates", 9.5, weight="bold")
    box(axes, 11.1, 4.55, 1.0, 1.1, TRAINED)
    words(axes, 11.6, 5.32, "readout", 10.5, weight="bold", color=TRAINED)
    words(axes, 11.6, 4.98, "200 $\\times$ 10", 9)
    words(axes, 11.6, 4.73, "class", 9)
    for start, end in ((2.38, 2.95), (5.15, 5.67), (7.78, 8.12), (10.02, 10.25), (10.78, 11.04)):
        arrow(axes, (start, 5.1), (end, 5.1))
    words(axes, 2.67, 5.3, "$W_{in}$", 9.5, color=RANDOM)
    words(axes, 4.05, 3.72, "on a chip read as $G\\,(1 + n\\,\\varepsilon)$", 8, color=PALE)


def _raster(axes: Axes, spikes: np.ndarray, color: str) -> None:
    steps, channels = np.nonzero(spikes)
    axes.scatter(steps, channels, s=1.1, color=color, lw=0)
    axes.set(xlim=(-1, spikes.shape[0]), ylim=(-2, spikes.shape[1] + 1))


def _neurons(axes: Axes, x: float, y: float) -> None:
    """A liquid: neurons joined by fixed random weights."""
    rng = np.random.default_rng(5)
    axes.add_patch(Circle((x, y), 1.02, fc=RANDOM, ec=RANDOM, alpha=0.08))
    axes.add_patch(Circle((x, y), 1.02, fc="none", ec=RANDOM, lw=1.2))
    angle = np.arange(19) * 2.399963
    radius = 0.87 * np.sqrt((np.arange(19) + 0.5) / 19)
    places = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], -1)
    for start in places:
        for end in rng.permutation(places)[:3]:
            color = RANDOM if rng.random() < 0.5 else "#b5572a"
            bend = "arc3,rad=0.25"
            arrow(
                axes, tuple(start), tuple(end), color, connectionstyle=bend,
                linewidth=0.6, alpha=0.55, mutation_scale=6,
            )  # fmt: skip
    axes.scatter(*places.T, s=42, color="white", edgecolor=INK, lw=0.9, zorder=3)
    words(axes, x, 6.27, "the liquid", 9.5, weight="bold")
    words(
        axes, x, 3.92, "$W_{in}$ 256 $\\times$ 200,  $W_{rec}$ 200 $\\times$ 200", 8.5, color=RANDOM
    )


def _membrane(axes: Axes, membranes: np.ndarray, fired: np.ndarray) -> None:
    counts = fired.sum(0)
    neuron = int(np.argmin(abs(counts - 6)))
    axes.plot(membranes[:, neuron], color=INK, lw=1.0)
    axes.axhline(NMNIST.threshold, color=TRAINED, lw=0.9, ls="--")
    axes.text(0.5, NMNIST.threshold + 0.6, "$V_{th}$", fontsize=8, color=TRAINED)
    for step in np.flatnonzero(fired[:, neuron]):
        axes.plot(step, membranes[step, neuron], "o", ms=3.2, color=RANDOM)
    axes.set(xlim=(-1, 50))


def _query(figure: Figure, axes: Axes) -> None:
    """Zero-shot: a query of one modality finds the nearest item of another."""
    box(axes, 0.25, 0.45, 11.9, 3.1, PALE)
    words(axes, 0.45, 3.33, "a zero-shot query", 10.5, ha="left", weight="bold")
    for y, name, about, symbol in (
        (2.35, "a spoken \"eight\"", "query", "A"),
        (0.8, "written digits, none labelled", "items of the pool", "B"),
    ):  # fmt: skip
        words(axes, 1.3, y + 0.52, name, 9)
        words(axes, 1.3, y + 0.25, about, 8, color=PALE)
        arrow(axes, (2.45, y + 0.4), (2.95, y + 0.4))
        box(axes, 3.0, y, 1.5, 0.8, RANDOM)
        words(axes, 3.75, y + 0.52, f"liquid {symbol}", 10, weight="bold", color=RANDOM)
        words(axes, 3.75, y + 0.23, "rates of 200 neurons", 7.5)
        arrow(axes, (4.55, y + 0.4), (5.05, y + 0.4))
        box(axes, 5.1, y, 1.6, 0.8, TRAINED)
        words(axes, 5.9, y + 0.52, f"projection $P_{symbol}$", 10, weight="bold", color=TRAINED)
        words(axes, 5.9, y + 0.23, "200 $\\times$ 64, GELU", 7.5)
    arrow(axes, (6.75, 2.75), (7.35, 2.45))
    arrow(axes, (6.75, 1.2), (7.35, 1.5))
    _common_space(inset(figure, 7.45, 0.75, 2.3, 2.3))
    words(axes, 8.6, 3.22, "the common space, 64 dimensions", 9, weight="bold")
    words(axes, 10.98, 2.75, "the most similar item", 9, weight="bold")
    words(axes, 10.98, 2.42, "$\\mathrm{argmax}_j\\;\\, P_A(a)\\cdot P_B(b_j)$", 10)
    words(
        axes, 10.98, 1.5, "trained on pairs of seen digits:\neach pair more similar than\n"
        "all others of its batch", 8, color=INK,
    )  # fmt: skip
    words(axes, 10.98, 0.88, "right, when item and query\nare of one class", 8, color=PALE)


def _common_space(axes: Axes) -> None:
    rng = np.random.default_rng(8)
    for centre, color in (((-1.0, 0.6), DATA), ((0.9, 0.9), PALE), ((0.35, -0.9), "#7a9e54")):
        axes.scatter(*rng.normal(centre, 0.27, (14, 2)).T, s=20, color=color, alpha=0.75, lw=0)
    query, nearest = np.array((-0.35, 0.05)), np.array((-0.78, 0.42))
    axes.scatter(*nearest, s=46, color=DATA, edgecolor=INK, lw=1.2, zorder=3)
    axes.scatter(*query, s=110, marker="*", color=INK, lw=0, zorder=3)
    axes.annotate(
        "",
        nearest + np.array((0.07, -0.06)),
        query,
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2},
    )
    axes.text(query[0] + 0.1, query[1] - 0.28, "query", fontsize=8, color=INK)
    axes.set(xlim=(-1.9, 1.8), ylim=(-1.75, 1.8))


def main() -> None:
    """Write both pictures beside this file."""
    for name, figure in (("deplm", draw_deplm()), ("lsm", draw_lsm())):
        figure.savefig(HERE / f"{name}.png", dpi=DOTS)
        plt.close(figure)


if __name__ == "__main__":
    main()
