"""ShapeNet-part: the segmentation column of the DEPLM paper, train_segmentation.py.

`bash run_seg.sh --help` lists rows and constants.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from deplm.data import seg_shapenet as shapenet_part
from deplm.data.seg_categories import PARTS
from deplm.data.seg_clouds import PartData
from deplm.network import SHAPENET_PART, PointNetwork, SetAbstraction
from deplm.probe import seconds_a_cloud
from deplm.segmentation import PartEncoder, PartNetwork
from deplm.tables.common import (
    PAPER,
    DeplmConfig,
    abstractions,
    epochs_note,
    note_of,
    products_of,
    real_samples,
    recipe,
    with_effects,
)
from deplm.tables.gradient import (
    PAPER_RECIPE,
    PUBLISHED_RECIPE,
    PUBLISHED_TWIN,
    TRAINED_TWIN,
    GradientRow,
    measure_trained,
)
from deplm.tables.rivals import MonomialEncoder, Monomials
from deplm.tables.seg_figures import draw_figures
from deplm.tables.seg_ridge import PartRow, measure_ridge
from deplm.training.seg_scores import METRICS
from deplm.training.segmenter import PartSegmenter, part_scores
from harness.errors import UserError
from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import Measurement, Metric, Row, Run, Table

PUBLISHED_EPOCHS = 101


@dataclass(frozen=True)
class SegConfig(DeplmConfig):
    """Constants of the ShapeNet-part table; edit them here or with --set name=value."""

    input_bits: int = constant(
        5,
        "bits of the bit-serial input in the row with chip effects (the published script parses "
        "such a number and never uses it)",
        low=1,
        high=16,
    )
    calibration_clouds: int = constant(
        256, "training shapes whose statistics normalise the frozen layers", low=1, smoke=16
    )
    num_feat1: int = constant(
        375, "channels of SA1 and of FP2, FP1 before pruning (published script, feat1)", low=1
    )
    num_feat: int = constant(750, "channels of SA3 before pruning (published script)", low=1)
    c_prune_rate: float = constant(
        3.2, "all channels are divided by it, rounded down (published script)", low=0.1
    )
    r0: float = constant(0.1, "radius of SA1, in coordinate units (published script)", low=0)
    r1: float = constant(0.3, "radius of SA2, in coordinate units (published script)", low=0)
    epochs: int = constant(
        101, "of the rows trained by gradient (published script)", low=1, smoke=1
    )
    batch_size: int = constant(256, "shapes a step (published script)", low=2, smoke=16)
    learning_rate: float = constant(
        0.02, "of Adam, at the start (published script)", low=0, high=100
    )
    step_epochs: int = constant(
        28, "epochs between steps of learning rate and norm momentum (published script)", low=1
    )
    step_factor: float = constant(0.5, "of the learning rate, a step (published script)", low=0)
    steps_early: int = constant(0, "1: steps come an epoch early", low=0, high=1)
    lowest_rate: float = constant(
        1e-5, "the rate falls no lower (published script)", low=0, high=100
    )
    norm_factor: float = constant(0.5, "of norm_momentum, a step (published script)", low=0, high=1)
    dropout: float = constant(0.0, "largest ratio of points dropped of a shape", low=0, high=1)
    smallest_scale: float = constant(0.8, "smallest factor on a shape (published script)", low=0)
    largest_scale: float = constant(1.25, "largest factor on a shape (published script)", low=0)
    recipe_noise: float = constant(
        0.02,
        "relative read noise on the signed weights in training and test of the frozen rows "
        "trained by gradient and of the published twin (published script)",
        low=0,
        high=1,
    )
    train_limit: int | None = constant(
        None, "train the gradient rows on so many shapes only; none for all", low=16, smoke=16
    )
    points: int = constant(2048, "drawn of a shape (published script)", low=3, smoke=512)
    allow_missing: bool = constant(False, "go on when listed shapes are not there")
    plus_first: int = constant(96, "channels of the first level of DEPLM+", low=1, smoke=16)
    plus_last: int = constant(300, "channels of the last propagation of DEPLM+", low=1, smoke=16)
    plus_fit_points: int | None = constant(
        512, "points of a shape that DEPLM+ is fitted to; none for all", low=1
    )
    degree: int = constant(6, "of the polynomial of coordinates, the rival", low=1, high=8)
    samples: str | None = constant(
        None,
        "folder of real shapes to segment beside a stand-in, in the data folder or a path; none: "
        "the set's own folder",
    )


def network(config: SegConfig) -> PartNetwork:
    """The paper's network: points with their coordinates as features, and back to every point."""
    levels = abstractions(config)
    encoder = PointNetwork(3, levels, config.input_scale)
    first, second = levels[0].channels, levels[1].channels
    return PartNetwork(encoder, propagations=(second, first, first))


def plus_network(config: SegConfig) -> PartNetwork:
    """DEPLM+: with its readout below the 100,006 weights of the paper's network."""
    levels = (
        replace(SHAPENET_PART.abstractions[0], channels=config.plus_first),
        SHAPENET_PART.abstractions[1],
        SetAbstraction(48),
    )
    return PartNetwork(
        PointNetwork(features=3, abstractions=levels),
        propagations=(64, 96, config.plus_last),
        categories=0,
        slope=16.0,
        multiscale=True,
    )


