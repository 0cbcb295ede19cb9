"""Nothing is read or written outside the folders it belongs in, and no data is ever code."""

import json
import os
import pickle
import site
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("deplm.data.image_fashion_mnist", "deplm.data.seg_shapenet", "lsm.data.nmnist")
OTHERS = (
    "deplm.data.dvs_gesture", "lsm.data.ntidigits", "lsm.data.brain_visual_emnist",
    "lsm.data.brain_visual_handwriting",
)  # fmt: skip
TABLES = ("deplm.tables.image", "lsm.tables.nmnist")
PACKAGES = [sys.prefix, sys.base_prefix, *site.getsitepackages(), ROOT]
SYSTEM = ["/proc", "/sys", "/etc", "/usr", "/lib", "/bin", "/dev"]
PROGRAMS = {"git", "uname", "lscpu"}


def touched(folder, module, *arguments):
    """What a module touches that is run with its own temporary folder, home and data."""
    for name in ("data", "results", "temporary", "home"):
        (folder / name).mkdir(exist_ok=True)
    home, temporary = str(folder / "home"), str(folder / "temporary")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": home, "TMPDIR": temporary}
    report = folder / "report.json"
    command = [sys.executable, "-m", "tests.watch", report, module, *map(str, arguments)]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(report.read_text())


def outside(paths, folders):
    return [path for path in paths if not any(Path(path).is_relative_to(f) for f in folders)]


def check(report, folder):
    ours = [folder / name for name in ("data", "results", "temporary", "home")]
    written = [path for path in report["written"] if "__pycache__" not in Path(path).parts]
    assert not outside(written, [*ours, "/dev/null", folder / "report.json"])
    assert not outside(report["read"], [*ours, *PACKAGES, *SYSTEM])
    assert {Path(name).name for name in report.get("programs", [])} <= PROGRAMS
    assert not report.get("network") and not report.get("unpickled")


def test_loading_touches_its_own_folders_only(tmp_path):
    check(touched(tmp_path, "tests.load_all", tmp_path / "data", *QUICK), tmp_path)


@pytest.mark.slow
def test_loading_all_data_touches_its_own_folders_only(tmp_path):
    check(touched(tmp_path, "tests.load_all", tmp_path / "data", *QUICK, *OTHERS), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_a_table_touches_its_own_folders_only(tmp_path, table):
    folders = ["--data", tmp_path / "data", "--results", tmp_path / "results"]
    check(touched(tmp_path, table, "--smoke", *folders), tmp_path)


class Evil:
    def __reduce__(self):
        return os.system, ("echo escaped",)


NOSY = """
import pickle, socket, subprocess, sys
open("/etc/hostname").close()
open(sys.argv[1] + "/../written", "w").close()
try: socket.create_connection(("127.0.0.1", 9), 0.1)
except OSError: pass
subprocess.run(["true"])
pickle.loads(open(sys.argv[2], "rb").read())
"""


def test_the_watch_sees_what_it_has_to_see(tmp_path):
    evil = tmp_path / "evil.pkl"
    evil.write_bytes(pickle.dumps(Evil()))
    (tmp_path / "nosy.py").write_text(NOSY)
    (tmp_path / "data").mkdir()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-m", "tests.watch", "report.json", "nosy", "data", evil.name]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
    report = json.loads((tmp_path / "report.json").read_text())
    assert str(tmp_path / "written") in report["written"]
    assert "/etc/hostname" in report["read"] and report["network"]
    assert "true" in report["programs"] and any("system" in name for name in report["unpickled"])
    with pytest.raises(AssertionError):
        check(report, tmp_path)


def test_pickled_arrays_in_a_cache_are_never_loaded(tmp_path):
    from harness.data.cache import cached_arrays

    def make():
        return {"a": np.arange(3)}

    cached_arrays(tmp_path, "kept", "1", make)
    evil = np.array([Evil()], dtype=object)
    np.save(tmp_path / "cache" / "kept-1" / "a.npy", evil, allow_pickle=True)
    np.testing.assert_array_equal(cached_arrays(tmp_path, "kept", "1", make)["a"], np.arange(3))
