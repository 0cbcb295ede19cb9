"""Finished chips of a run under way, so that a rerun need not measure them again."""

import dataclasses
import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from harness.data.files import inside, locked, parsing, read_text, unwritable
from harness.errors import UserError
from harness.run.chips import identity
from harness.run.code_key import code_key
from harness.run.protocol import Measurement, Run

PAPERS = ("deplm", "lsm")
KEPT = "the chips finished before are kept"


class Journal:
    """`results/<table>.partial.jsonl`: one line a finished chip of a row, with its checksum.

    A line counts only when configuration, data and code are those of today. Runs of one table at
    once share the file; the last of them to end removes their lines, so that a later run measures
    afresh. Lines of interrupted runs of other configurations stay, those of other code go.

    Used as a context, within which no other run removes the file.

    Args:
        path: the file.
        run: whose chips it keeps.
    """

    def __init__(self, path: Path, run: Run) -> None:
        self.path = path
        self.code, self.setting = "".join(map(code_key, PAPERS)), _setting(run)
        self.restart = run.restart
        self.checkpoints: set[Path] = set()  # of trainings whose measurements are kept here
        self._done: dict[tuple[str, int], Measurement] = {}

    def __enter__(self) -> Self:
        try:
            with locked(self.path):
                self._file = self.path.open("a", encoding="utf-8")
                if self.restart and _lock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    self._drop()
                _lock(self._file, fcntl.LOCK_SH)
        except OSError as error:
            raise unwritable(self.path, error) from error
        for entry in () if self.restart else self._entries():
            if self._mine(entry):
                self._done[entry["row"], entry["seed"]] = Measurement(**entry["measurement"])
                self.checkpoints |= self._checkpoints_of(entry)
        return self

    def __exit__(self, *_: object) -> None:
        with locked(self.path), self._file:
            alone = _lock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if alone and self.path.exists() and not self.path.stat().st_size:
                self.path.unlink()

    def __len__(self) -> int:
        return len(self._done)

    def get(self, row: str, seed: int) -> Measurement | None:
        """The measurement, if it is finished."""
        return self._done.get((row, seed))

    def add(
        self, row: str, seed: int, measurement: Measurement, checkpoints: Iterable[Path] = ()
    ) -> None:
        """Keep a finished measurement on disk.

        Args:
            row: its name.
            seed: of the chip.
            measurement: what to keep.
            checkpoints: files of the trainings so far, to be removed with this journal.

        Raises:
            UserError: the disk is full or the folder is not writable.
        """
        self.checkpoints |= set(checkpoints)
        names = sorted(str(file.relative_to(self.path.parent)) for file in self.checkpoints)
        entry = {"row": row, "seed": seed, "code": self.code, "setting": self.setting}
        entry |= {"checkpoints": names, "measurement": dataclasses.asdict(measurement)}
        try:
            self._write(entry)
        except OSError as error:
            raise unwritable(self.path, error, KEPT) from error
        self._done[row, seed] = measurement

    def remove(self) -> None:
        """The run ended and its results are written: its lines go, and their checkpoints.

        Where other runs are at work the last one does that.
        """
        with locked(self.path):
            if _lock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._drop()

    def _drop(self) -> None:
        entries = list(self._entries())
        checkpoints = {f for e in entries if self._mine(e) for f in self._checkpoints_of(e)}
        for file in checkpoints | self.checkpoints:
            file.unlink(missing_ok=True)
        others = [e for e in entries if e["code"] == self.code and not self._mine(e)]
        self._file.truncate(0)
        for entry in others:
            self._write(entry)

    def _write(self, entry: dict[str, Any]) -> None:
        # On a line of its own, whatever a kill or a full disk left of the last one.
        self._file.write(f"\n{json.dumps(entry | {'digest': _digest(entry)})}\n")
        self._file.flush()

    def _entries(self) -> Iterator[dict[str, Any]]:
        # A line that a kill cut short, or that was altered, does not count.
        if not self.path.exists():
            return
        for line in read_text(self.path, errors="replace").splitlines():
            try:
                with parsing(self.path, "JSON"):
                    entry = json.loads(line)
                    if entry.pop("digest") == _digest(entry):
                        yield entry
            except UserError:
                continue

    def _mine(self, entry: dict[str, Any]) -> bool:
        return (entry["code"], entry["setting"]) == (self.code, self.setting)

    def _checkpoints_of(self, entry: dict[str, Any]) -> set[Path]:
        return {inside(self.path.parent, name, self.path) for name in entry["checkpoints"]}


def _lock(file: Any, kind: int) -> bool:  # noqa: ANN401
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _digest(entry: dict[str, Any]) -> str:
    plain = json.loads(json.dumps(entry))  # tuples as lists, numbers that are names as text
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _setting(run: Run) -> str:
    setting = (identity(run.config), run.device, run.smoke, run.data.record.sha256)
    return hashlib.sha256(json.dumps(setting, sort_keys=True).encode()).hexdigest()
