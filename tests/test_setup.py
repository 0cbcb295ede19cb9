"""setup.sh: an interrupted first set-up is made over, and a checkout runs its own code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILDER = """
import pathlib, zipfile

def build_editable(folder, *_):
    name = "toy_of_setup-0.1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("toy_of_setup.pth", str(pathlib.Path.cwd()))
        info = "toy_of_setup-0.1.dist-info/"
        about = "Metadata-Version: 2.1\\nName: toy-of-setup\\nVersion: 0.1\\n"
        wheel.writestr(info + "METADATA", about)
        about = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "WHEEL", about)
        wheel.writestr(info + "RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "builder"
backend-path = ["."]

[project]
name = "toy-of-setup"
version = "0.1"
"""


def checkout(folder):
    """A tiny project with our setup.sh, which installs without a network."""
    folder.mkdir()
    shutil.copy(ROOT / "setup.sh", folder)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "builder.py").write_text(BUILDER)
    (folder / "where.py").write_text(f"print({folder.name!r})\n")
    (folder / "run.sh").write_text(
        'source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"\nexec "$PYTHON" -m where\n'
    )
    return folder


def start(folder, cwd=None, **environment):
    """run.sh of a checkout under way, in a process group of its own."""
    unset = {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONSAFEPATH"}
    usual = {name: value for name, value in os.environ.items() if name not in unset}
    usual |= {"PYTHON": sys.executable, "PIP_NO_INDEX": "1"} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = ["bash", folder / "run.sh"]
    return subprocess.Popen(command, env=usual, cwd=cwd or folder, start_new_session=True, **pipes)


def run(folder, cwd=None, **environment):
    process = start(folder, cwd, **environment)
    out, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def made(folder):
    """A bare environment without pip, as an interrupted set-up leaves it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)


def test_a_checkout_runs_its_own_code_in_a_shared_environment(tmp_path):
    shared = tmp_path / "shared"
    made(shared)
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "other")
    stamp = shared / "random-resistive-memory.stamp"
    for folder in (one, other):  # as if both had been installed, the other last
        size = subprocess.run(["cksum"], input=PROJECT, capture_output=True, text=True).stdout
        with stamp.open("a") as file:
            file.write(f"{folder}  {size.strip()}\n")
    (next((shared / "lib").glob("python*")) / "site-packages" / "x.pth").write_text(str(other))
    path = f"{shared / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for folder, cwd in ((one, other), (other, one), (one, tmp_path)):
        found = run(folder, cwd, VIRTUAL_ENV=str(shared), PATH=path)
        assert found.stdout == f"{folder.name}\n", found.stderr


@pytest.mark.slow
def test_an_interrupted_first_set_up_recovers(tmp_path):
    folder = checkout(tmp_path / "one")
    made(folder / ".venv")
    found = run(folder)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.endswith("one\n")
    assert run(folder).stdout == "one\n"
