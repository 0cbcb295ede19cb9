"""Imperfections of the chip under the DEPLM tables: Fashion-MNIST, DVS128 Gesture, ShapeNet-part.

`bash run_chip.sh` runs it; the list of studies is `harness.chip.studies`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from deplm.encoder import FrozenEncoder
from deplm.network import Batch, PointNetwork
from deplm.points import CloudSet
from deplm.segmentation import PartEncoder, PartNetwork
from deplm.tables import dvs, image, seg
from deplm.tables.chip_costs import compare, cpu_line
from deplm.tables.seg_readout import Choice, PartReadout, PartStatistics, solve
from deplm.training.seg_scores import score_shapes
from harness.chip.costs import Line
from harness.chip.runner import Subject, SubjectKind, main
from harness.chip.studies import ChipSource, Point, Shapes
from harness.readouts.ridge import RidgeReadout
from harness.run.config import constant
from harness.run.protocol import Run, Table
from harness.scale.parallel import map_in_order
from rram import DEPLM_40NM

PENALTIES = tuple(10.0**e for e in (-4, -3, -2, -1, 0))


@dataclass(frozen=True)
class ImageChipConfig(image.ImageConfig):
    """Constants of the studies on images: fewer of them, so that all studies end soon."""

    study_train: int = constant(3000, "training images of the studies", low=50, smoke=60)
    study_test: int = constant(1000, "test images of the studies", low=20, smoke=30)


@dataclass(frozen=True)
class DvsChipConfig(dvs.DvsConfig):
    """Constants of the studies on gestures."""

    study_train: int = constant(1000, "training windows of the studies", low=50, smoke=50)
    study_test: int = constant(500, "test windows of the studies", low=20, smoke=20)


@dataclass(frozen=True)
class SegChipConfig(seg.SegConfig):
    """Constants of the studies on shapes."""

    study_train: int = constant(128, "training shapes of the studies", low=16, smoke=16)
    study_test: int = constant(96, "test shapes of the studies", low=16, smoke=16)
    study_penalty: float = constant(1e-5, "of the ridge of a category", low=1e-12)


class Fitted(NamedTuple):
    """A network on a chip, normalised there, and its readout."""

    encoder: FrozenEncoder | PartEncoder
    readout: Any


class CloudSubject(Subject):
    """Clouds in a frozen network; sampled and grouped once for all chips and studies."""

    encoder: type = FrozenEncoder

    def __init__(
        self,
        run: Run,
        source: ChipSource,
        train: CloudSet,
        test: CloudSet,
        network: PointNetwork | PartNetwork,
    ) -> None:
        super().__init__(run, source)
        self.network = network
        c = run.config
        self.rows = [even(len(s), n) for s, n in ((train, c.study_train), (test, c.study_test))]
        self.train, self.test = (
            list(map_in_order(lambda part, s=clouds: network.batch(s, part), clouds.in_batches(r)))
            for clouds, r in zip((train, test), self.rows, strict=True)
        )

    def sized(self, factor: float) -> PointNetwork:
        """The network with another number of features."""
        *first, last = self.network.abstractions
        last = replace(last, channels=max(1, round(last.channels * factor)))
        return replace(self.network, abstractions=(*first, last))

    def shapes(self, size: float = 1.0) -> Shapes:
        """Its random layers."""
        return dict(self.sized(size).shapes)

    def on_chip(self, point: Point, seed: int) -> FrozenEncoder | PartEncoder:
        """The network on a point's chip, not yet normalised."""
        chip = point.chip(self.source, seed, self.shapes(point.size))
        return self.encoder(self.sized(point.size), chip, point.read)


class ClassSubject(CloudSubject):
    """Images or gestures: one label a cloud, plain ridge."""

    def __init__(self, run: Run, source: ChipSource, network: PointNetwork) -> None:
        train, test = run.data.train, run.data.test
        super().__init__(run, source, train, test, network)
        self.labels = [s.labels[r] for s, r in zip((train, test), self.rows, strict=True)]

    def fit(self, point: Point, seed: int) -> Fitted:
        """Normalised on the training clouds, and fitted to them."""
        encoder = self.on_chip(point, seed)
        levels, _ = encoder.calibrate(self.train)
        features = torch.cat(levels[-1])[:, 0]
        readout = RidgeReadout(int(self.labels[0].max()) + 1, PENALTIES)
        return Fitted(encoder, readout.fit(features.numpy(), self.labels[0]))

    def score(self, fitted: Fitted, point: Point | None, seed: int) -> float:
        """Accuracy on the test clouds."""
        features = encoded(moved(self, fitted, point, seed), self.test)
        return 100 * float((fitted.readout.predict(features) == self.labels[1]).mean())