def load(run: Run) -> PartData:
    """The data set of the run.

    Raises:
        UserError: as `shapenet_part.load`, or a list without any shape.
    """
    config = run.config
    shapes = shapenet_part.load(run.data_root, allow_missing=config.allow_missing, tiny=run.smoke)
    if shapes.missing:
        print(f"missing  {shapes.missing} listed shapes are not there, the others are used")
    files = real_samples(run, config.samples, shapenet_part.INFO, shapes.kind)
    samples = shapenet_part.load_files(files) if files else None
    data = PartData.of(shapes, config.points, samples)
    for part in (data.train, data.validation, data.test):
        if not len(part):
            raise UserError(f"no shape of the {part.name} list is there; a table needs some")
    return data


def ridge(run: Run, seed: int) -> Measurement:
    """The paper's network; ridge a category on its frozen features, classes balanced."""
    row = PartRow(PartEncoder, network(run.config), note=_note(run))
    return measure_ridge(run, seed, row)


def chip_effects(run: Run, seed: int) -> Measurement:
    """The row above, every product read with noise and bit-serial inputs."""
    read_config, effects = with_effects(run)
    row = PartRow(PartEncoder, network(run.config), read_config, note=_note(run, effects))
    return measure_ridge(run, seed, row)


def coordinates(run: Run, seed: int) -> Measurement:
    """The ridge row on a polynomial of a point's coordinates: no random layers."""
    row = PartRow(MonomialEncoder, Monomials(run.config.degree), note=_note(run))
    return measure_ridge(run, seed, row)


def deplm_plus(run: Run, seed: int) -> Measurement:
    """DEPLM+; ridge a category, classes balanced."""
    points = run.config.plus_fit_points
    note = _note(run, f"fitted to {points} points of each shape" if points else "")
    row = PartRow(PartEncoder, plus_network(run.config), fit_points=points, note=note)
    return measure_ridge(run, seed, row)


def trained(kind: GradientRow, run: Run, seed: int) -> Measurement:
    """A row trained by gradient, with noise where it has a chip's weights.

    The published ones train on both training lists.
    """
    chip = kind.chip(run, seed)
    noise = 0.0 if chip is None else run.config.recipe_noise
    model = PartSegmenter(
        network(run.config), chip, trained=kind.all_learn, read_noise=noise, device=run.device
    )
    fit, evaluated = kind.sets(run, train_and_validation(run.data))
    how = f"{noise:.1%} read noise on the weights" if noise else ""
    note = _note(run, epochs_note(run, PUBLISHED_EPOCHS, len(fit), "shapes"), how)
    return measure_trained(
        run, seed, model, recipe(run.config, move_features=True), fit, evaluated, part_scores,
        row=kind.name, frozen=not kind.all_learn, redraw=kind.published, note=note,
    )  # fmt: skip


def train_and_validation(data: PartData) -> np.ndarray:
    """Rows of the training and validation lists; shapes of the test list are left out.

    The official lists name 23 shapes in both train and test, and 3 in both validation and test.
    """
    rows = np.union1d(data.train.rows, data.validation.rows)
    return np.setdiff1d(rows, data.test.rows)


def _note(run: Run, *parts: str) -> str:
    missing = run.data.shapes.missing
    return note_of(run, *parts, f"{missing} listed shapes are missing" if missing else "")


def metrics(*, beside_paper: bool, protocol: str = "validation") -> tuple[Metric, ...]:
    """The table's metrics in one protocol, with or without the paper's figures."""
    paper = {"instance mIoU": 66.28, "point accuracy": 83.79} if beside_paper else {}
    return tuple(
        Metric(name, "%", paper.get(name), PAPER if name in paper else None, protocol)
        for name in METRICS
    )


PLAIN = tuple(Metric(f"{name}, plain ridge") for name in METRICS)
RIDGE = metrics(beside_paper=True) + PLAIN
OTHER_RIDGE = metrics(beside_paper=False) + PLAIN
RECIPE = metrics(beside_paper=True) + metrics(beside_paper=True, protocol="published")
TWIN = metrics(beside_paper=False) + metrics(beside_paper=False, protocol="published")

TABLE = Table(
    name="seg",
    title="ShapeNet-part",
    command="run_seg.sh",
    paper_data=shapenet_part.INFO.name,
    config=SegConfig,
    rows=(
        Row("DEPLM, ridge per category, class-balanced", ridge, RIDGE),
        Row("coordinates, ridge per category, class-balanced", coordinates, OTHER_RIDGE, chips=1),
        Row(
            "DEPLM, ridge per category, class-balanced, chip effects",
            chip_effects,
            RIDGE,
            default=False,
        ),
        Row("DEPLM, paper recipe", partial(trained, PAPER_RECIPE), RECIPE, default=False),
        Row("DEPLM, published recipe", partial(trained, PUBLISHED_RECIPE), RECIPE, default=False),
        Row("DEPLM+ (same weight budget), ridge per category", deplm_plus, OTHER_RIDGE),
        Row("fully trained twin", partial(trained, TRAINED_TWIN), TWIN, default=False),
        Row(
            "fully trained twin, as published",
            partial(trained, PUBLISHED_TWIN),
            TWIN,
            default=False,
        ),
    ),
    load=load,
    figures=draw_figures,
    probe=seconds_a_cloud,
    costs=lambda run: products_of(run, network(run.config), PARTS),
    headlines=(
        "DEPLM, ridge per category, class-balanced",
        "DEPLM, published recipe",
        "coordinates, ridge per category, class-balanced",
        "DEPLM+ (same weight budget), ridge per category",
    ),
    next_step="bash run_seg.sh --help, for more rows and the constants to change",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
