"""The command `rrm`: one way to every table, data sets, results and saved models."""

import json
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from deplm import DEPLMClassifier, PointNetwork, SetAbstraction
from harness.readouts.ridge import RidgeReadout
from harness.run import records, rrm
from lsm import LSMClassifier

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ONE = RidgeReadout(penalties=(1e-3,))


@pytest.fixture(autouse=True)
def announced(monkeypatch):
    """What `pyproject.toml` announces, whatever version of it was installed."""

    def entry_points(group):
        return [EntryPoint(*entry, group) for entry in PROJECT["entry-points"][group].items()]

    monkeypatch.setattr(rrm, "entry_points", entry_points)


def test_every_table_and_script_is_announced():
    tables = {name: point.load() for name, point in rrm.entries(rrm.TABLES).items()}
    assert all(name == table.name for name, table in tables.items())
    for name, table in tables.items():
        script = (ROOT / table.command).read_text(encoding="utf-8")
        assert f"-m harness.launch harness.run.rrm {name} " in script
    scripts = {*ROOT.glob("run_*.sh"), *ROOT.glob("lsm/run_*.sh")} - {ROOT / "run_chip.sh"}
    assert {ROOT / table.command for table in tables.values()} == scripts
    assert PROJECT["scripts"] == {"rrm": "harness.launch:rrm"}
    for name, point in rrm.entries(rrm.ESTIMATORS).items():
        assert point.load().__name__ == name


def test_help_version_and_unknown_commands(capsys):
    assert rrm.main([]) == 0 and rrm.main(["--version"]) == 0
    said = capsys.readouterr().out
    assert "tables: image, dvs, seg" in said and "rrm predict MODEL FILE" in said
    assert rrm.main(["images"]) == 2
    assert "rrm images: no such command; tables: image" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        rrm.main(["image", "--help"])
    assert ended.value.code == 0 and "DEPLM, logistic regression" in capsys.readouterr().out


def test_the_recorded_command_is_the_one_that_works_there(monkeypatch, tmp_path):
    table = rrm.entries(rrm.TABLES)["nmnist"].load()
    assert records.typed(table) == "bash lsm/run_nmnist.sh"
    monkeypatch.setattr(records, "project_root", lambda: tmp_path)  # installed whole
    assert records.typed(table) == "rrm nmnist"


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.random((40, 10, 10)) + np.linspace(0, 1, 10) * (np.arange(40) % 2)[:, None, None]
    y = np.array(["plain", "bright"])[np.arange(40) % 2]
    network = PointNetwork(3, (SetAbstraction(6, 30, 8, 0.3), SetAbstraction(9, 9, 4, 0.5),
                               SetAbstraction(30)))  # fmt: skip
    model = DEPLMClassifier(network, readout=ONE).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    np.savez(tmp_path / "mine.npz", images=X)
    return model, X


def test_predict_prints_labels_or_writes_them(images, tmp_path, capsys):
    model, X = images
    files = [str(tmp_path / name) for name in ("model.safetensors", "mine.npz")]
    assert rrm.main(["predict", *files]) == 0
    assert capsys.readouterr().out.split() == list(model.predict(X))
    assert rrm.main(["predict", *files, "--out", str(tmp_path / "labels.npy")]) == 0
    assert np.array_equal(np.load(tmp_path / "labels.npy"), model.predict(X))


def test_predict_takes_events(tmp_path, capsys):
    events = np.zeros(600, [("sample", int), ("x", int), ("t", int)])
    events["sample"], events["t"] = np.repeat(np.arange(20), 30), np.tile(np.arange(30), 20)
    events["x"] = np.arange(600) % 4 + 4 * (events["sample"] % 2)
    recordings = [events[events["sample"] == n] for n in range(20)]
    model = LSMClassifier(50, const=0.5, readout=ONE).fit(recordings, np.arange(20) % 2)
    model.save(tmp_path / "liquid")
    np.save(tmp_path / "events.npy", events)
    assert rrm.main(["predict", str(tmp_path / "liquid"), str(tmp_path / "events.npy")]) == 0
    assert capsys.readouterr().out.split() == ["0", "1"] * 10


@pytest.mark.parametrize(
    ("file", "said"),
    [("absent.npy", "no such file, expected .npy"), ("text.npy", "expected arrays of numbers")],
)
def test_files_that_are_no_arrays_are_one_line(file, said, images, tmp_path, capsys):
    (tmp_path / "text.npy").write_text("images")
    model = str(tmp_path / "model.safetensors")
    assert rrm.main(["predict", model, str(tmp_path / file)]) == 2
    assert said in capsys.readouterr().err
    assert rrm.main(["evaluate", model]) == 2
    assert "not of a table here; `rrm predict` takes data of your own" in capsys.readouterr().err


HEADLINES = {
    "fashion_mnist_deplm": ("image", "DEPLM, discriminative ridge (re-targeted)"),
    "fashion_mnist_deplm_plus": ("image", "DEPLM+ (same weight budget), discriminative ridge"),
    "nmnist_real_lsm": ("nmnist_real", "LSM, chip, discriminative ridge"),
}


@pytest.mark.parametrize("name", HEADLINES)
def test_kept_models_are_those_of_committed_rows(name):
    path = ROOT / "models" / f"{name}.safetensors"
    assert path.stat().st_size < 400_000
    _, about = rrm.load_model(path)
    table, row = HEADLINES[name]
    assert (about["table"], about["row"]) == (table, row)
    results = json.loads((ROOT / "results" / f"{table}.json").read_text(encoding="utf-8"))
    (found,) = (r for r in results["rows"] if (r["row"], r["metric"]) == (row, "accuracy"))
    assert about["value"] == pytest.approx(found["values"][about["chip"]], abs=0.005)
    assert about["data_sha256"] == found["data"]["sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fashion_mnist_deplm", "fashion_mnist_deplm_plus"])
def test_kept_models_predict_the_committed_figures(name, capsys):
    assert rrm.main(["evaluate", str(ROOT / "models" / f"{name}.safetensors")]) == 0
    assert "NOT THE SAME" not in capsys.readouterr().out
