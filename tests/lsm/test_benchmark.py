import json

import pytest

from benchmarks import encode_spikes


@pytest.mark.slow
def test_the_benchmark_runs_and_agrees(tmp_path):
    assert encode_spikes.main(["--smoke", "--repeats", "1", "--results", str(tmp_path)]) == 0
    cases = json.loads((tmp_path / "bench_encode_spikes.json").read_text())["cases"]
    assert {case["case"] for case in cases} == set(encode_spikes.CASES)
    assert all(case["agrees"] for case in cases if case["peer"] == "dense torch loop")
