"""Checkpoints: a killed training goes on to the same digits, or says why it cannot."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.errors import UserError
from harness.run.checkpoint import Checkpoint, Progress
from harness.run.chips import ChipConfig
from harness.run.protocol import DataRecord, Run


def model_and_optimiser(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    return model, torch.optim.Adam(model.parameters(), lr=0.1)


def steps(model, optimiser, first, last):
    for epoch in range(first, last):
        x = torch.tensor(np.random.default_rng(epoch).normal(size=(5, 3)), dtype=torch.float32)
        optimiser.zero_grad()
        model(x).square().sum().backward()
        optimiser.step()


def saved(path, key=None):
    model, optimiser = model_and_optimiser()
    steps(model, optimiser, 0, 3)
    checkpoint = Checkpoint(path, key or {"rate": 0.1, "seed": 0})
    checkpoint.save(
        Progress(3, 1.5, {"validation": [], "test": [{"accuracy": 50.0}]}), model, optimiser
    )
    return checkpoint


def test_a_killed_training_goes_on_to_the_same_digits(tmp_path):
    whole = model_and_optimiser()
    steps(*whole, 0, 6)
    saved(tmp_path / "a.npz")
    resumed = model_and_optimiser(seed=1)  # whatever it was before
    progress = Checkpoint(tmp_path / "a.npz", {"seed": 0, "rate": 0.1}).load(*resumed)
    assert progress == Progress(3, 1.5, {"validation": [], "test": [{"accuracy": 50.0}]})
    steps(*resumed, progress.epoch, 6)
    assert torch.equal(whole[0].weight, resumed[0].weight)
    assert torch.equal(whole[0].bias, resumed[0].bias)


def test_without_a_file_nothing_changes(tmp_path):
    model, optimiser = model_and_optimiser()
    before = model.weight.clone()
    assert Checkpoint(tmp_path / "none.npz", {}).load(model, optimiser) == Progress()
    assert torch.equal(model.weight, before)


def test_another_configuration_is_named(tmp_path):
    saved(tmp_path / "a.npz")
    other = Checkpoint(tmp_path / "a.npz", {"rate": 0.2, "seed": 0})
    with pytest.raises(
        UserError, match=r"another configuration \(rate is 0.1 there, 0.2 here\).*--restart"
    ):
        other.load(*model_and_optimiser())


def cut(content):
    return content[: len(content) // 2]


def altered(content):
    place = content.index(b"optimiser/0/exp_avg.npy") + 180
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [cut, altered, lambda content: b"", lambda content: b"text"])
def test_a_damaged_file_is_one_line_and_stays(tmp_path, damage):
    path = tmp_path / "a.npz"
    checkpoint = saved(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="damaged") as error:
        checkpoint.load(*model_and_optimiser())
    assert "\n" not in str(error.value)
    assert path.exists()


def test_an_exchanged_array_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    checkpoint = saved(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["model/weight"] = arrays["model/weight"] + 1
    np.savez(path, **arrays)
    with pytest.raises(UserError, match="altered"):
        checkpoint.load(*model_and_optimiser())


def test_a_checkpoint_of_another_network_is_damaged_too(tmp_path):
    checkpoint = saved(tmp_path / "a.npz")
    model = torch.nn.Linear(4, 2)
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load(model, torch.optim.Adam(model.parameters()))


@dataclass(frozen=True)
class Constants(ChipConfig):
    epochs: int = 3


def run_of(tmp_path, *, restart=False, **constants):
    run = Run(Constants(**constants), [0], "cpu", tmp_path, tmp_path, table="toy", restart=restart)
    run.data = SimpleNamespace(record=DataRecord("Toy", "real", 4, 2, "abc"))
    return run


def test_the_key_of_a_run_names_chip_data_and_recipe(tmp_path):
    checkpoint = run_of(tmp_path).checkpoint("A row, of two", 0, batch_size=8)
    assert checkpoint.path == tmp_path / "checkpoints" / "toy-a-row-of-two-chip0.npz"
    assert checkpoint.key == {
        "seed": 0,
        "data": "abc",
        "sparsity": 0.5,
        "programming_voltage_v": None,
        "conductance_map": None,
        "read_noise": 0.02,
        "batch_size": 8,
    }


def test_a_map_counts_by_its_content(tmp_path):
    keys = []
    for folder, content in (("a", "1,2"), ("b", "1,2"), ("a", "1,3")):
        path = tmp_path / folder / "map.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        keys.append(run_of(tmp_path, conductance_map=str(path)).checkpoint("row", 0).key)
    assert keys[0] == keys[1] != keys[2]
    with pytest.raises(UserError, match=r"none\.csv cannot be read"):
        run_of(tmp_path, conductance_map=str(tmp_path / "none.csv")).checkpoint("row", 0)


def test_restart_removes_the_old_file_and_keeps_the_new_one(tmp_path):
    checkpoint = run_of(tmp_path).checkpoint("row", 0)
    saved(checkpoint.path, checkpoint.key)
    assert run_of(tmp_path).checkpoint("row", 0).load(*model_and_optimiser()).epoch == 3
    run = run_of(tmp_path, restart=True)
    assert run.checkpoint("row", 0).load(*model_and_optimiser()) == Progress()
    saved(checkpoint.path, checkpoint.key)
    assert run.checkpoint("row", 0).load(*model_and_optimiser()).epoch == 3


def test_a_training_that_diverged_is_said_and_not_kept(tmp_path):
    model, optimiser = model_and_optimiser()
    steps(model, optimiser, 0, 1)
    with torch.no_grad():
        model.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match=r"diverged in epoch 7.*lower learning rate"):
        Checkpoint(tmp_path / "a.npz", {}).save(Progress(7), model, optimiser)
    assert list(tmp_path.iterdir()) == []
