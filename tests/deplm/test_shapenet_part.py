import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from deplm.data.seg_categories import CATEGORIES, PARTS
from deplm.data.seg_shapenet import INFO, load, load_files, load_folder, read_shape
from deplm.data.stand_ins.seg_shapenet import as_text, build, ensure_stand_in, write_stand_in
from deplm.data.stand_ins.seg_shapes import BUILDERS
from harness.errors import UserError

TABLE = "04379243"
COUNTS = {"train": 2, "val": 1, "test": 1}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "written"
    folder.mkdir()
    write_stand_in(folder, COUNTS)
    return folder


@pytest.fixture
def official(written, tmp_path):
    """The official layout as the real set has it: no mark of a stand-in."""
    folder = tmp_path / INFO.folder
    shutil.copytree(written, folder)
    return folder


def test_the_table_is_the_benchmark_s():
    labels = [label for category in CATEGORIES for label in category.labels]
    assert labels == list(range(50)) and PARTS == 50
    assert [c.name for c in CATEGORIES] == list(BUILDERS)
    sizes = [len(c.parts) for c in CATEGORIES]
    assert sizes == [4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3]


def test_real_layout_is_written_and_read_back(official, tmp_path):
    assert INFO.found(tmp_path) == official
    data = load(tmp_path)
    assert data.kind == "real" and len(data.sha256) == 64 and data.missing == 0
    assert [len(rows) for rows in (data.train, data.validation, data.test)] == [32, 16, 16]
    assert len(data.train_all) == 48 and not set(data.train_all) & set(data.test)
    np.testing.assert_array_equal(np.bincount(data.categories), np.full(16, 4))
    for row, name in enumerate(data.ids):
        rows = np.loadtxt(official / f"{name}.txt")
        points, labels = data.shape(row)
        centred = rows[:, :3] - rows[:, :3].mean(axis=0)
        scaled = centred / np.linalg.norm(centred, axis=1).max()
        np.testing.assert_allclose(points, scaled, atol=1e-6)
        np.testing.assert_array_equal(labels, rows[:, 6])
        assert set(labels) <= set(CATEGORIES[data.categories[row]].labels)
    again = load(tmp_path)  # from the cache
    np.testing.assert_array_equal(again.points, data.points)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_no_data_gives_the_marked_stand_in_once(tmp_path):
    data = load(tmp_path, tiny=True)
    assert data.kind == "synthetic" and len(data.ids) == 6 * 16
    (folder,) = (tmp_path / "shapenet_part-stand-in").iterdir()
    before = folder.stat().st_mtime_ns
    assert ensure_stand_in(INFO.stand_in_folder(tmp_path), tiny=True) == folder
    assert folder.stat().st_mtime_ns == before


def test_stand_in_repeats(written, tmp_path):
    write_stand_in(tmp_path, COUNTS)
    for path in sorted(written.rglob("*.txt")) + sorted(written.rglob("*.json")):
        assert (tmp_path / path.relative_to(written)).read_bytes() == path.read_bytes()


def test_draws_repeat_and_do_not_depend_on_company(written, tmp_path):
    data = load_folder(written, tmp_path)
    clouds, labels = data.draw(data.test)
    assert clouds.shape == (16, 2048, 3) and labels.shape == (16, 2048)
    assert clouds.dtype == np.float32 and np.linalg.norm(clouds, axis=2).max() <= 1 + 1e-6
    alone, parts = data.draw(data.test[[5]])
    np.testing.assert_array_equal(alone[0], clouds[5])
    np.testing.assert_array_equal(parts[0], labels[5])
    assert not np.array_equal(data.draw(data.test, seed=1)[0], clouds)


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
def test_every_part_is_built_sooner_or_later(category):
    seen = set()
    for seed in range(30):
        rows = build(category, np.random.default_rng([seed, category.first]))
        assert rows.shape[1] == 7 and np.isfinite(rows).all() and 1000 <= len(rows) < 3000
        np.testing.assert_allclose(np.linalg.norm(rows[:, 3:6], axis=1), 1, atol=1e-6)
        seen |= set(rows[:, 6].astype(int))
    assert seen == set(category.labels)


def test_text_is_as_savetxt_writes_it(tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 7))
    np.savetxt(tmp_path / "a.txt", rows, fmt="%.6f")
    assert as_text(rows) == (tmp_path / "a.txt").read_text()


def table_file(tmp_path, rows):
    path = tmp_path / TABLE / "a.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(" ".join(map(str, row)) for row in rows))
    return path


def some_rows(count=20):
    rng = np.random.default_rng(0)
    return [[*rng.normal(size=6).round(6), 47 + k % 3] for k in range(count)]


