"""Data that are made once and kept: arrays, and the folders of stand-ins.

A folder's name ends in a key of everything that it was made from: source files, settings, the code
of its makers, and the version of this format. Where any of them changes, it is made anew; older
folders may be deleted. It is written whole or not at all, by one process at a time, as plain files;
nothing is pickled. `SHA256SUMS` in it has the checksum of every file: a folder with a file that is
missing, altered or cut short is made anew.
"""

import ast
import dataclasses
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from harness.data.datasets import mark_kind, writable_root
from harness.data.files import in_use, locked, parsing, read_text, unwritable
from harness.errors import UserError

NOT_KEPT = "not kept for the next run"
FORMAT = 2  # of a kept folder, counts in its key
SUMS = "SHA256SUMS"  # lines "<sha256> <size> <time of change in ns> <name>"


def key_of(
    *, files: Iterable[Path] = (), code: Iterable[ModuleType] = (), **settings: object
) -> str:
    """Short key of all that made data depend on.

    Args:
        files: source files; their names, sizes and times of change count, so that nothing has
            to be read to see that nothing changed.
        code: modules that make the data; every change of them counts, except of comments,
            docstrings and layout.
        settings: constants that the makers use: numbers, text, tuples, dictionaries, arrays,
            dataclasses.

    Returns:
        16 hexadecimal digits.
    """
    settings["format"] = FORMAT
    whole = hashlib.sha256(json.dumps(settings, sort_keys=True, default=_plain).encode())
    for module in code:
        whole.update(code_digest(Path(module.__file__)))
    for path in files:
        status = path.stat()
        name = path.absolute().as_posix()
        whole.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return whole.hexdigest()[:16]


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be part of a key")


def code_digest(path: Path) -> bytes:
    """SHA-256 of a source file without its comments, docstrings and layout."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            del body[0]
    return hashlib.sha256(ast.dump(tree).encode()).digest()


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def checksum_of(folder: Path, paths: Iterable[Path], *, sample_bytes: int = 1 << 16) -> str:
    """SHA-256 over the names, sizes and both ends of files; cheap on gigabytes.

    A change in the middle of a file that keeps its size goes unseen: this names a data set in
    results, it does not prove a file whole (the readers check that).

    Args:
        folder: names are taken relative to it.
        paths: files below it, in any order.
        sample_bytes: bytes read at each end of a file.
    """
    whole = hashlib.sha256()
    for path in sorted(paths):
        size = path.stat().st_size
        whole.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as stream:
            whole.update(stream.read(sample_bytes))
            stream.seek(max(0, size - sample_bytes))
            whole.update(stream.read(sample_bytes))
    return whole.hexdigest()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Fill a temporary sibling of `folder`, which takes its place only when all went well.

    Its files' checksums are written into it. What an earlier process left half done is removed.

    Raises:
        UserError: the folder cannot be made or written, for instance because the disk is full.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(folder)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            temporary.chmod(0o755)  # mkdtemp makes it private
            yield temporary
            _write_sums(temporary)
            if folder.exists():  # damaged, else nobody had asked for a new one
                shutil.rmtree(folder)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise unwritable(folder, error, "--data names the data folder") from error


def _remove_left(folder: Path) -> None:
    # Temporary folders of this one, and of others that no process is making any more.
    for left in folder.parent.glob(".*-*"):
        made = left.with_name(left.name[1:].rpartition("-")[0])
        if left.is_dir() and (made == folder or not in_use(made)):
            shutil.rmtree(left, ignore_errors=True)


def _write_sums(folder: Path) -> None:
    lines = []
    for path in _files_in(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        status, name = path.stat(), path.relative_to(folder).as_posix()
        lines.append(f"{digest} {status.st_size} {status.st_mtime_ns} {name}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def is_whole(folder: Path) -> bool:
    """Whether every file of a kept folder is there and has the content that was written.

    A file whose size and time of change are as they were is not read again.
    """
    if not (folder / SUMS).is_file():
        return False
    try:
        rows = [line.split(" ", 3) for line in read_text(folder / SUMS).splitlines()]
        names = [[path.relative_to(folder).as_posix()] for path in _files_in(folder)]
        if names != [row[3:] for row in rows]:
            return False
        return all(_unchanged(folder / row[3], *row[:3]) for row in rows)
    except (OSError, ValueError):  # a damaged list, or a file that cannot be read
        return False


def _files_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / SUMS)


def _unchanged(path: Path, digest: str, size: str, changed_ns: str) -> bool:
    status = path.stat()
    if (str(status.st_size), str(status.st_mtime_ns)) == (size, changed_ns):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def cached_arrays(
    root: Path,
    name: str,
    key: str,
    make: Callable[[], dict[str, np.ndarray]],
    *,
    memory_map: bool = False,
) -> dict[str, np.ndarray]:
    """Arrays kept as `.npy` files in a folder of the cache, made first when they are not there.

    Where the cache cannot be written the arrays are used without being kept, and stderr says so.

    Args:
        root: the data folder; the cache is `cache` in it, or in `data` of the project where the
            data folder is read-only.
        name: of the data, for people; first part of the folder's name.
        key: of all they depend on, see `key_of`.
        make: called when the arrays are not there or do not load.
        memory_map: read bytes from the disk when they are used, not before.

    Returns:
        The arrays by name.
    """
    try:
        folder = writable_root(root) / "cache" / f"{name}-{key}"
    except UserError as error:
        print(f"{NOT_KEPT}: {error}", file=sys.stderr)
        return make()
    with locked(folder):  # a second process waits, then finds what the first one made
        if is_whole(folder):
            return _load(folder, "r" if memory_map else None)
        arrays = make()
        try:
            with new_folder(folder) as temporary:
                for n, array in arrays.items():
                    np.save(temporary / f"{n}.npy", array, allow_pickle=False)
                (temporary / "arrays.json").write_text(json.dumps(list(arrays)))
        except UserError as error:
            print(f"{NOT_KEPT}: {error}", file=sys.stderr)
    return arrays


def _load(folder: Path, mode: str | None) -> dict[str, np.ndarray]:
    with parsing(folder, "folder of arrays", "remove it and run again"):
        names = json.loads(read_text(folder / "arrays.json"))
        return {n: np.load(folder / f"{n}.npy", mode, allow_pickle=False) for n in names}


def stand_in(
    parent: Path,
    kind: str,
    key: str,
    write: Callable[[Path], Any],
    doing: str,
    *,
    tiny: bool = False,
) -> Path:
    """The folder of a stand-in, written first when it is not there.

    Its name ends in its key: where something that it depends on changes, another one is made
    beside it, and a program that still uses the old one is not disturbed.

    Args:
        parent: of all stand-ins of a data set, see `DatasetInfo.stand_in_folder`.
        kind: of its data, "simulated-sensor" or "synthetic"; marked in the folder.
        key: of all it depends on, see `key_of`.
        write: called with an empty folder, which it fills.
        doing: what is being made, for the line that is printed: "simulating a camera".
        tiny: whether it is the small one of smoke runs; part of its name.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = parent / f"{kind}{'-tiny' if tiny else ''}-{key}"
    with locked(folder):
        if not is_whole(folder):
            print(f"{doing} ({kind}) into {folder}; this happens once", flush=True)
            with new_folder(folder) as temporary:
                write(temporary)
                mark_kind(temporary, kind)
    return folder
