"""The package builds, installs into an empty environment, and runs outside its checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROW = "DEPLM, discriminative ridge (re-targeted)"


@pytest.mark.slow
def test_wheel_and_sdist_run_a_table_elsewhere(tmp_path):
    """Takes minutes, and a network: torch and the other dependencies are installed once more."""
    own = ("PYTHONPATH", "VIRTUAL_ENV", "DATA_ROOT")
    clean = {name: value for name, value in os.environ.items() if name not in own}

    def run(*command, folder=tmp_path):
        done = subprocess.run(
            list(map(str, command)), cwd=folder, env=clean, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    source = tmp_path / "source"  # committed files only, as a fresh clone has them
    run("git", "clone", "--quiet", ROOT, source)
    run(sys.executable, "-m", "venv", "env")
    binaries = tmp_path / "env" / "bin"
    run(binaries / "pip", "install", "--quiet", "build")
    run(binaries / "python", "-m", "build", "--outdir", tmp_path / "dist", source)
    (wheel,), (_,) = ((tmp_path / "dist").glob(kind) for kind in ("*.whl", "*.tar.gz"))
    run(binaries / "pip", "install", "--quiet", wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    said = run(binaries / "rrm", "image", "--smoke", "--rows", ROW, folder=elsewhere)
    assert "results/smoke/image.json" in said
    results = json.loads((elsewhere / "results" / "smoke" / "image.json").read_text())
    (command,) = {row["command"] for row in results["rows"]}
    assert command == f'rrm image --rows "{ROW}" --smoke'
    model = source / "models" / "nmnist_real_lsm.safetensors"
    assert "rrm predict" in run(binaries / "rrm", "--help", folder=elsewhere)
    loaded = f"from lsm import LSMClassifier as L; print(L.load({str(model)!r}).classes_)"
    assert "[0 1 2 3 4 5 6 7 8 9]" in run(binaries / "python", "-c", loaded, folder=elsewhere)
