"""How programs end: one line, a status, no traceback, whatever stops them."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.errors import UserError, exits_cleanly
from harness.scale import memory
from harness.scale.memory import check_memory, limited_memory

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_S = 300  # on a machine that does other things too


def ended(error, capsys):
    def main():
        raise error

    status = exits_cleanly(main)()
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UserError("two\nlines"), 2, "error: two lines"),
        (KeyboardInterrupt(), 130, "run again to go on"),
        (OSError(36, "File name too long", "x" * 300), 2, "File name too long"),
        (MemoryError("Unable to allocate 745. GiB"), 2, "745. GiB"),
        (
            RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: 4 bytes"),
            2,
            "4 bytes",
        ),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_what_the_user_has_to_act_on_is_one_line(capsys, error, status, words):
    found, text = ended(error, capsys)
    assert found == status and words in text
    assert len(text.splitlines()) == bool(words)


def test_a_fault_of_the_code_keeps_its_traceback(capsys):
    for error in (RuntimeError("shapes differ"), KeyError("x")):
        with pytest.raises(type(error)):
            ended(error, capsys)


def test_more_memory_than_there_is_is_refused_before_it_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 100_000_000)
    monkeypatch.setattr(memory, "CUDA", tmp_path / "none")
    with limited_memory():
        np.zeros(5_000_000)
        with pytest.raises(MemoryError):
            np.zeros(50_000_000)
        with pytest.raises(RuntimeError) as refused:
            torch.zeros(100_000_000)
        assert memory.memory_refused(refused.value)
    np.zeros(50_000_000)
    check_memory(100_000_000, "an array")
    with pytest.raises(UserError, match=r"an array would take 0.2 GB of memory, 0.1 GB are free"):
        check_memory(200_000_000, "an array")


PROGRAM = """
    from harness.errors import UserError, exits_cleanly

    @exits_cleanly
    def main():
        for n in range(20000):
            print("± line", n)
        raise UserError("± as asked")

    raise SystemExit(main())
"""


def python(arguments, **environment):
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *arguments], env=variables, **pipes)


def test_ascii_terminals_and_readers_that_leave(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    run = python([program], LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    out, err = run.communicate(timeout=LONGEST_S)
    assert (run.returncode, err) == (2, "error: ? as asked\n") and out.startswith("? line 0")
    run = python([program])
    run.stdout.readline()
    run.stdout.close()
    assert (run.stderr.read(), run.wait(LONGEST_S)) == ("", 141)
    run.stderr.close()


def test_ctrl_c_while_torch_is_imported_is_one_line(tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text("print('at work', flush=True)\nimport time\ntime.sleep(60)\n")
    run = python(["-m", "harness.launch", "slow"], PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}")
    assert run.stdout.readline() == "at work\n"
    time.sleep(0.05)
    run.send_signal(2)
    assert run.communicate(timeout=LONGEST_S)[1] == "interrupted: nothing was begun\n"
    assert run.returncode == 130
