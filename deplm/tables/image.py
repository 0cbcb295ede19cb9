"""Fashion-MNIST: table 1 of this package, the image column of the DEPLM paper.

`bash run_image.sh --help` lists rows and constants.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.metrics import confusion_matrix

from deplm.data import image_fashion_mnist as fashion_mnist
from deplm.network import FASHION_MNIST
from deplm.plus import ImagePlusNetwork, Window
from deplm.tables.common import Training, chip_of, measure_trained, with_effects
from deplm.tables.image_features import (
    Features,
    encode_paper,
    grid_features,
    ordered,
    other_starts,
    paper_features,
    parts,
)
from deplm.tables.image_figures import draw_figures
from deplm.training.augment import Augmentation
from deplm.training.recipe import FrozenClassifier, TrainedClassifier
from harness.chips import ChipConfig
from harness.cli import main
from harness.config import constant
from harness.logistic import LOGISTIC_PENALTIES, LogisticReadout
from harness.protocol import SPLIT_SEED, Measurement, Metric, Row, Run, Table
from harness.readout import (
    RIDGE_PENALTIES,
    DiscriminativeRidge,
    Readout,
    RidgeReadout,
    Rows,
)

CLASSES = len(fashion_mnist.CLASSES)
PAPER = "DEPLM, Nature Communications 16:960 (2025), on the chip"
CURVE = (100, 1000, 10000)  # training images in the learning curve, beside all of them
WIDE_PENALTIES = (1e-3,)  # of DEPLM+ and ++, found on the validation rows of chip 1
PIXEL_PENALTIES = (1e-3, 1e-4)
ITERATIONS = 20  # of L-BFGS on the paper's features: on validation rows as good as 60
STARTS = 4  # of the sampling, whose scores are added up; the published code starts at random
SEVERAL_STARTS = f"accuracy, {STARTS} sampling starts"
TRAINING = Training(
    FASHION_MNIST, CLASSES, 300, "images", 20, 0.7, Augmentation(dropout=0.875, shift=0.1)
)


@dataclass(frozen=True)
class ImageConfig(ChipConfig):
    """Constants of the Fashion-MNIST table; edit them here or with --set name=value."""

    input_bits: int = constant(
        6, "bits of the bit-serial input in the row with chip effects (DEPLM, code)", low=1, high=16
    )
    calibration_clouds: int = constant(
        1000, "training images whose statistics normalise the frozen layers", low=1, smoke=64
    )
    validation_fraction: float = constant(
        1 / 6, "part of the training set on which choices are made", low=0.001, high=0.9
    )
    epochs: int = constant(300, "of the rows trained by gradient (DEPLM, code)", low=1, smoke=1)
    batch_size: int = constant(1024, "of the same rows (DEPLM, code)", low=2, smoke=64)
    learning_rate: float = constant(0.005, "of Adam in the same rows (DEPLM, code)", low=0)
    train_limit: int | None = constant(
        None, "train the gradient rows on so many images only; none for all", low=20
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


def plus_network(channels: int, second: int, cells: int = 4) -> ImagePlusNetwork:
    """Two windows of `channels` on 7 x 7 cells, and a second level on top, on cells x cells."""
    first = (Window(channels, 1), Window(channels, 2))
    return ImagePlusNetwork((first, (Window(second, 1, slope=20.0),)), cells=(7, cells))


def linear_on_pixels(run: Run, seed: int) -> Measurement:
    """Logistic regression on the raw pixels: what the random layers have to beat."""
    sets = ordered(run), run.data.test
    pixels = [part.images.reshape(len(part), -1) / np.float32(255) for part in sets]
    return _logistic(run, seed, Features(*pixels, 0.0, 0), PIXEL_PENALTIES, 60)[0]


def logistic_readout(run: Run, seed: int) -> Measurement:
    """The paper's network with logistic regression on its frozen features."""
    features = paper_features(run, seed)
    measurement, readout = _logistic(run, seed, features, LOGISTIC_PENALTIES, ITERATIONS)
    starts = [features.test, *other_starts(run, seed, STARTS - 1)]
    guesses = sum(map(readout.scores, starts)).argmax(1)
    measurement.values[SEVERAL_STARTS] = 100 * float((guesses == run.data.test.labels).mean())
    return measurement


