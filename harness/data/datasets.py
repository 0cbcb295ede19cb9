"""Where data sets are looked for, and what kind of data was found.

`python -m harness.data.datasets` lists every set: found or not, where to put it, how to get it.
"""

import argparse
import os
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from harness.data.files import read_text
from harness.errors import UserError, exits_cleanly

KINDS = ("real", "simulated-sensor", "synthetic")
ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
KIND_FILE = "KIND"  # lies in every folder that a stand-in's writer made, and holds its kind


@dataclass(frozen=True)
class DatasetInfo:
    """What a newcomer has to know of one data set.

    Attributes:
        name: as the papers call it.
        folder: its sub-folder of the data root.
        files: patterns below that folder; the set is there when each matches something.
        licence: of the real data.
        source: where the real data comes from.
        how_to_get: what to do to get it, in one line.
        stand_in: data kind of what is made when it is not there, None when there is no such.
        samples: pattern below the folder of single real recordings that are of use without the
            whole set, None when there are no such.
        made_from: real sets that the stand-in is made from where they are there.
    """

    name: str
    folder: str
    files: tuple[str, ...]
    licence: str
    source: str
    how_to_get: str
    stand_in: str | None = None
    samples: str | None = None
    made_from: tuple["DatasetInfo", ...] = ()

    def found(self, root: Path) -> Path | None:
        """Folder of the set below `root` when all its files are there."""
        folder = root / self.folder
        return folder if all(any(folder.glob(pattern)) for pattern in self.files) else None

    def stand_in_folder(self, root: Path) -> Path:
        """Where stand-ins go: below the data root, or in the project where that is read-only."""
        return writable_root(root) / f"{self.folder}-stand-in"


def project_root() -> Path:
    """The checkout that this code lies in; the working directory where it was installed whole."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def data_root(argument: str | Path | None = None) -> Path:
    """The data folder: the argument, else `DATA_ROOT`, else `data/` of the project.

    Raises:
        UserError: a folder was named and is not there.
    """
    named = argument or os.environ.get("DATA_ROOT")
    if not named:
        return project_root() / "data"
    root = Path(named).expanduser()
    if not _is_folder(root):
        raise UserError(f"data folder {root} is not there: give --data or DATA_ROOT a folder")
    return root


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no folder can have
        return False


def writable_root(root: Path) -> Path:
    """The data root, or `data/` of the project where the root is read-only.

    A root without any write permission counts as read-only for the administrator too, whom
    the system would let write there.

    Raises:
        UserError: neither can be written.
    """
    own = project_root() / "data"
    for folder in (root, own):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not folder.stat().st_mode & ANY_WRITE:
                continue
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    raise UserError(f"neither {root} nor {own} can be written: name a folder with --data")


def kind_of(folder: Path) -> str:
    """Data kind of the files in `folder`: what its KIND file says, else "real"."""
    marker = folder / KIND_FILE
    if not marker.exists():
        return "real"
    kind = read_text(marker).strip()
    if kind not in KINDS:
        raise UserError(f"{marker}: {kind[:40]!r} is not one of {', '.join(KINDS)}")
    return kind


def mark_kind(folder: Path, kind: str) -> None:
    """Say in the folder itself that its data is a stand-in of `kind`."""
    (folder / KIND_FILE).write_text(kind + "\n")


def all_datasets() -> list[DatasetInfo]:
    """Every set that an installed package announces (entry points in `pyproject.toml`)."""
    points = entry_points(group="random_resistive_memory.datasets")
    return sorted((point.load() for point in points), key=lambda info: info.name)


@exits_cleanly
def main(argv: list[str] | None = None) -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(prog="python -m harness.data.datasets", description=__doc__)
    parser.add_argument("--data", help="data folder (default: DATA_ROOT, else data/)")
    root = data_root(parser.parse_args(argv).data)
    print(f"data folder: {root}")
    for info in all_datasets():
        print("\n" + "\n".join(_described(info, root)))
    return 0


def _described(info: DatasetInfo, root: Path) -> list[str]:
    folder, lines = info.found(root), []
    lines.append(f"{info.name}: {f'found ({kind_of(folder)})' if folder else 'not found'}")
    lines.append(f"  folder     {root / info.folder}")
    if samples := info.samples and len(list((root / info.folder).glob(info.samples))):
        lines.append(f"  real here  {samples} files {info.samples}")
    if folder is None:
        lines.append(f"  get it     {info.how_to_get}")
        lines.append(f"  till then  {f'{info.stand_in} stand-in' if info.stand_in else 'nothing'}")
    lines += [f"  source     {info.source}", f"  licence    {info.licence}"]
    for source in info.made_from:
        lines += [f"  its stand-in is better with {source.name}:"]
        lines += [f"    {line}" for line in _described(source, root)]
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
