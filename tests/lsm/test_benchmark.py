import json

import pytest

from benchmarks import encode_spikes, train_spikes


def cases(benchmark, folder):
    assert benchmark.main(["--smoke", "--repeats", "1", "--results", str(folder)]) == 0
    (written,) = folder.glob("bench_*.json")
    found = json.loads(written.read_text())["cases"]
    assert {case["case"] for case in found} == set(benchmark.CASES)
    return found


@pytest.mark.slow
def test_encoding_runs_and_agrees(tmp_path):
    found = cases(encode_spikes, tmp_path)
    assert all(case["agrees"] for case in found if case["peer"].startswith("dense torch"))
    assert sum("noisy_over_clean" in case for case in found) == 2


@pytest.mark.slow
def test_training_runs_and_agrees(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # put back what the benchmark sets
    assert all(case["agrees"] for case in cases(train_spikes, tmp_path))