def closed_form_readout(run: Run, seed: int) -> Measurement:
    """The paper's network with a closed-form readout of its frozen features."""
    return _closed_form(run, seed, paper_features(run, seed))


def chip_effects(run: Run, seed: int) -> Measurement:
    """The closed-form row, every product read with noise and bit-serial inputs."""
    reading, note = with_effects(run)
    features = encode_paper(run, [seed], reading)[seed]
    return replace(_closed_form(run, seed, features), note=note)


def deplm_plus(run: Run, seed: int) -> Measurement:
    """DEPLM+: with its readout below the 100,000 weights of the paper's network."""
    network = plus_network(run.config.plus_channels, run.config.plus_second)
    return _closed_form(run, seed, grid_features(run, network, seed), WIDE_PENALTIES, 8)


def deplm_plus_plus(run: Run, seed: int) -> Measurement:
    """DEPLM++: almost twice the features; the Gram matrix, not the budget, bounds it."""
    network = plus_network(run.config.plus_plus_channels, run.config.plus_plus_second)
    return _closed_form(run, seed, grid_features(run, network, seed), WIDE_PENALTIES, 8)


def paper_recipe(run: Run, seed: int) -> Measurement:
    """The published training of the readout, random layers frozen; the epoch is chosen."""
    model = FrozenClassifier(FASHION_MNIST, chip_of(run, seed), CLASSES, run.device)
    return _trained(run, seed, model, "paper recipe", frozen=True)


def published_recipe(run: Run, seed: int) -> Measurement:
    """The published training on all training images, test images looked at after every epoch."""
    model = FrozenClassifier(FASHION_MNIST, chip_of(run, seed), CLASSES, run.device)
    evaluated = {"test": run.data.test}
    return measure_trained(
        run, seed, model, TRAINING, run.data.train, evaluated,
        row="published recipe", frozen=True,
    )  # fmt: skip


def trained_twin(run: Run, seed: int) -> Measurement:
    """The paper's network with all its weights trained."""
    model = TrainedClassifier(FASHION_MNIST, CLASSES, run.device)
    return _trained(run, seed, model, "trained twin", frozen=False)


def _rows(run: Run, features: Features) -> tuple[Rows, Rows]:
    """Features and labels to fit and to choose on."""
    labels, count = ordered(run).labels, len(parts(run)[0])
    x = features.train
    return (x[:count], labels[:count]), (x[count:], labels[count:])


def _closed_form(
    run: Run,
    seed: int,
    features: Features,
    penalties: tuple[float, ...] = RIDGE_PENALTIES,
    steps: int = 32,
) -> Measurement:
    started = time.perf_counter()
    training, validation = _rows(run, features)
    products = np.float64 if min(penalties) < min(WIDE_PENALTIES) else np.float32
    readout = DiscriminativeRidge(CLASSES, penalties, steps, products)
    readout.fit_with_validation(training, validation)
    seconds = time.perf_counter() - started
    measurement = _measurement(run, features, readout, seconds)
    plain = readout.ridge_.predict(features.test) == run.data.test.labels
    measurement.values["accuracy, plain ridge"] = 100 * float(plain.mean())
    if seed == 0:

        def ridge(part: Rows) -> RidgeReadout:
            return RidgeReadout(CLASSES, products=products).partial_fit(*part).solve(chosen)

        chosen = readout.penalty_
        measurement.details["curve"] = _curve(training, validation, readout, ridge)
    return measurement


