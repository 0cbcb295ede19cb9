"""Fashion-MNIST: the image column of the DEPLM paper, train_classification_image.py.

`bash run_image.sh --help` lists rows and constants.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from deplm.data import image_fashion_mnist as fashion_mnist
from deplm.encoder import FrozenEncoder, encode_all
from deplm.network import PointNetwork
from deplm.plus import ImagePlusEncoder, ImagePlusNetwork, Window
from deplm.probe import seconds_a_cloud
from deplm.tables.common import (
    PAPER,
    DeplmConfig,
    Stopwatch,
    abstractions,
    chip_of,
    epochs_note,
    frozen_encoders,
    products_of,
    recipe,
    with_effects,
)
from deplm.tables.gradient import measure_trained
from deplm.tables.image_figures import draw_figures
from deplm.training.classifiers import FrozenClassifier, GradientClassifier
from deplm.training.readout import make_readout
from deplm.training.recipe import CloudModel, accuracy
from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.features import PLAIN_RIDGE, FrozenFeatures, fit_and_measure
from harness.readouts.logistic import LOGISTIC_PENALTIES, LogisticReadout
from harness.readouts.ridge import RIDGE_PENALTIES, RidgeReadout, Rows
from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import SPLIT_SEED, Measurement, Metric, Row, Run, Table, split
from rram.crossbar import ReadConfig

CLASSES = len(fashion_mnist.CLASSES)
PUBLISHED_EPOCHS = 300
CURVE = (100, 1000, 10000)  # training images in the learning curve, beside all of them
WIDE_PENALTIES = (1e-3,)  # of DEPLM+ and ++, chosen on the validation rows of chip 1
PIXEL_PENALTIES = (1e-3, 1e-4)
ITERATIONS = 20  # of L-BFGS on the paper's features: on validation rows as good as 60
PIXEL_ITERATIONS = 60


@dataclass(frozen=True)
class ImageConfig(DeplmConfig):
    """Constants of the Fashion-MNIST table; edit them here or with --set name=value."""

    validation_fraction: float = constant(
        1 / 6, "part of the training set on which choices are made", low=0.001, high=0.9
    )
    sampling_starts: int = constant(
        4, "random starts of the sampling whose scores are added up, beside point 0", low=1
    )
    num_fc: int = constant(
        1, "linear layers of the readout trained by gradient (published script)", low=1, high=3
    )
    plus_channels: int = constant(32, "of each first window of DEPLM+", low=1, smoke=4)
    plus_second: int = constant(96, "second-level channels of DEPLM+", low=1, smoke=4)
    plus_plus_channels: int = constant(64, "of each first window of DEPLM++", low=1, smoke=4)
    plus_plus_second: int = constant(128, "second-level channels of DEPLM++", low=1, smoke=8)
    dataset: str = constant(
        fashion_mnist.INFO.folder,
        "folder of the images in the data folder; for images of one's own",
    )


def load(run: Run) -> fashion_mnist.FashionMnist:
    """The data set of the run."""
    return fashion_mnist.load(run.data_root, run.config.dataset, tiny=run.smoke)


def network(config: ImageConfig) -> PointNetwork:
    """The paper's network: 784 points (intensity, x, y), and the same three as features."""
    return PointNetwork(3, abstractions(config), config.input_scale)


def plus_network(channels: int, second: int, cells: int = 4) -> ImagePlusNetwork:
    """Two windows of `channels` on 7 x 7 cells, and a second level on top, on cells x cells."""
    first = (Window(channels, 1), Window(channels, 2))
    return ImagePlusNetwork((first, (Window(second, 1, slope=20.0),)), cells=(7, cells))


def discriminative_ridge(run: Run, seed: int) -> Measurement:
    """The paper's network; discriminative ridge on its frozen features."""
    return _with_ridge(seed, paper_features(run, seed))


def chip_effects(run: Run, seed: int) -> Measurement:
    """The row above, every product read with noise and bit-serial inputs."""
    read_config, note = with_effects(run)
    encoded = encode(run, FrozenEncoder, network(run.config), [seed], read_config)[seed]
    return dataclasses.replace(_with_ridge(seed, encoded), note=note)


def logistic_regression(run: Run, seed: int) -> Measurement:
    """The paper's network; logistic regression on its frozen features."""
    features = paper_features(run, seed)
    readout = LogisticReadout(CLASSES, LOGISTIC_PENALTIES, ITERATIONS)
    measurement = _with_logistic(seed, readout, features)
    scores = sum(map(readout.scores, [features.test[0], *other_starts(run, seed)]))
    correct = scores.argmax(1) == features.test[1]
    starts = f"accuracy, {run.config.sampling_starts} sampling starts"
    measurement.values[starts] = 100 * float(correct.mean())
    return measurement


