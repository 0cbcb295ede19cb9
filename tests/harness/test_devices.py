"""Which device `--device auto` takes, in which precision and with how large batches."""

import pytest
import torch

from harness.errors import UserError
from harness.scale import devices


@pytest.fixture
def with_gpu(monkeypatch):
    """As if torch saw a GPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)


def probe_of(**seconds):
    return seconds.__getitem__


def test_without_a_gpu_it_is_the_cpu_and_nothing_is_timed():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert devices.chosen_device("auto", probe_of()) == "cpu"
    with pytest.raises(UserError, match="no CUDA device"):
        devices.chosen_device("cuda")


@pytest.mark.parametrize(("cpu", "gpu", "faster"), [(0.002, 0.001, "cuda"), (0.001, 0.002, "cpu")])
def test_auto_takes_what_was_faster_just_now_and_says_so(with_gpu, capsys, cpu, gpu, faster):
    assert devices.chosen_device("auto", probe_of(cpu=cpu, cuda=gpu)) == faster
    line = capsys.readouterr().out
    assert line == f"device   {faster}: {1000 * cpu:g} ms a sample on cpu, " + (
        f"{1000 * gpu:g} ms a sample on cuda\n"
    )


def test_auto_is_the_cpu_where_nothing_can_be_timed_or_all_must_agree(with_gpu, monkeypatch):
    assert devices.chosen_device("auto", None) == "cpu"
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert devices.chosen_device("auto", probe_of(cpu=2, cuda=1)) == "cpu"
    assert devices.chosen_device("cuda", None) == "cuda"


def test_products_on_a_gpu_are_in_float32(with_gpu):
    """TF32 has 10 bits after the point; a weight of 8191 units has 13."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    devices.chosen_device("cuda")
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("gigabytes", "bytes_a_sample", "samples"),
    [(80, 20_000_000, 1000), (8, 20_000_000, 100), (8, 10**12, 1), (80, 1, devices.LARGEST_BATCH)],
)
def test_a_batch_takes_its_share_of_the_memory(monkeypatch, gigabytes, bytes_a_sample, samples):
    monkeypatch.setattr(devices, "memory_bytes", lambda device: gigabytes * 10**9)
    assert devices.batch_that_fits(bytes_a_sample, "cuda") == samples
