"""What results say of the code and the machine that made them."""

import subprocess

import pytest

from harness.run import records


def repository(folder):
    folder.mkdir(parents=True)
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def test_a_checkout_says_its_commit_and_whether_its_code_was_changed(tmp_path, monkeypatch):
    top = repository(tmp_path / "checkout")
    monkeypatch.setattr(records, "SOURCE", top)
    clean = records.commit()
    assert len(clean) == 12 and int(clean, 16) >= 0
    (top / "results").mkdir()
    (top / "results" / "a.json").write_text("{}")
    assert records.commit() == clean
    (top / "rram").mkdir()
    (top / "rram" / "chip.py").write_text("")
    assert records.commit() == clean + "+"


def test_a_package_inside_another_repository_says_its_version(tmp_path, monkeypatch):
    inside = repository(tmp_path / "project") / ".venv" / "site-packages"
    inside.mkdir(parents=True)
    monkeypatch.setattr(records, "SOURCE", inside)
    monkeypatch.setattr(records, "version", lambda name: "0.1.0")
    assert records.commit() == "version 0.1.0"


def test_without_git_and_without_a_version_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "SOURCE", tmp_path)
    monkeypatch.setattr(records, "DISTRIBUTION", "not-installed-anywhere")
    monkeypatch.setenv("PATH", "")
    assert records.commit() == "unknown"


@pytest.mark.parametrize(
    ("flags", "width"),
    [("fpu avx2 avx512f", "avx512"), ("fpu avx avx2", "avx2"), ("fpu avx", "unknown")],
)
def test_vector_width_and_processor_come_from_the_system(tmp_path, monkeypatch, flags, width):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: A processor\nflags\t\t: {flags}\n\n" * 2)
    monkeypatch.setattr(records, "CPUINFO", info)
    machine = records.machine("cpu")
    assert (machine["vectors"], machine["processor"]) == (width, "A processor")
    monkeypatch.setattr(records, "CPUINFO", tmp_path / "none")
    assert records.vector_width() == "unknown"
