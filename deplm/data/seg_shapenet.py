"""ShapeNet-part: shapes as points whose parts are labelled (Yi et al. 2016).

On disk, `shapenetcore_partanno_segmentation_benchmark_v0_normal`: `synsetoffset2category.txt`
(name, folder), `train_test_split/shuffled_{train,val,test}_file_list.json` (entries
`shape_data/<folder>/<id>`), and a text file `<folder>/<id>.txt` a shape, rows
`x y z nx ny nz label`. Without it, `deplm.data.stand_ins.seg_shapenet` writes shapes in the same
files. The DEPLM paper (methods; published data loader) uses x, y, z only, centred and scaled to
the unit sphere, 2048 points drawn with replacement.
"""

import io
import json
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deplm.data import seg_categories
from deplm.data.seg_categories import CATEGORIES
from deplm.data.stand_ins.seg_shapenet import ensure_stand_in
from harness.data.cache import cached_arrays, checksum_of, key_of
from harness.data.datasets import DatasetInfo, kind_of
from harness.data.files import inside, parsing, read_file, read_text
from harness.errors import UserError

INFO = DatasetInfo(
    name="ShapeNet-part",
    folder="shapenet_part",
    files=("synsetoffset2category.txt", "train_test_split/*.json", "*/*.txt"),
    licence="ShapeNet terms: research and education, not commercial",
    source="ShapeNet, shapenet.org; L. Yi et al., SIGGRAPH Asia 2016",
    how_to_get=(
        "get shapenetcore_partanno_segmentation_benchmark_v0_normal.zip (by hand, 0.7 GB), put"
        " what is in its folder into that folder"
    ),
    stand_in="synthetic",
    samples="*/*.txt",
)
TABLE = "synsetoffset2category.txt"
SPLITS = {"train": "train", "validation": "val", "test": "test"}
COLUMNS = 7
LARGEST_BYTES = 1 << 26  # of a shape's file; the real ones have up to 0.2 MB
LARGEST_COORDINATE = 1e6  # the real ones lie in -1 to 1