def with_value(column, value):
    rows = some_rows()
    rows[4][column] = value
    return rows


def test_fewer_than_2048_points_are_drawn_with_replacement(tmp_path):
    data = load_files([table_file(tmp_path, some_rows(3))])
    clouds, labels = data.draw(data.test)
    assert clouds.shape == (1, 2048, 3) and set(labels[0]) == {47, 48, 49}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row[:6] for row in some_rows()], "6 columns where x y z nx ny nz label"),
        ([*some_rows(), [1.0, 2.0]], "no table of 7 numbers a line"),
        (with_value(2, "nan"), "point 4: NaN or infinite"),
        (with_value(3, "-inf"), "point 4: NaN or infinite"),
        (with_value(0, "left"), "no table of 7 numbers a line .*'left'"),
        (with_value(6, 44), "point 4: label 44 is not of Table \\(47 to 49\\)"),
        (with_value(6, 47.5), "label 47.5 is not of Table"),
        ([], "zero points"),
        ([[1, 2, 3, 0, 0, 1, 47]] * 5, "all 5 points are equal"),
    ],
)
def test_bad_shapes_say_what_is_wrong(tmp_path, rows, said):
    path = table_file(tmp_path, rows)
    with pytest.raises(UserError, match=said) as caught:
        read_shape(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_shape_in_no_category_s_folder(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(UserError, match="no folder of the benchmark"):
        read_shape(tmp_path / "a.txt")
    with pytest.raises(UserError, match="cannot be read"):
        read_shape(tmp_path / TABLE / "none.txt")


def test_missing_shapes_are_counted_and_may_be_allowed(official, tmp_path):
    for path in sorted((official / TABLE).iterdir())[:2]:
        path.unlink()
    with pytest.raises(UserError, match="2 of 64 listed shapes are missing, first 0437") as caught:
        load(tmp_path)
    assert "--set allow_missing=true" in str(caught.value)
    data = load(tmp_path, allow_missing=True)
    assert data.missing == 2 and len(data.ids) == 62
    assert len(data.train) + len(data.validation) + len(data.test) == 62


def write_list(folder, content):
    (folder / "train_test_split" / "shuffled_val_file_list.json").write_text(content)


BAD = {
    "no JSON": lambda f: write_list(f, "[1,"),
    "'7' is not shape_data": lambda f: write_list(f, "[7]"),
    "'a/b' is not shape_data": lambda f: write_list(f, '["a/b"]'),
    "with a folder of synset": lambda f: write_list(f, '["shape_data/123/a"]'),
    "is not shape_data/<folder>/<id>": lambda f: write_list(f, f'["shape_data/{TABLE}/.."]'),
    "none of the benchmark's sixteen": lambda f: (f / "synsetoffset2category.txt").write_text(
        "Sofa\t04256520\n"
    ),
    "cannot be read": lambda f: (f / "train_test_split" / "shuffled_val_file_list.json").unlink(),
    "none of the listed shapes": lambda f: [
        shutil.rmtree(f / c.synset) for c in CATEGORIES if (f / c.synset).is_dir()
    ],
}


@pytest.mark.parametrize("said", BAD)
def test_bad_sets_say_what_is_wrong(official, tmp_path, said):
    BAD[said](official)
    with pytest.raises(UserError, match=said) as caught:
        load_folder(official, tmp_path / "cache", allow_missing=True)
    assert "\n" not in str(caught.value)


def test_duplicates_in_a_list_count_once(official, tmp_path):
    path = official / "train_test_split" / "shuffled_train_file_list.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps(entries + entries[:5]))
    assert len(load(tmp_path).train) == len(entries)


def real_folder():
    folder = Path(os.environ.get("DATA_ROOT", "nowhere"), INFO.folder)
    return folder if folder.is_dir() else pytest.skip("DATA_ROOT holds no real shapes")


def test_real_shapes_load_with_their_parts():
    data = load_files(sorted(real_folder().glob("*/*.txt")))
    for row, category in enumerate(data.categories):
        points, labels = data.shape(row)
        assert set(labels) <= set(CATEGORIES[category].labels)
        assert np.isclose(np.linalg.norm(points, axis=1).max(), 1)
    assert data.draw(data.test)[0].shape == (len(data.ids), 2048, 3)


def test_real_lists_load(tmp_path):
    folder = real_folder()
    data = load_folder(folder, tmp_path, allow_missing=True)
    assert data.kind == "real" and len(data.ids) >= 1
    if data.missing:
        with pytest.raises(UserError, match="listed shapes are missing"):
            load_folder(folder, tmp_path)
