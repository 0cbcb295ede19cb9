"""Scripts that are killed, run beside each other, or find the disk full: nothing is lost or wrong.

    python -m tests.kills [--trials kills "runs at once" "full disk" set-up] [--tables image]
                          [--moments 10] [--write]

Every script runs with --smoke in folders of its own, first left alone: its figures are what every
other run has to give. `--write` keeps the counts for docs/robustness.md.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.test_setup import checkout as toy_checkout
from tests.test_setup import run as run_toy
from tests.test_setup import start as start_toy
from tests.tried import keep

ROOT = Path(__file__).resolve().parent.parent
TABLES = {
    "image": "deplm", "dvs": "deplm", "seg": "deplm", "nmnist": "lsm", "ntidigits": "lsm",
    "audio_visual": "lsm", "brain_visual": "lsm",
}  # fmt: skip
LIMITS_KB = (0, 1, 8, 64)  # sizes of files that the system allows in turn
SMALL = "2m"  # size of the file system that fills up
LONGEST_S = 900
SET_UP = "set-up"
SEED = 15
INTERRUPTED = (130, -signal.SIGINT)  # the latter before Python has begun


@dataclass(frozen=True)
class Ended:
    """How a run ended: status (None where it was killed), its errors, seconds."""

    status: int | None
    errors: str
    seconds: float

    @property
    def fault(self) -> str:
        """What no user should see, or ""."""
        lines = [line for line in self.errors.splitlines() if line.startswith("error:")]
        if "Traceback" in self.errors:
            return f"traceback: {self.errors.splitlines()[-1]}"
        if self.status not in (0, None, 2, *INTERRUPTED):
            return f"status {self.status}: {self.errors[-200:]}"
        if self.status == 2 and len(lines) != 1:
            return f"{len(lines)} lines of error"
        return ""


class Script:
    """One table's script, its folders, and the figures it gives when it is left alone."""

    def __init__(self, table: str, folder: Path) -> None:
        self.table = table
        self.data, self.results = folder / "data", folder / "results"
        self.afresh()
        whole = self.run()
        if whole.status != 0:
            raise SystemExit(f"{table}, left alone: {whole.errors[-500:]}")
        self.seconds, self.wanted = whole.seconds, self.figures()
        self.rows = list(dict.fromkeys(row for row, _ in self.wanted))

    def afresh(self) -> None:
        """Empty folders."""
        for folder in (self.data, self.results):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def start(self, *arguments: str, limit_kb: int | None = None) -> subprocess.Popen:
        """The script under way, in a process group of its own."""
        module = f"{TABLES[self.table]}.tables.{self.table}"
        command = [sys.executable, "-m", "harness.launch", module, "--smoke", "--device", "cpu"]
        command += ["--data", str(self.data), "--results", str(self.results), *arguments]
        if limit_kb is not None:
            command = ["bash", "-c", f'ulimit -f {limit_kb}; exec "$@"', "-", *command]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=environment, start_new_session=True, **pipes)

    def run(self, *arguments: str, limit_kb: int | None = None) -> Ended:
        """The script from its start to its end."""
        began = time.monotonic()
        process = self.start(*arguments, limit_kb=limit_kb)
        errors = process.communicate(timeout=LONGEST_S)[1]
        return Ended(process.returncode, errors, time.monotonic() - began)

    def killed(self, after_s: float, how: signal.Signals) -> Ended:
        """The script, ended by a signal unless it comes to its end before."""
        began = time.monotonic()
        process = self.start()
        try:
            errors = process.communicate(timeout=after_s)[1]
            return Ended(process.returncode, errors, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, how)
        errors = process.communicate(timeout=60)[1]
        status = None if how == signal.SIGKILL else process.returncode
        return Ended(status, errors, time.monotonic() - began)

    def figures(self) -> dict[tuple[str, str], list[float]]:
        """(row, metric) -> its values, of the results file."""
        path = self.results / f"{self.table}.json"
        rows = json.loads(path.read_text())["rows"] if path.exists() else []
        timed = {"s", "ms"}
        return {(r["row"], f"{r['metric']} {r['protocol']}"): r["values"] for r in rows
                if r["unit"] not in timed}  # fmt: skip

    def left_over(self) -> list[str]:
        """Names of temporary files, journals and checkpoints that are still there."""
        found = [p for folder in (self.data, self.results) for p in folder.rglob("*")]
        parts = ("checkpoints", f"{self.table}.partial.jsonl")
        return [p.name for p in found if p.name.startswith(".") or
                (p.is_file() and parts[0] in p.parts) or p.name == parts[1]]  # fmt: skip


