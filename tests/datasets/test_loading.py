import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import yaml
from pyarrow import parquet

from featx import load_dataset
from featx.datasets.loading import (
    Card,
    Dataset,
    DatasetError,
    Listing,
    card_file,
    class_counts,
    labeled,
    list_images,
    merge_labels,
    parse_target,
    read_card,
)
from featx.io import bundled

CARDS = bundled.names("datasets")
SEVEN = ["coast", "forest", "insidecity", "mountain", "opencountry", "street", "tallbuilding"]
WANTED = (
    "Pass a folder with one subfolder per class, a glob, a CSV or Parquet manifest with the "
    "columns path and label, an archive, a URL, or - for a list."
)


@pytest.fixture
def photos(tmp_path):
    """Make a folder with classes, a deeper folder, a file of no class and hidden ones."""
    folder = tmp_path / "photos"
    for name in (
        "sea/b.jpg",
        "sea/a.jpg",
        "sea/deep/er/c.txt",
        "sea/.hidden.jpg",
        "sea/.cache/x.jpg",
        "street/1.png",
        ".git/config",
        "alone.jpg",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def listed(listing, folder):
    """Give paths below the folder, and labels, as pairs."""
    return [(os.path.relpath(path, folder), label) for path, label in zip(*listing, strict=True)]


def message(function, *arguments, **named):
    with pytest.raises(DatasetError) as error:
        function(*arguments, **named)
    return str(error.value)


def with_warnings(function, *arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments)
    return result, [str(one.message) for one in caught]


IN_PHOTOS = [
    ("alone.jpg", None),
    ("sea/.hidden.jpg", "sea"),
    ("sea/a.jpg", "sea"),
    ("sea/b.jpg", "sea"),
    ("sea/deep/er/c.txt", "sea"),
    ("street/1.png", "street"),
]


@pytest.mark.parametrize("kind", [str, Path])
def test_folder(photos, kind):
    assert listed(list_images(kind(photos)), photos) == IN_PHOTOS


def test_folder_in_which_one_is(photos, monkeypatch):
    monkeypatch.chdir(photos)
    paths, labels = list_images(".")
    assert paths == [f"./{name}" for name, _ in IN_PHOTOS]
    assert labels == [label for _, label in IN_PHOTOS]
    monkeypatch.chdir(photos / "sea")
    assert list_images("../street/") == (["../street/1.png"], [None])


def test_folder_of_a_hidden_name_is_read(photos):
    photos.rename(photos.parent / ".photos")
    hidden = photos.parent / ".photos"
    assert listed(list_images(hidden), hidden) == IN_PHOTOS


def test_names_that_are_not_unicode(photos):
    name = os.fsencode(photos) + b"/sea/\xff.jpg"
    Path(os.fsdecode(name)).touch()
    assert os.fsdecode(name) in list_images(photos).paths


def test_linked_folders(photos, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "z.jpg").touch()
    # Two classes of the same files, and a class that is a link.
    (photos / "tower").symlink_to(elsewhere)
    (photos / "lake").symlink_to(photos / "sea" / "deep")
    (photos / "linked.jpg").symlink_to(elsewhere / "z.jpg")
    (photos / "broken.jpg").symlink_to(tmp_path / "nowhere")
    assert listed(list_images(photos), photos) == [
        ("alone.jpg", None),
        ("broken.jpg", None),
        ("linked.jpg", None),
        ("lake/er/c.txt", "lake"),
        *IN_PHOTOS[1:],
        ("tower/z.jpg", "tower"),
    ]


def test_links_that_lead_round(photos):
    (photos / "sea" / "up").symlink_to(photos)
    (photos / "street" / "self").symlink_to(photos / "street")
    assert listed(list_images(photos), photos) == IN_PHOTOS


def test_links_to_each_other(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").touch()
        (tmp_path / name / "link").symlink_to(tmp_path / other)
    assert listed(list_images(tmp_path), tmp_path) == [
        ("a/x.jpg", "a"),
        ("a/link/x.jpg", "a"),
        ("b/x.jpg", "b"),
        ("b/link/x.jpg", "b"),
    ]


def test_a_folder_that_may_not_be_read():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for label in ("a", "b"):
            (folder / label).mkdir()
            (folder / label / "x.jpg").touch()
        (folder / "b").chmod(0o000)
        # Root may read everything: be somebody else for a while.
        user = os.geteuid()
        os.seteuid(65534 if user == 0 else user)
        try:
            listing = list_images(folder)
        finally:
            os.seteuid(user)
            (folder / "b").chmod(0o755)
    # What cannot be listed is an input, too, so that it is reported.
    assert listed(listing, folder) == [("a/x.jpg", "a"), ("b", "b")]
    assert listing.paths[1].refusal == (
        "unreadable",
        "the folder cannot be listed: Permission denied.",
    )


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/*.jpg", ["sea/a.jpg", "sea/b.jpg"]),
        ("*", ["alone.jpg"]),
        ("s*/*", ["sea/a.jpg", "sea/b.jpg", "street/1.png"]),
        ("**/*.txt", ["sea/deep/er/c.txt"]),
        ("sea/[ab].jpg", ["sea/a.jpg", "sea/b.jpg"]),
        ("sea/a.jpg", ["sea/a.jpg"]),
    ],
)
def test_glob(photos, pattern, expected):
    paths, labels = list_images(photos / pattern)
    assert paths == [str(photos / name) for name in expected]
    assert labels == [Path(path).parent.name for path in paths]