def pixels(run: Run, seed: int) -> Measurement:
    """Logistic regression on the raw pixels: what the random layers have to beat."""
    images = [s.images.reshape(len(s), -1) / np.float32(255) for s in (ordered(run), run.data.test)]
    readout = LogisticReadout(CLASSES, PIXEL_PENALTIES, PIXEL_ITERATIONS)
    return _with_logistic(seed, readout, features_of(run, *images))


def deplm_plus(run: Run, seed: int) -> Measurement:
    """DEPLM+: with its readout below the 100,000 weights of the paper's network."""
    plus = plus_network(run.config.plus_channels, run.config.plus_second)
    encoded = encode(run, ImagePlusEncoder, plus, [seed])[seed]
    return _with_ridge(seed, encoded, WIDE_PENALTIES, 8)


def deplm_plus_plus(run: Run, seed: int) -> Measurement:
    """DEPLM++: almost twice the features; the Gram matrix, not the budget, bounds it."""
    plus = plus_network(run.config.plus_plus_channels, run.config.plus_plus_second)
    encoded = encode(run, ImagePlusEncoder, plus, [seed])[seed]
    return _with_ridge(seed, encoded, WIDE_PENALTIES, 8)


def paper_recipe(run: Run, seed: int) -> Measurement:
    """The published training of the readout, random layers frozen; the epoch is chosen."""
    return _trained(run, seed, _frozen(run, seed), "paper recipe", frozen=True)


def published_recipe(run: Run, seed: int) -> Measurement:
    """The published training on all training images, test images scored after every epoch."""
    model, train = _frozen(run, seed), run.data.train
    return measure_trained(
        run, seed, model, recipe(run.config), train, {"test": run.data.test}, accuracy,
        row="published recipe", frozen=True, note=_note(run, len(train)),
    )  # fmt: skip


def trained_twin(run: Run, seed: int) -> Measurement:
    """The paper's network with all its weights trained, from torch's start."""
    paper = network(run.config)
    model = GradientClassifier(paper, None, _readout(run, paper), device=run.device)
    return _trained(run, seed, model, "trained twin", frozen=False)


def paper_features(run: Run, seed: int) -> FrozenFeatures:
    """Features of the paper's network: sampled and grouped once for several chips and rows."""
    make = partial(encode, run, FrozenEncoder, network(run.config))
    return run.shared("features", seed, make)


def other_starts(run: Run, seed: int) -> list[np.ndarray]:
    """Test features of the paper's network once more, sampled from random first points."""
    paper, starts = network(run.config), range(1, run.config.sampling_starts)

    def make(seeds: list[int]) -> dict[int, list[np.ndarray]]:
        encoders = frozen_encoders(run, FrozenEncoder, paper, seeds, run.data.train)
        options = {"device": run.device, "label": "encode test"}
        by_start = [encode_all(run.data.test, encoders, start_seed=s, **options) for s in starts]
        return {s: [arrays[n] for arrays in by_start] for n, s in enumerate(seeds)}

    return run.shared("other starts", seed, make)


def encode(
    run: Run,
    kind: type,
    paper: PointNetwork | ImagePlusNetwork,
    seeds: list[int],
    read_config: ReadConfig = ReadConfig(),
) -> dict[int, FrozenFeatures]:
    """Features of all images on some chips, encoded together.

    Args:
        run: whose images and chips.
        kind: class of the encoder.
        paper: its network.
        seeds: of the chips.
        read_config: how the arrays are read.
    """
    watch = Stopwatch()
    encoders = frozen_encoders(run, kind, paper, seeds, run.data.train, read_config)
    train, test = (
        encode_all(images, encoders, device=run.device, label=f"encode {images.name}")
        for images in (ordered(run), run.data.test)
    )
    seconds = watch.rest / len(seeds)
    return {
        seed: features_of(run, x, t, seconds, paper.fixed_weights)
        for seed, x, t in zip(seeds, train, test, strict=True)
    }


def features_of(
    run: Run,
    train: np.ndarray,
    test: np.ndarray,
    encode_seconds: float = 0.0,
    fixed_weights: int = 0,
) -> FrozenFeatures:
    """Features of the images of `ordered` and of the test images, with their labels."""
    fitted = len(image_split(run)[0])
    rows = (train, ordered(run).labels), fitted, (test, run.data.test.labels)
    return FrozenFeatures(*rows, CLASSES, encode_seconds, fixed_weights)