def try_kills(script: Script, moments: int, rng: random.Random) -> list:
    """Kill it again and again; each time that it comes to its end, look at what it gave."""
    right = left = wrong = killed = 0
    script.afresh()
    while killed < moments:
        how = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT])
        ended = script.killed(rng.uniform(0.02, 1.0) * script.seconds, how)
        if ended.status == 0:
            script.afresh()
            continue
        killed += 1
        if ended.fault or (how == signal.SIGINT and ended.status not in INTERRUPTED):
            wrong += 1
            say(script.table, how.name, ended.fault or f"status {ended.status}")
        if killed % 3 == 0 or killed == moments:
            whole = script.run()
            same = whole.status == 0 and script.figures() == script.wanted
            right += same
            if not same:
                wrong += 1
                say(script.table, "after a kill", whole.errors[-300:] or "other figures")
            if names := script.left_over():
                left += len(names)
                say(script.table, "left over", ", ".join(names[:5]))
            script.afresh()
    return [script.table, killed, right, left, wrong]


def try_at_once(script: Script) -> list:
    """Two runs, then three, of other rows each, on new folders."""
    right = wrong = 0
    for count in (2, 3):
        script.afresh()
        shares = [script.rows[n::count] for n in range(count)]
        running = [script.start("--rows", ";".join(rows)) for rows in shares if rows]
        ends = [
            (process.communicate(timeout=LONGEST_S)[1], process.returncode) for process in running
        ]
        same = script.figures() == script.wanted and not any(status for _, status in ends)
        if same and not script.left_over():
            right += 1
        else:
            wrong += 1
            lost = sorted(set(script.wanted) ^ set(script.figures()))[:3]
            said = "; ".join(errors[-200:] for errors, status in ends if status)
            say(script.table, f"{count} at once", said or f"{lost}, left over {script.left_over()}")
    return [script.table, right + wrong, right, wrong]


def try_full_disk(script: Script) -> list:
    """Files that may not grow, then data and results on a small file system; then room again."""
    right = wrong = 0
    for where in (*LIMITS_KB, "data", "results"):
        script.afresh()
        with _small(getattr(script, where)) if isinstance(where, str) else contextlib.nullcontext():
            limit = where if isinstance(where, int) else None
            full = script.run(limit_kb=limit)
        if isinstance(where, str):
            script.afresh()  # the small file system is gone with what was on it
        whole = script.run()
        if not full.fault and whole.status == 0 and script.figures() == script.wanted:
            right += 1
        else:
            wrong += 1
            say(script.table, f"full disk, {where}", full.fault or whole.errors[-200:] or "figures")
    return [script.table, right + wrong, right, wrong]


def try_set_up(moments: int, rng: random.Random) -> list:
    """Kill the set-up of a fresh checkout at random moments; set up again, it has to work."""
    right = wrong = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as parent:
        began = time.monotonic()
        run_toy(toy_checkout(Path(parent) / "whole"))
        seconds = time.monotonic() - began
        for number in range(moments):
            folder = toy_checkout(Path(parent) / f"killed{number}")
            process = start_toy(folder)
            time.sleep(rng.uniform(0.05, 0.95) * seconds)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            again = run_toy(folder)
            if again.stdout.endswith(f"{folder.name}\n"):
                right += 1
            else:
                wrong += 1
                say("set-up", "after a kill", again.stdout + again.stderr)
            shutil.rmtree(folder)
    return ["set-up of a small package", moments, right, 0, wrong]


@contextlib.contextmanager
def _small(folder: Path) -> Iterator[None]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)], check=False
    )
    try:
        yield
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)


def say(table: str, what: str, said: str) -> None:
    """Print what went wrong."""
    print(f"    {table}, {what}: {' '.join(said.split())[:300]}", flush=True)


def main() -> int:
    """Run the trials asked for; the exit status says whether something went wrong."""
    options = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    trials = {
        "kills": lambda script, rng: try_kills(script, chosen.moments, rng),
        "runs at once": lambda script, _: try_at_once(script),
        "full disk": lambda script, _: try_full_disk(script),
    }
    names = [*trials, SET_UP]
    options.add_argument("--trials", nargs="+", choices=names, default=names)
    options.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    options.add_argument("--moments", type=int, default=10, help="kills a script")
    options.add_argument("--write", action="store_true", help="keep the counts for the docs")
    chosen = options.parse_args()
    failed = 0
    if SET_UP in chosen.trials:
        line = try_set_up(chosen.moments, random.Random(f"{SEED} {SET_UP}"))
        print(f"{SET_UP:<14} {line}", flush=True)
        failed += line[-1]
        if chosen.write:
            keep("kills", [line])
    chosen.trials = [trial for trial in chosen.trials if trial != SET_UP]
    for table in chosen.tables if chosen.trials else ():
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            script = Script(table, Path(folder))
            print(f"{table}: {script.seconds:.0f} s when left alone", flush=True)
            for trial in chosen.trials:
                line = trials[trial](script, random.Random(f"{SEED} {table} {trial}"))
                print(f"{trial:<14} {line}", flush=True)
                failed += line[-1] + (line[-2] if trial == "kills" else 0)
                if chosen.write:
                    keep(trial, [line])
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