def test_glob_in_the_folder_in_which_one_is(photos, monkeypatch):
    monkeypatch.chdir(photos)
    assert list_images("*.jpg") == (["alone.jpg"], [None])


@pytest.mark.parametrize("name", ["photo[1].jpg", "what?.jpg", "star*.jpg"])
def test_names_that_look_like_globs(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "starry.jpg").touch()
    assert list_images(tmp_path / name).paths == [str(tmp_path / name)]
    folder = tmp_path / f"folder {name}"
    folder.mkdir()
    (folder / "x.jpg").touch()
    assert list_images(folder).paths == [str(folder / "x.jpg")]


def test_nothing_there(tmp_path):
    missing = tmp_path / "nowhere"
    assert message(list_images, missing) == f"{missing}: no such folder or file."
    for empty in (tmp_path, f"{tmp_path}/*.jpg", f"{tmp_path}/[a].csv"):
        assert message(list_images, empty) == f"{empty}: no files found. {WANTED}"
    for manifest in ("m.csv", "m.parquet"):
        path = tmp_path / manifest
        assert message(list_images, path) == f"{path}: no such file."


def write_manifest(path, columns):
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.table(columns), path)
        return path
    rows = [[*columns], *zip(*columns.values(), strict=True)]
    text = "\n".join(",".join("" if one is None else str(one) for one in row) for row in rows)
    path.write_text(text + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["m.csv", "m.parquet", "M.CSV"])
class TestManifest:
    def test_paths_and_labels(self, tmp_path, name):
        paths = ["é/b.jpg", "/abs/a.jpg", "../up.jpg"]
        columns = {"label": ["sea", "street", None], "other": [1, 2, 3], "path": paths}
        listing = list_images(write_manifest(tmp_path / name, columns))
        assert listing == (
            [f"{tmp_path}/é/b.jpg", "/abs/a.jpg", f"{tmp_path}/../up.jpg"],
            ["sea", "street", None],
        )

    def test_numbers_are_labels_and_names(self, tmp_path, name):
        columns = {"path": [1, 20, 3], "label": [0, 7, 10]}
        listing = list_images(write_manifest(tmp_path / name, columns))
        assert listing == ([f"{tmp_path}/{i}" for i in (1, 20, 3)], ["0", "7", "10"])

    def test_without_labels(self, tmp_path, name):
        listing = list_images(write_manifest(tmp_path / name, {"path": ["a", "b"]}))
        assert listing == ([f"{tmp_path}/a", f"{tmp_path}/b"], [None, None])

    def test_relative_to_the_manifest(self, tmp_path, name, monkeypatch):
        write_manifest(tmp_path / name, {"path": ["a"], "label": ["x"]})
        monkeypatch.chdir(tmp_path)
        assert list_images(name).paths == ["./a"]
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        assert list_images(f"../{name}").paths == ["../a"]

    def test_no_column_path(self, tmp_path, name):
        path = write_manifest(tmp_path / name, {"file": ["a"], "label": ["x"]})
        assert message(list_images, path) == (
            f"{path}: the column 'path' is missing. A manifest has the columns path and, for "
            "labeled images, label; this one has: file, label."
        )

    def test_row_without_path(self, tmp_path, name):
        columns = {"path": ["a", None, "c"], "label": ["x", "y", "z"]}
        path = write_manifest(tmp_path / name, columns)
        assert message(list_images, path) == f"{path}: row 2 has no path."

    def test_no_rows(self, tmp_path, name):
        text = pyarrow.string()
        columns = {"path": pyarrow.array([], text), "label": pyarrow.array([], text)}
        path = write_manifest(tmp_path / name, columns)
        assert message(list_images, path) == f"{path}: no files found. {WANTED}"

    def test_not_a_table(self, tmp_path, name):
        path = tmp_path / name
        path.write_bytes(b'path,label\n"a')
        found = message(list_images, path)
        assert found.startswith(f"{path}: not a {name[2:]} file: ")
        assert found.endswith(".")
        assert not found.endswith("..")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a csv file: Empty CSV file."),
        (
            b"path,label\n1,2,3\n",
            "not a csv file: CSV parse error: Row #2: Expected 2 columns, got 3: 1,2,3.",
        ),
        (
            b"path,label\n\xff,b\n",
            "not a csv file: In CSV column #0: Row #2: CSV conversion error to string: invalid "
            "UTF8 data.",
        ),
        (b"path,path\na,b\n", "duplicate column 'path'. Remove one."),
        (b"path,label,label\na,b,c\n", "duplicate column 'label'. Remove one."),
        (
            b"path;label\na;b\n",
            "the column 'path' is missing. A manifest has the columns path and, for labeled "
            "images, label; this one has: path;label.",
        ),
    ],
)
def test_csv_that_cannot_be_used(tmp_path, content, problem):
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    assert message(list_images, path) == f"{path}: {problem}"