def image_split(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training images to fit and of those to choose on."""
    return split(len(run.data.train), run.config.validation_fraction)


def ordered(run: Run) -> fashion_mnist.ImageClouds:
    """Training images, those to fit first and those to choose on last: parts without copies."""
    return run.data.train.part("train", np.concatenate(image_split(run)))


def _with_ridge(
    seed: int,
    features: FrozenFeatures,
    penalties: tuple[float, ...] = RIDGE_PENALTIES,
    steps: int = 32,
) -> Measurement:
    products = np.float64 if min(penalties) < min(WIDE_PENALTIES) else np.float32
    readout = DiscriminativeRidge(CLASSES, penalties, steps, products)
    measurement = fit_and_measure(readout, features)

    def score(training: Rows) -> float:
        ridge = RidgeReadout(CLASSES, penalties, products).partial_fit(*training)
        x, labels = features.validation
        return max((ridge.solve(p).predict(x) == labels).mean() for p in penalties)

    if seed == 0:
        measurement.details["curve"] = _curve(features, readout.validation_score_, score)
    return measurement


def _with_logistic(seed: int, readout: LogisticReadout, features: FrozenFeatures) -> Measurement:
    measurement = fit_and_measure(readout, features)

    def score(training: Rows) -> float:
        alone = LogisticReadout(CLASSES, readout.penalties, readout.iterations)
        return alone.fit_with_validation(training, features.validation).validation_score_

    if seed == 0:
        measurement.details["curve"] = _curve(features, readout.validation_score_, score)
    return measurement


def _curve(
    features: FrozenFeatures, whole: float, score: Callable[[Rows], float]
) -> list[list[float]]:
    """[training images, validation accuracy in %], the penalty chosen anew for each number."""
    x, labels = features.fit
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    subsets = (np.sort(order[:count]) for count in CURVE if count < len(order))
    points = [[len(rows), 100 * float(score((x[rows], labels[rows])))] for rows in subsets]
    return [*points, [len(order), 100 * float(whole)]]


def _trained(run: Run, seed: int, model: CloudModel, row: str, *, frozen: bool) -> Measurement:
    (rows, chosen_on), train = image_split(run), run.data.train
    fit = train.part("train", rows[: run.config.train_limit])
    evaluated = {"validation": train.part("validation", chosen_on), "test": run.data.test}
    return measure_trained(
        run, seed, model, recipe(run.config), fit, evaluated, accuracy,
        row=row, frozen=frozen, note=_note(run, len(fit)),
    )  # fmt: skip


def _frozen(run: Run, seed: int) -> FrozenClassifier:
    paper = network(run.config)
    return FrozenClassifier(paper, chip_of(run, seed), _readout(run, paper), run.device)


def _readout(run: Run, paper: PointNetwork) -> CloudModel:
    return make_readout(paper.width, CLASSES, run.config.num_fc, run.config.c_prune_rate)


def _note(run: Run, images: int) -> str:
    return epochs_note(run, PUBLISHED_EPOCHS, images, "images")


ON_CHIP = Metric(paper=77.20, paper_source=PAPER)
SEVERAL_STARTS = Metric("accuracy, 4 sampling starts", paper=77.20, paper_source=PAPER)
PLAIN = Metric(PLAIN_RIDGE)
BEST_ON_TEST = Metric(protocol="published", paper=77.20, paper_source=PAPER)
PLUS_PLUS = "DEPLM++ (101 thousand weights), discriminative ridge"

TABLE = Table(
    name="image",
    title="Fashion-MNIST",
    command="run_image.sh",
    paper_data=fashion_mnist.INFO.name,
    config=ImageConfig,
    rows=(
        Row(
            "DEPLM, discriminative ridge (re-targeted)",
            discriminative_ridge,
            (ON_CHIP, PLAIN),
        ),
        Row("DEPLM, logistic regression", logistic_regression, (ON_CHIP, SEVERAL_STARTS)),
        Row("pixels, logistic regression", pixels, chips=1),
        Row(
            "DEPLM, discriminative ridge, chip effects",
            chip_effects,
            (ON_CHIP, PLAIN),
            default=False,
        ),
        Row("DEPLM, paper recipe", paper_recipe, (ON_CHIP, BEST_ON_TEST), default=False),
        Row("DEPLM, published recipe", published_recipe, (ON_CHIP, BEST_ON_TEST), default=False),
        Row("DEPLM+ (same weight budget), discriminative ridge", deplm_plus, (Metric(), PLAIN)),
        Row(PLUS_PLUS, deplm_plus_plus, (Metric(), PLAIN)),
        Row(
            "fully trained twin",
            trained_twin,
            (Metric(), Metric(protocol="published")),
            default=False,
        ),
    ),
    load=load,
    test_samples=lambda run: (run.data.test.images, run.data.test.labels),
    figures=draw_figures,
    probe=seconds_a_cloud,
    costs=lambda run: products_of(run, network(run.config), CLASSES),
    headlines=(
        "DEPLM, discriminative ridge (re-targeted)",
        "DEPLM, published recipe",
        "pixels, logistic regression",
        "DEPLM+ (same weight budget), discriminative ridge",
    ),
    next_step="bash run_image.sh --help, for more rows and the constants to change",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