class PartSubject(CloudSubject):
    """Shapes: a part a point, ridge of every category."""

    metric = "instance mIoU (%)"
    encoder = PartEncoder

    def __init__(self, run: Run, source: ChipSource) -> None:
        data = run.data
        super().__init__(run, source, data.train, data.test, seg.network(run.config))
        sources = zip((data.train, data.test), self.rows, strict=True)
        self.labels = [np.concatenate([s.labels(r[i : i + 1]) for i in range(len(r))])
                       for s, r in sources]  # fmt: skip
        self.kinds = data.test.categories[self.rows[1]]
        self.sizes = _sizes(self, "shapes")

    def sized(self, factor: float) -> PartNetwork:
        """The network with another number of features a point."""
        *first, last = self.network.propagations
        return replace(self.network, propagations=(*first, max(1, round(last * factor))))

    def fit(self, point: Point, seed: int) -> Fitted:
        """Normalised on the training shapes, and fitted to their points."""
        encoder = self.on_chip(point, seed)
        encoder.calibrate(self.train)
        statistics, first = PartStatistics(), 0
        for features in map_in_order(encoder, self.train):
            labels = torch.from_numpy(self.labels[0][first : first + len(features)])
            statistics.add(PartStatistics.of(features.flatten(0, 1), labels.flatten()))
            first += len(features)
        return Fitted(encoder, solve(statistics, [Choice(self.run.config.study_penalty, 0.25)])[0])

    def score(self, fitted: Fitted, point: Point | None, seed: int) -> float:
        """Mean over test shapes of their intersection over union."""
        encoder, readout = moved(self, fitted, point, seed), fitted.readout
        return 100 * float(np.mean(np.concatenate(list(self._ious(encoder, readout)))))

    def _ious(self, encoder: PartEncoder, readout: PartReadout) -> Iterable[np.ndarray]:
        first = 0
        for features in map_in_order(encoder, self.test):
            some = slice(first, first + len(features))
            kinds = self.kinds[some]
            parts = readout.predict(features.numpy(), kinds)
            yield score_shapes(self.labels[1][some], parts, kinds).iou
            first = some.stop


def moved(subject: CloudSubject, fitted: Fitted, point: Point | None, seed: int) -> Any:  # noqa: ANN401
    """A fitted network with its statistics on another point's chip; None: on its own."""
    if point is None:
        return fitted.encoder
    encoder = subject.on_chip(point, seed)
    for theirs, layer in zip(layers(fitted.encoder), layers(encoder), strict=True):
        layer.norm = theirs.norm
    return encoder


def layers(encoder: FrozenEncoder | PartEncoder) -> list:
    """All layers of an encoder, from the first to the last."""
    if isinstance(encoder, PartEncoder):
        return [*encoder.encoder.layers, *encoder.propagations]
    return encoder.layers


def encoded(encoder: FrozenEncoder, batches: list[Batch]) -> np.ndarray:
    """Features of all clouds of the batches."""
    return torch.cat(list(map_in_order(encoder, batches))).numpy()


def even(count: int, wanted: int) -> np.ndarray:
    """At most `wanted` of `count` rows, spread evenly: as many of each class or category."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(int))


def images(run: Run, source: ChipSource) -> Subject:
    """Fashion-MNIST, or images of one's own."""
    subject = ClassSubject(run, source, image.network(run.config))
    subject.sizes = _sizes(subject, "images")
    return subject


def gestures(run: Run, source: ChipSource) -> Subject:
    """Windows of gestures."""
    subject = ClassSubject(run, source, dvs.network(run.config))
    subject.sizes = _sizes(subject, "windows")
    return subject


def _sizes(subject: CloudSubject, what: str) -> str:
    train, test = (len(rows) for rows in subject.rows)
    return f"{train:,} {what} to fit, {test:,} to test"


def costs(table: Table) -> Callable[[Run], list[Line]]:
    """Its lines beside the published figures, and the time that this machine takes."""

    def lines(run: Run) -> list[Line]:
        products = table.costs(run)
        if table is not seg.TABLE:
            network = {"image": image, "dvs": dvs}[table.name].network(run.config)
            print(cpu_line(run, network), flush=True)
        return compare(table.title, products)

    return lines


def kind_of(table: Table, config: type, make: Callable[[Run, ChipSource], Subject]) -> SubjectKind:
    """A table with the constants of its studies."""
    return SubjectKind(DEPLM_40NM, replace(table, config=config), make, costs(table))


KINDS = {
    "image": kind_of(image.TABLE, ImageChipConfig, images),
    "dvs": kind_of(dvs.TABLE, DvsChipConfig, gestures),
    "seg": kind_of(seg.TABLE, SegChipConfig, PartSubject),
}

if __name__ == "__main__":
    raise SystemExit(main("deplm", KINDS))