@dataclass(frozen=True)
class PartShapes:
    """S shapes of P points altogether, and which of them are for what.

    Attributes:
        name: of the data set.
        kind: "real" or "synthetic".
        sha256: of names, sizes and ends of every source file (`checksum_of`).
        points: (P, 3) float32, each shape centred and scaled to the unit sphere.
        labels: (P,) uint8, part 0..49.
        offsets: (S + 1,) int64; shape s is points[offsets[s]:offsets[s + 1]].
        categories: (S,) int64, 0..15, in the order of `seg_categories.CATEGORIES`.
        ids: S names, `<folder>/<id>`.
        train: (n,) int64, shapes of the training list.
        validation: of the validation list, for choosing; paper 1 trains on it too.
        test: of the test list.
        missing: listed shapes that are not there; 0 unless missing shapes were allowed.
    """

    name: str
    kind: str
    sha256: str
    points: np.ndarray
    labels: np.ndarray
    offsets: np.ndarray
    categories: np.ndarray
    ids: tuple[str, ...]
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    missing: int = 0

    @property
    def train_all(self) -> np.ndarray:
        """Training and validation shapes together, as the paper trains; each once."""
        return np.unique(np.concatenate([self.train, self.validation]))

    def shape(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """All points (n, 3) and labels (n,) of one shape."""
        where = slice(self.offsets[row], self.offsets[row + 1])
        return self.points[where], self.labels[where]

    def draw(
        self, rows: np.ndarray, points: int = 2048, *, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw clouds with replacement: the same for the same seed and shape, always.

        Args:
            rows: (B,) shapes.
            points: a cloud.
            seed: another one gives a fresh draw.

        Returns:
            (B, points, 3) float32 and labels (B, points) uint8.
        """
        clouds = np.empty((len(rows), points, 3), np.float32)
        labels = np.empty((len(rows), points), np.uint8)
        for i, row in enumerate(rows):
            begin, end = self.offsets[row], self.offsets[row + 1]
            rng = np.random.default_rng([seed, zlib.crc32(self.ids[row].encode())])
            index = begin + rng.integers(0, end - begin, points)
            clouds[i], labels[i] = self.points[index], self.labels[index]
        return clouds, labels


def load(root: str | Path, *, allow_missing: bool = False, tiny: bool = False) -> PartShapes:
    """The real set below `root`, else its stand-in.

    Args:
        root: the data folder.
        allow_missing: go on when listed shapes are not there.
        tiny: a stand-in of seconds, even where the real set is there; for `--smoke`.

    Raises:
        UserError: a file of the set is missing or damaged; the message says which and how.
    """
    root = Path(root)
    folder = None if tiny else INFO.found(root)
    if folder is None:
        folder = ensure_stand_in(INFO.stand_in_folder(root), tiny=tiny)
    return load_folder(folder, root, allow_missing)


def load_folder(folder: Path, root: Path, allow_missing: bool = False) -> PartShapes:
    """The set whose official files lie in `folder`; parsed shapes go to the cache of `root`."""
    known = read_table(folder / TABLE)
    lists = {split: read_list(_list_path(folder, split), known) for split in SPLITS}
    listed = sorted({name for names in lists.values() for name in names})
    paths = {name: inside(folder, f"{name}.txt", folder) for name in listed}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing and not allow_missing:
        raise UserError(
            f"{folder}: {len(missing)} of {len(listed)} listed shapes are missing, first"
            f" {', '.join(missing[:3])}; unpack the whole archive, or go on with"
            " --set allow_missing=true"
        )
    names = sorted(set(listed) - set(missing))
    if not names:
        raise UserError(f"{folder}: none of the listed shapes is there; unpack the whole archive")
    paths = [paths[name] for name in names]
    sources = [*paths, folder / TABLE, *(_list_path(folder, split) for split in SPLITS)]
    key = key_of(files=sources, code=(sys.modules[__name__], seg_categories))

    def make() -> dict[str, np.ndarray]:
        sha256 = np.array(checksum_of(folder, sources, sample_bytes=512))
        return _parse_all(paths) | {"sha256": sha256}

    arrays = cached_arrays(root, "shapenet-part", key, make)
    sha256 = str(arrays.pop("sha256"))
    row_of = {name: row for row, name in enumerate(names)}
    lists = _kept_apart(lists)
    rows = {
        split: np.array([row_of[n] for n in entries if n in row_of], np.int64)
        for split, entries in lists.items()
    }
    return PartShapes(
        INFO.name, kind_of(folder), sha256, ids=tuple(names), missing=len(missing), **arrays, **rows
    )


def load_files(paths: list[Path]) -> PartShapes:
    """Single shape files, `<folder>/<id>.txt`, with no lists: all are test shapes."""
    names = tuple(f"{path.parent.name}/{path.stem}" for path in paths)
    nothing = np.zeros(0, np.int64)
    return PartShapes(
        INFO.name,
        "real",
        checksum_of(Path(paths[0].anchor), [p.absolute() for p in paths]) if paths else "",
        ids=names,
        train=nothing,
        validation=nothing,
        test=np.arange(len(paths)),
        **_parse_all(paths),
    )


def _kept_apart(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    # The official lists name 23 shapes for both training and test, and 3 for validation and test.
    test = set(lists["test"])
    for split in ("train", "validation"):
        both = len(test & set(lists[split]))
        if both:
            print(f"{both} shapes of the {split} list are test shapes too: left out of {split}")
    return {n: entries if n == "test" else [e for e in entries if e not in test]
            for n, entries in lists.items()}  # fmt: skip


def _list_path(folder: Path, split: str) -> Path:
    return folder / "train_test_split" / f"shuffled_{SPLITS[split]}_file_list.json"


def read_table(path: Path) -> set[str]:
    """Folders that `synsetoffset2category.txt` names; fewer than sixteen will do.

    Raises:
        UserError: an unknown category, or another folder than the benchmark's.
    """
    known = {category.name: category.synset for category in CATEGORIES}
    rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
    for row in rows:
        if len(row) != 2 or known.get(row[0]) != row[1]:
            raise UserError(
                f"{path}: {' '.join(row)[:80]!r} is none of the benchmark's sixteen categories with"
                " its folder; get the file again"
            )
    return {synset for _, synset in rows}


def read_list(path: Path, known: set[str]) -> list[str]:
    """Names `<folder>/<id>` of a list in its order, each once.

    Raises:
        UserError: no JSON list of `shape_data/<folder>/<id>`, or a folder that is not in `known`.
    """
    text = read_text(path)
    with parsing(path, "JSON"):
        entries = json.loads(text)
    names = []
    for entry in entries if isinstance(entries, list) else [entries]:
        pieces = entry.split("/") if isinstance(entry, str) else []
        if len(pieces) != 3 or pieces[1] not in known or pieces[2] in ("", ".", ".."):
            raise UserError(
                f"{path}: {str(entry)[:80]!r} is not shape_data/<folder>/<id> with a folder of"
                f" {TABLE}; get the file again"
            )
        names.append(f"{pieces[1]}/{pieces[2]}")
    return list(dict.fromkeys(names))


def read_shape(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """One shape file; its folder says its category.

    Returns:
        Points (n, 3) float32 centred and scaled to the unit sphere, labels (n,) uint8, category.

    Raises:
        UserError: zero points, a missing column, NaN, a label that is not of the category,
            all points equal.
    """
    numbers = [i for i, c in enumerate(CATEGORIES) if c.synset == path.parent.name]
    if not numbers:
        raise UserError(f"{path}: {path.parent.name} is no folder of the benchmark's categories")
    category = CATEGORIES[numbers[0]]
    rows = _rows(path)
    labels = rows[:, -1]
    strange = ~np.isin(labels, category.labels)
    if strange.any():
        raise UserError(
            f"{path}, point {int(strange.argmax())}: label {labels[strange.argmax()]:g} is not of"
            f" {category.name} ({category.labels[0]} to {category.labels[-1]}); get the file again"
        )
    points = rows[:, :3] - rows[:, :3].mean(axis=0)
    radius = np.sqrt((points**2).sum(axis=1).max())
    if radius <= 1e-9:
        raise UserError(f"{path}: all {len(rows)} points are equal; get the file again")
    return (points / radius).astype(np.float32), labels.astype(np.uint8), numbers[0]


def _rows(path: Path) -> np.ndarray:
    text = read_file(path, LARGEST_BYTES)
    if not text.split():  # which would make numpy warn instead of raise
        raise UserError(f"{path}: zero points; get the file again")
    with parsing(path, f"table of {COLUMNS} numbers a line"):
        rows = np.loadtxt(io.BytesIO(text), ndmin=2, comments=None)
    if rows.shape[1] != COLUMNS:
        raise UserError(
            f"{path}: {rows.shape[1]} columns where x y z nx ny nz label are expected; a column is"
            " missing or too many, get the file again"
        )
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise UserError(f"{path}, point {int(bad.argmax())}: NaN or infinite; get the file again")
    if np.abs(rows[:, :3]).max() > LARGEST_COORDINATE:
        raise UserError(f"{path}: coordinates over {LARGEST_COORDINATE:g}; get the file again")
    return rows


def _parse_all(paths: list[Path]) -> dict[str, np.ndarray]:
    points, labels, categories = [], [], []
    for path in tqdm(paths, desc="reading shapes", disable=None):
        cloud, parts, category = read_shape(path)
        points.append(cloud)
        labels.append(parts)
        categories.append(category)
    return {
        "points": np.concatenate(points),
        "labels": np.concatenate(labels),
        "offsets": np.cumsum([0] + [len(part) for part in labels]),
        "categories": np.array(categories, np.int64),
    }