def _logistic(
    run: Run, seed: int, features: Features, penalties: tuple[float, ...], iterations: int
) -> tuple[Measurement, LogisticReadout]:
    started = time.perf_counter()
    training, validation = _rows(run, features)
    readout = LogisticReadout(CLASSES, penalties, iterations)
    readout.fit_with_validation(training, validation)
    seconds = time.perf_counter() - started
    measurement = _measurement(run, features, readout, seconds)
    if seed == 0:
        alone = LogisticReadout(CLASSES, (readout.penalty_,), iterations)
        measurement.details["curve"] = _curve(
            training, validation, readout, lambda rows: alone.fit(*rows)
        )
    return measurement, readout


def _measurement(
    run: Run, features: Features, readout: Readout, train_seconds: float
) -> Measurement:
    """Look at the test set: once, when all is chosen."""
    labels = run.data.test.labels
    guesses = readout.predict(features.test)
    confusion = confusion_matrix(labels, guesses, labels=np.arange(CLASSES))
    return Measurement(
        values={"accuracy": 100 * float((guesses == labels).mean())},
        fixed_weights=features.fixed_weights,
        trained_weights=features.train.shape[1] * CLASSES,
        train_seconds=train_seconds,
        encode_seconds=features.encode_seconds,
        details={"confusion": confusion.tolist()},
    )


def _curve(
    training: Rows, validation: Rows, readout: Readout, fit: Callable[[Rows], Readout]
) -> list[list[float]]:
    """[training images, validation accuracy in %], the last with all of them by `readout`."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(training[1]))
    points = []
    for count in (n for n in CURVE if n < len(order)):
        part = np.sort(order[:count])
        guesses = fit((training[0][part], training[1][part])).predict(validation[0])
        points.append([count, 100 * float((guesses == validation[1]).mean())])
    return [*points, [len(order), 100 * float(readout.validation_score_)]]


def _trained(run: Run, seed: int, model: torch.nn.Module, row: str, *, frozen: bool) -> Measurement:
    (rows, held), train = parts(run), run.data.train
    fit = train.part("train", rows[: run.config.train_limit])
    evaluated = {"validation": train.part("validation", held), "test": run.data.test}
    return measure_trained(run, seed, model, TRAINING, fit, evaluated, row=row, frozen=frozen)


ON_CHIP = Metric(paper=77.20, paper_source=PAPER)
AGAIN = Metric(SEVERAL_STARTS, paper=77.20, paper_source=PAPER)
PLAIN = Metric("accuracy, plain ridge")
BEST_ON_TEST = Metric(protocol="published", paper=77.20, paper_source=PAPER)

TABLE = Table(
    name="image",
    title="Fashion-MNIST",
    command="run_image.sh",
    paper_data=fashion_mnist.INFO.name,
    config=ImageConfig,
    rows=(
        Row("linear on pixels", linear_on_pixels, chips=1),
        Row("DEPLM, closed-form readout", closed_form_readout, (ON_CHIP, PLAIN)),
        Row("DEPLM, logistic readout", logistic_readout, (ON_CHIP, AGAIN)),
        Row("DEPLM, chip effects", chip_effects, (ON_CHIP, PLAIN), default=False),
        Row("DEPLM, paper recipe", paper_recipe, (ON_CHIP, BEST_ON_TEST), default=False),
        Row(
            "DEPLM, paper recipe, all training images",
            published_recipe,
            (ON_CHIP._replace(name="accuracy"), BEST_ON_TEST),
            default=False,
        ),
        Row("DEPLM+, same weight budget", deplm_plus, (Metric(), PLAIN)),
        Row("DEPLM++, up to one million weights", deplm_plus_plus, (Metric(), PLAIN)),
        Row(
            "fully trained twin",
            trained_twin,
            (Metric(), Metric(protocol="published")),
            default=False,
        ),
    ),
    load=load,
    figures=draw_figures,
    next_step="bash run_image.sh --help, for more rows and the constants to change",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