def test_csv_as_it_comes(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes('\ufeffpath,label\r\n"a, b.jpg",007\r\nNA,null\r\n'.encode())
    assert list_images(path) == ([f"{tmp_path}/a, b.jpg", f"{tmp_path}/NA"], ["007", "null"])


def test_merging():
    listing = Listing(["1", "2", "3", "4", "5"], ["sea", "street", None, "tower", "sea"])
    assert merge_labels(listing, None) == listing
    target = {"city": ["street", "tower"], "landscape": ["sea"]}
    assert merge_labels(listing, target) == (
        ["1", "2", "4", "5"],
        ["landscape", "city", "city", "landscape"],
    )
    assert merge_labels(listing, {"sea": ["tower"]}) == (["4"], ["sea"])
    assert merge_labels(listing, {"x": ["sea", "sea"]}) == (["1", "5"], ["x", "x"])


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"city": ["steet"]}, "target: unknown class 'steet'. Did you mean street?"),
        ({"city": ["Street"]}, "target: unknown class 'Street'. Did you mean street?"),
        ({"city": ["xyz"]}, "target: unknown class 'xyz'. Known: sea, street."),
        (
            {"a": ["sea"], "b": ["sea"]},
            "target: class 'sea' is mapped to both 'a' and 'b'. Choose one.",
        ),
        ({"city": "sea"}, "target: 'city' must map to a list of classes, got 'sea'."),
    ],
)
def test_merging_what_is_not_there(target, problem):
    assert message(merge_labels, Listing(["1", "2"], ["sea", "street"]), target) == problem


def test_labels_as_options():
    assert parse_target([]) is None
    assert parse_target(["city=street, tower", "sea=coast", " city = port"]) == {
        "city": ["street", "tower", "port"],
        "sea": ["coast"],
    }
    assert parse_target(["a=b=c"]) == {"a": ["b=c"]}


@pytest.mark.parametrize("option", ["city", "city=", "=street", "city=a,,b", "", "city=a,"])
def test_labels_that_are_no_options(option):
    assert message(parse_target, ["ok=fine", option]) == (
        f"labels: invalid value {option!r}. Use NEW=OLD,OLD, such as city=street,tower."
    )


def test_labelled():
    dataset = labeled(Listing(["1", "2"], ["b", "a"]), "x")
    assert isinstance(dataset, Dataset)
    assert dataset.paths == ["1", "2"]
    assert dataset.labels.tolist() == ["b", "a"]
    assert dataset.labels.dtype.kind == "U"


def test_images_without_a_class():
    dataset, warned = with_warnings(labeled, Listing(["1", "2", "3"], [None, "a", None]), "x")
    assert (dataset.paths, dataset.labels.tolist()) == (["2"], ["a"])
    assert warned == ["x: 2 of 3 files have no label and are skipped, for example 1."]
    assert message(labeled, Listing(["1", "2"], [None, None]), "x") == (
        "x: none of the 2 images has a label. Put the images of each class into its own subfolder."
    )


def test_class_counts():
    assert class_counts(np.array(["b", "a", "b"])) == "a 1, b 2"
    assert class_counts([]) == ""


