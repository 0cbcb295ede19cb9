"""The studies of the chip: their list, how they are run, and what is drawn."""

import json
from argparse import Namespace

import numpy as np
import pytest

from harness.chip.figures import draw_allotment, draw_fits, draw_studies
from harness.chip.pages import study_page
from harness.chip.runner import (
    Subject,
    SubjectKind,
    command_of,
    main,
    measure_study,
    parser,
    store,
)
from harness.chip.studies import ChipSource, for_subject, ideal, smaller, studies
from harness.errors import UserError
from harness.run.chips import ChipConfig
from harness.run.protocol import DataRecord
from rram import DEPLM_40NM, Crossbar, Device
from rram.allotment import allot

SHAPES = {"a": (6, 5)}


class Products(Subject):
    """How far products on the chip are from those of the ideal chip, as a score."""

    def shapes(self, size=1.0):
        return SHAPES

    def weights(self, point, seed):
        array = Crossbar(point.chip(self.source, seed, SHAPES).conductances("a", (6, 5)))
        return array.weights.numpy()

    def fit(self, point, seed):
        return self.weights(point, seed)

    def score(self, fitted, point, seed):
        if point is None:
            return 100.0
        return 100 - float(np.abs(fitted - self.weights(point, seed)).mean())


def subject(seeds=(0, 1)):
    record = DataRecord("Toy", "synthetic", 3, 2, "abc")
    data = Namespace(record=record)
    run = Namespace(data=data, seeds=list(seeds), config=ChipConfig())
    return Products(run, ChipSource(DEPLM_40NM, {"sparsity": 0.5}))


def study(name):
    return next(s for s in studies() if s.name == name)


def test_every_point_makes_a_chip_and_most_differ_from_the_ideal_one():
    """The first value of drift and wires, and none stuck, are the ideal chip itself."""
    source = ChipSource(DEPLM_40NM, {"sparsity": 0.5})
    for s in studies():
        for point in s.points:
            worn = point.chip(source, 0, SHAPES).weights("a", (6, 5))
            same = ideal(point).chip(source, 0, SHAPES).weights("a", (6, 5))
            changes = s.name in ("stuck", "wires") and point.value > 0.1
            changes = changes or (s.name == "drift" and point.value > 1e3)
            if s.compared:
                assert np.array_equal(worn, same) != changes or s.name == "stuck"


def test_spikes_have_no_bits_and_maps_are_programmed_already():
    spikes = {s.name: s for s in for_subject(studies(), spikes=True, measured=False)}
    assert not {"input_bits", "adc_bits"} & spikes.keys() and "sparsity" in spikes
    assert all(p.read.input_bits is None for p in spikes["noise"].points)
    measured = {s.name for s in for_subject(studies(), spikes=False, measured=True)}
    assert not {"sparsity", "spread"} & measured and "wires" in measured


def test_a_smoke_run_keeps_the_ends():
    last = study("drift").points[-1].age_s
    small = smaller(study("drift"))
    points = [(p.corrected, p.age_s) for p in small.points]
    assert points == [(False, 1.0), (False, last), (True, last)]
    assert [p.value for p in smaller(study("wires")).points] == [0.0, 5.0]


def test_what_is_measured_is_stored_and_drawn(tmp_path):
    toy, drift = subject(), study("drift")
    points = measure_study(toy, drift, [0, 1], {})
    assert [len(p["in_loop"]) for p in points] == [2] * len(drift.points)
    first, last = points[0]["without"], points[len(points) // 2 - 1]["without"]
    assert first == [100.0, 100.0] and max(last) < 95  # the uncorrected line falls
    table = Namespace(name="toy", title="Toy", package="lsm")
    for name in ("drift", "wires"):
        store(tmp_path / "chip_toy.json", toy, table, study(name), points, 1.0, "bash run_chip.sh")
    content = json.loads((tmp_path / "chip_toy.json").read_text())
    assert set(content["studies"]) == {"drift", "wires"}
    assert draw_studies(tmp_path, "drift").exists()
    assert draw_studies(tmp_path, "noise") is None
    page = study_page(tmp_path)
    assert "| drift | Toy, synthetic: " in page and "| 1 | 100.0 ± 0.0 | 3.156e+08 |" in page


def test_cells_and_fits_are_drawn(tmp_path):
    tiles = allot(SHAPES, (4, 4))
    assert draw_allotment(tiles, tmp_path / "cells.png", (4, 4)).exists()
    volts = tmp_path / "v.csv"
    volts.write_text("\n".join(map(str, np.random.default_rng(0).normal(3.4, 0.1, 50))))
    device = Device.from_measurements(volts)
    assert draw_fits(device, tmp_path / "fits.png").exists()
    with pytest.raises(UserError, match="no measured cells"):
        draw_fits(DEPLM_40NM, tmp_path / "fits.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "0"], "1 chip or more"),
        (["--chip", "a", "b", "c"], "3 maps"),
        (["--chip", "absent.csv"], "absent.csv"),
        (["--cells", "a", "b", "c"], "--cells"),
        (["--cells", "absent.csv"], "absent.csv"),
        (["--set", "nothing=3"], "no table here"),
        (["--studies", "noises"], "known are"),
    ],
)
def test_unfit_options_are_one_line(capsys, tmp_path, arguments, said):
    table = Namespace(config=lambda: Namespace(a=1))
    code = main(
        "toy", {"toy": SubjectKind(DEPLM_40NM, table)}, [*arguments, "--results", str(tmp_path)]
    )
    error = capsys.readouterr().err
    assert code == 2 and said in error and error.count("\n") == 1


def test_the_command_of_a_study_names_what_was_set():
    options = parser({"toy": None}).parse_args(
        ["--tables", "toy", "--seeds", "2", "--set", "sparsity=0.3", "unknown_here=1",
         "--chip", "/there/map.csv", "--reuse"]
    )  # fmt: skip
    toy = Namespace(name="toy", config=ChipConfig)
    assert command_of(toy, options) == (
        "bash run_chip.sh --tables toy --seeds 2 --set sparsity=0.3 --chip map.csv --reuse"
    )
