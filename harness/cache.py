"""Data that are made once and kept: arrays, and the folders of stand-ins.

A folder's name ends in a key of everything that it was made from: source files, settings, and the
code of its makers. Where any of them changes, it is made anew; older folders may be deleted. It is
written whole or not at all, as plain files; nothing is pickled.
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

from harness.datasets import mark_kind, writable_root
from harness.errors import UserError


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

    Raises:
        UserError: the folder cannot be made or written, for instance because the disk is full.
    """
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        temporary.chmod(0o755)  # mkdtemp makes it private
        yield temporary
        if folder.exists():  # made of something else, or by another process meanwhile
            shutil.rmtree(folder)
        try:
            temporary.replace(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first
                raise
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); name a writable data"
            " folder with --data, or make room"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


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
    folder = root / "cache" / f"{name}-{key}"
    try:
        folder = writable_root(root) / "cache" / folder.name
        return _load(folder, "r" if memory_map else None)
    except (UserError, OSError, ValueError, TypeError, EOFError):
        arrays = make()
    try:
        with new_folder(folder) as temporary:
            for n, array in arrays.items():
                np.save(temporary / f"{n}.npy", array, allow_pickle=False)
            (temporary / "arrays.json").write_text(json.dumps(list(arrays)))
    except UserError as error:
        print(f"not kept for the next run: {error}", file=sys.stderr)
    return arrays


def _load(folder: Path, mode: str | None) -> dict[str, np.ndarray]:
    names = json.loads((folder / "arrays.json").read_text())
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
    if not folder.is_dir():
        print(f"{doing} ({kind}) into {folder}; this happens once", flush=True)
        with new_folder(folder) as temporary:
            write(temporary)
            mark_kind(temporary, kind)
    return folder
