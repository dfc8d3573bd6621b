import numpy as np
import pytest

from featx import load_dataset
from featx.core.errors import DatasetError, InputError
from featx.datasets.loading import Listing, list_images
from featx.jobs.inputs import iterate_inputs, labelled_inputs, list_inputs, list_places


def message(function, *arguments, kind=InputError, **keywords):
    with pytest.raises(kind) as error:
        function(*arguments, **keywords)
    return str(error.value)


def test_a_folder(photos, readable):
    paths, _, labels = readable
    note = f"{photos}/b/note.txt"
    found = list_inputs(photos)
    assert (found.paths, found.labels) == ([*paths, note], [*labels, "b"])
    assert list_inputs(str(photos)) == list_inputs(list_images(photos)) == found
    assert [*iterate_inputs(photos)] == [*zip(*found, strict=True)]
    merged = list_inputs(photos, labels={"all": ["a", "b"]})
    assert merged.labels == ["all"] * 13
    for labels in (["x=a"], "x=a", {"x": ["a"]}):
        found = list_inputs(photos, labels=labels)
        assert (found.paths, found.labels) == (paths[:6], ["x"] * 6)
        assert [*iterate_inputs(photos, labels=labels)] == [*zip(*found, strict=True)]


def test_sequences_of_images(readable):
    paths, arrays, labels = readable
    assert list_inputs(paths, labels) == (paths, labels)
    assert list_inputs(iter(paths)) == (paths, [None] * 12)
    assert list_inputs(load_dataset(paths[0])) == ([paths[0]], ["a"])
    batch = np.stack(arrays)
    assert list_inputs(batch, labels).paths is batch
    assert [label for _, label in iterate_inputs(batch, np.arange(12))] == [*map(str, range(12))]
    assert list_inputs(paths, [*"ab" * 6], labels=["x=b"]).paths == paths[1::2]


def test_labelled_images(photos, readable):
    paths, _, labels = readable
    found = labelled_inputs(paths, labels)
    assert found.labels.tolist() == labels
    assert labelled_inputs(photos).labels.tolist() == [*labels, "b"]
    with pytest.warns(UserWarning, match=r"y: 1 of 12 files have no label and are skipped"):
        found = labelled_inputs(paths, [None, *labels[1:]])
    assert found.paths == paths[1:]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["b"], "labels: invalid value 'b'. Use NEW=OLD,OLD, such as city=street,tower."),
        (["x=bb"], "target: unknown class 'bb'. Did you mean b?"),
        (["x=a", "y=a"], "target: class 'a' is mapped to both 'x' and 'y'. Choose one."),
    ],
)
def test_labels_that_do_not_fit(photos, labels, said):
    assert message(list_inputs, photos, labels=labels, kind=DatasetError) == said


def test_a_missing_source_raises_at_once():
    assert message(iterate_inputs, "nowhere", kind=DatasetError) == (
        "nowhere: no such folder or file."
    )


def test_several_places(photos, readable):
    paths, _, labels = readable
    note = f"{photos}/b/note.txt"
    assert list_places([photos]) == list_images(photos)
    found = list_places([photos / "a", photos / "b", f"{photos}/*/*.png"])
    assert (found.paths, found.labels) == ([*paths, note], [*labels, "b"])
    assert list_places(paths[:2]) == (paths[:2], labels[:2])
    assert labelled_inputs(list_places(paths)).labels.tolist() == labels
    with pytest.raises(DatasetError) as error:
        labelled_inputs(Listing(paths, [None] * 12))
    assert str(error.value).startswith("images: none of the 12 images has a label.")
