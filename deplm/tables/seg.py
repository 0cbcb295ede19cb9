"""ShapeNet-part: table of the segmentation column of the DEPLM paper.

`bash run_seg.sh --help` lists rows and constants.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deplm.data import seg_shapenet as shapenet_part
from deplm.data.seg_categories import PARTS
from deplm.data.seg_clouds import PartData
from deplm.network import SHAPENET_PART, PointNetwork, SetAbstraction
from deplm.segmentation import PART_NETWORK, PartEncoder, PartNetwork
from deplm.tables.common import Training, chip_of, measure_trained, together, with_effects
from deplm.tables.seg_readout import choices
from deplm.tables.seg_rows import METRICS, ClosedForm, measure_closed_form
from deplm.tables.seg_table_figures import draw_figures
from deplm.training.augment import Augmentation
from deplm.training.segmentation import SEGMENTATION, PartSegmenter
from harness.chips import ChipConfig
from harness.cli import main
from harness.config import constant
from harness.errors import UserError
from harness.protocol import Measurement, Metric, Row, Run, Table
from rram.crossbar import ReadConfig

PAPER = "DEPLM, Nature Communications 16:960 (2025), on the chip"
PENALTIES = tuple(10.0**e for e in (-9, -8, -7, -6, -5, -4, -3, -2))
MOVED = Augmentation(shift=0.1, scale=(0.8, 1.25), move_features=True)
TRAINING = Training(
    PART_NETWORK, PARTS, 101, "shapes", 28, 0.5, MOVED, SEGMENTATION, False, lowest_rate=1e-5
)


@dataclass(frozen=True)
class SegConfig(ChipConfig):
    """Constants of the ShapeNet-part table; edit them here or with --set name=value."""

    input_bits: int = constant(
        5, "bits of the bit-serial input in the row with chip effects (DEPLM, code)", low=1, high=16
    )
    points: int = constant(2048, "points drawn of a shape (DEPLM, code)", low=3, smoke=512)
    calibration_clouds: int = constant(
        256, "training shapes whose statistics normalise the frozen layers", low=1, smoke=16
    )
    allow_missing: bool = constant(False, "go on when listed shapes are not there")
    epochs: int = constant(101, "of the rows trained by gradient (DEPLM, code)", low=1, smoke=1)
    batch_size: int = constant(256, "of the same rows (DEPLM, code)", low=2, smoke=16)
    learning_rate: float = constant(0.02, "of Adam in the same rows (DEPLM, code)", low=0)
    train_limit: int | None = constant(
        None, "train the gradient rows on so many shapes only; none for all", low=16, smoke=16
    )
    plus_first: int = constant(96, "channels of the first level of DEPLM+", low=1, smoke=16)
    plus_last: int = constant(300, "channels of the last propagation of DEPLM+", low=1, smoke=16)
    plus_fit_points: int | None = constant(
        512, "points of a shape that DEPLM+ is fitted to; none for all", low=1
    )
    samples: str | None = constant(
        None, "folder of real shapes to segment beside a stand-in; none: the set's own folder"
    )


def plus_network(config: SegConfig) -> PartNetwork:
    """DEPLM+: with its readout below the 100,006 weights of the paper's network."""
    abstractions = (
        replace(SHAPENET_PART.abstractions[0], channels=config.plus_first),
        SHAPENET_PART.abstractions[1],
        SetAbstraction(48),
    )
    return PartNetwork(
        PointNetwork(features=3, abstractions=abstractions),
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
    data = PartData.of(shapes, config.points, _samples(run, shapes.kind))
    for part in (data.train, data.validation, data.test):
        if not len(part):
            raise UserError(f"no shape of the {part.name} list is there; a table needs some")
    return data


def _samples(run: Run, kind: str) -> shapenet_part.PartShapes | None:
    """Single real shapes to look at when the set itself is a stand-in."""
    named = run.config.samples
    folder = Path(named) if named else run.data_root / shapenet_part.INFO.folder
    files = sorted(folder.glob("*/*.txt"))
    if named and not files:
        raise UserError(f"samples {folder}: no shapes (<folder>/<id>.txt) there")
    return shapenet_part.load_files(files) if files and kind != "real" else None


def closed_form_readout(run: Run, seed: int) -> Measurement:
    """The paper's network with a closed-form readout of every point of every shape."""
    return _closed_form(run, seed, PART_NETWORK, ReadConfig())


def chip_effects(run: Run, seed: int) -> Measurement:
    """The closed-form row, every product read with noise and bit-serial inputs."""
    reading, effects = with_effects(run)
    return _closed_form(run, seed, PART_NETWORK, reading, note=effects)


def deplm_plus(run: Run, seed: int) -> Measurement:
    """DEPLM+ with the closed-form readout."""
    points = run.config.plus_fit_points
    note = f"fitted to {points} points of each shape" if points else ""
    return _closed_form(run, seed, plus_network(run.config), ReadConfig(), points, note)


def _closed_form(
    run: Run,
    seed: int,
    network: PartNetwork,
    reading: ReadConfig,
    fit_points: int | None = None,
    note: str = "",
) -> Measurement:
    seeds = together(run, seed)

    def make() -> dict[int, Measurement]:
        encoders = [PartEncoder(network, chip_of(run, s), reading, run.device) for s in seeds]
        task = ClosedForm(network, encoders, choices(PENALTIES), fit_points)
        measured = measure_closed_form(
            task,
            run.data,
            run.config.calibration_clouds,
            device=run.device,
            examples=seeds[0] == 0,
            note=note_of(run, note),
        )
        return dict(zip(seeds, measured, strict=True))

    return run.cached((network, reading, seeds[0]), make)[seed]


def paper_recipe(run: Run, seed: int) -> Measurement:
    """The published training: random weights frozen, all else trained."""
    return _trained(
        run, seed, PartSegmenter(PART_NETWORK, chip_of(run, seed), run.device), "paper recipe"
    )


def trained_twin(run: Run, seed: int) -> Measurement:
    """The paper's network with all its weights trained."""
    return _trained(run, seed, PartSegmenter(PART_NETWORK, None, run.device), "trained twin")


def _trained(run: Run, seed: int, model: PartSegmenter, row: str) -> Measurement:
    data = run.data
    # Evenly over the categories: the shapes of one stand together.
    count = min(run.config.train_limit or len(data.train), len(data.train))
    rows = data.train.rows[np.linspace(0, len(data.train) - 1, count).astype(int)]
    source, evaluated = (
        replace(data.train, rows=rows),
        {"validation": data.validation, "test": data.test},
    )
    found = measure_trained(
        run, seed, model, TRAINING, source, evaluated, row=row, frozen=model.frozen
    )
    return replace(found, note=note_of(run, found.note))


def note_of(run: Run, *parts: str) -> str:
    """What a reader of a row has to know, of it and of the data."""
    missing = run.data.shapes.missing
    parts += (f"{missing} listed shapes are missing",) if missing else ()
    if run.data.record.kind != "real":
        parts += ("the stand-in's difficulty was set once, by looking at accuracy on it",)
    return "; ".join(filter(None, parts))


def metrics(published: bool, protocol: str = "validation") -> tuple[Metric, ...]:
    """The table's metrics; `published` ones stand beside the paper's."""
    paper = {"instance mIoU": 66.28, "point accuracy": 83.79} if published else {}
    return tuple(
        Metric(name, "%", paper.get(name), PAPER if name in paper else None, protocol)
        for name in METRICS
    )


PLAIN = tuple(Metric(f"{name}, plain ridge") for name in METRICS)
BOTH = metrics(published=True) + metrics(published=True, protocol="published")

TABLE = Table(
    name="seg",
    title="ShapeNet-part",
    command="run_seg.sh",
    paper_data=shapenet_part.INFO.name,
    config=SegConfig,
    rows=(
        Row("DEPLM, closed-form readout", closed_form_readout, metrics(published=True) + PLAIN),
        Row("DEPLM, chip effects", chip_effects, metrics(published=True) + PLAIN, default=False),
        Row("DEPLM, paper recipe", paper_recipe, BOTH, default=False),
        Row("DEPLM+, same weight budget", deplm_plus, metrics(published=False) + PLAIN),
        Row(
            "fully trained twin",
            trained_twin,
            metrics(published=False) + metrics(published=False, protocol="published"),
            default=False,
        ),
    ),
    load=load,
    figures=draw_figures,
    next_step="bash run_seg.sh --help, for more rows and the constants to change",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