@pytest.mark.parametrize("name", CARDS)
def test_cards(name):
    card = read_card(name)
    fields = yaml.safe_load(card_file(name).read_text(encoding="utf-8"))
    assert list(fields) == [field for field in Card.__dataclass_fields__ if field != "name"]
    assert card == Card(name=name, **fields)
    for text in (card.title, card.citation, card.terms, card.folder, *card.known_faults):
        assert isinstance(text, str)
        assert text
    assert card.archive is None or sorted(card.archive) == ["sha256", "url"]
    for target in card.targets.values():
        classes = [one for olds in target.values() for one in olds]
        assert all(isinstance(one, str) for one in (*target, *classes))
        assert len(classes) == len(set(classes)) >= len(target) >= 2


def test_all_cards_are_there():
    assert CARDS == ["generated-scenes", "scenes15", "scenes8"]


def test_no_such_card():
    assert message(read_card, "scenes9") == ("scenes9: unknown data set. Did you mean scenes8?")
    assert message(read_card, "mnist") == (
        "mnist: unknown data set. Known: generated-scenes, scenes15, scenes8."
    )


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Lay out scenes8 as its card says, with one file in each class."""
    monkeypatch.delenv("FEATX_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in [*SEVEN, "highway"]:
        (tmp_path / "data/scenes8/train" / name).mkdir(parents=True)
        (tmp_path / "data/scenes8/train" / name / "1.jpg").touch()
    return tmp_path / "data"


def test_load_by_name(root, monkeypatch):
    expected = [str(path) for path in sorted((root / "scenes8/train").glob("*/*"))]
    paths, labels = load_dataset("scenes8", root=root)
    assert paths == expected
    assert labels.tolist() == [Path(path).parent.name for path in expected]
    monkeypatch.setenv("FEATX_DATA", str(root))
    assert load_dataset("scenes8").paths == expected
    assert load_dataset(Path("scenes8"), root=str(root)).paths == expected
    # What is said counts more than the environment.
    monkeypatch.setenv("FEATX_DATA", "/nowhere")
    assert load_dataset("scenes8", root=root).paths == expected


def test_load_a_named_target(root):
    paths, labels = load_dataset("scenes8", "city-landscape", root)
    names = [Path(path).parent.name for path in paths]
    assert names == SEVEN
    city = {"insidecity", "street", "tallbuilding"}
    assert labels.tolist() == ["city" if name in city else "landscape" for name in names]


def test_load_a_target_of_ones_own(root):
    _, labels = load_dataset("scenes8", {"sea": ["coast"], "road": ["street", "highway"]}, root)
    assert labels.tolist() == ["sea", "road", "road"]


def test_a_folder_of_the_name_comes_first(root):
    (root.parent / "scenes8" / "mine").mkdir(parents=True)
    (root.parent / "scenes8" / "mine" / "x.jpg").touch()
    assert load_dataset("scenes8", root=root) == (["scenes8/mine/x.jpg"], ["mine"])


def test_load_what_is_not_there(root):
    assert message(load_dataset, "scenes8") == (
        "scenes8: the location of the data is unknown. Set FEATX_DATA to the folder that contains "
        "scenes8/train, or pass root."
    )
    assert message(load_dataset, "scenes15", root=root) == (
        f"scenes15: folder {root}/scenes15/train not found. To get the data: "
        f"{read_card('scenes15').archive['url']}"
    )
    assert message(load_dataset, "generated-scenes", root=root) == (
        f"generated-scenes: folder {root}/generated-scenes not found. To get the data: "
        f"featx datasets make --out {root}/generated-scenes"
    )
    assert message(load_dataset, "scenes8", "city-landscpe", root) == (
        "scenes8: unknown target 'city-landscpe'. Did you mean city-landscape?"
    )
    assert message(load_dataset, "scenes9", root=root) == ("scenes9: no such folder or file.")
    assert message(load_dataset, root / "scenes8/train", "city-landscape") == (
        "target='city-landscape': only data sets with a card have named targets. For "
        f"{root}/scenes8/train, pass {{'new class': ['old class', ...]}}."
    )


def test_the_target_of_a_folder(photos):
    assert message(load_dataset, photos, {"water": ["sae"]}) == (
        "target: unknown class 'sae'. Did you mean sea?"
    )
    _, labels = load_dataset(photos, {"water": ["sea"], "stone": ["street"]})
    assert labels.tolist() == ["water"] * 4 + ["stone"]
