import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from featx import TextRows, load_recipe
from featx.descriptors.pattern_search import suppressed
from featx.descriptors.text_rows import text_rows


def written(text, size=(80, 240), height=30, place=(20, 20), paper=0.8, ink=0.2):
    """Draw text on even ground."""
    page = Image.new("F", size[::-1], paper)
    ImageDraw.Draw(page).text(place, text, ink, ImageFont.load_default(height))
    return np.array(page)


def strength(image, **parameters):
    return TextRows(**parameters).fit_transform([image])[0, 0]


def literal(image, contrast=1.5):
    """Find rows in one size, letter by letter and pair by pair, in double precision."""
    x = image.astype(np.float64)
    padded = np.pad(x, 15, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (31, 31))
    deviation = (x - windows.mean(axis=(2, 3))) / np.maximum(windows.std(axis=(2, 3)), 0.02)
    found = []
    for mask in (deviation > 0.3, deviation < -0.3):
        labels, count = ndimage.label(mask)
        distance = ndimage.distance_transform_edt(mask)
        letters = []
        for label in range(1, count + 1):
            region = labels == label
            rows, columns = np.nonzero(region)
            top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
            height, width = bottom - top, right - left
            # Where two regions are near, the ground between them is that of the later one.
            around = ndimage.maximum_filter(labels, 5)
            ground = x[(around == label) & ~mask]
            if len(ground) == 0:
                continue
            ink = x[region]
            apart = abs(ink.mean() - ground.mean())
            d = apart / np.sqrt(ink.var() + ground.var() + 1e-4)
            thickness = 2 * distance[region].max() - 1
            if (
                top > 0
                and left > 0
                and bottom < len(x)
                and right < len(x[0])
                and 8 <= height <= 45
                and 0.1 <= width / height <= 2
                and 0.12 <= region.sum() / (width * height) <= 0.8
                and thickness < 0.4 * height
                and apart >= 0.1
                and d >= contrast
            ):
                letters.append((top, bottom, left, right, thickness, ink.mean(), ground.mean(), d))
        rows = [{index} for index in range(len(letters))]
        for one in range(len(letters)):
            for other in range(one):
                if neighbors(letters[one], letters[other]):
                    first, second = (
                        next(row for row in rows if index in row) for index in (one, other)
                    )
                    if first is not second:
                        rows.remove(second)
                        first |= second
        for row in rows:
            if len(row) >= 3:
                of_row = np.array([letters[index] for index in row])
                top, left = of_row[:, [0, 2]].min(axis=0)
                bottom, right = of_row[:, [1, 3]].max(axis=0)
                sum_ = np.log(of_row[:, 7] / contrast).sum()
                found.append((sum_, top, left, bottom - top, right - left))
    return sorted(found)


def neighbors(one, other):
    (top, bottom, left, right, thickness, ink, ground, _) = one
    (top2, bottom2, left2, right2, thickness2, ink2, ground2, _) = other
    higher, lower = max(bottom - top, bottom2 - top2), min(bottom - top, bottom2 - top2)
    gap = max(left, left2) - min(right, right2)
    level = min(abs(top - top2), abs(bottom - bottom2), abs(top + bottom - top2 - bottom2) / 2)
    alike = 0.3 * min(abs(ink - ground), abs(ink2 - ground2))
    return (
        higher < 2 * lower
        and max(thickness, thickness2) < 1.5 * min(thickness, thickness2)
        and -0.3 * lower < gap < 0.8 * higher
        and level < 0.25 * higher
        and abs(ink - ink2) < alike
        and abs(ground - ground2) < alike
    )


@pytest.mark.parametrize("seed", range(6))
def test_rows_equal_those_found_one_by_one(seed):
    rng = np.random.default_rng(seed)
    page = Image.new("F", (200, 120), 0.7)
    for _ in range(6):
        text = "".join(rng.choice([*"AbeKo27nSt"], 6))
        place, font = rng.uniform(0, 90, 2), ImageFont.load_default(rng.uniform(14, 40))
        ImageDraw.Draw(page).text(tuple(place), text, rng.uniform(0, 1), font)
    image = cv2.GaussianBlur(np.asarray(page), (0, 0), 0.7) + rng.normal(0, 0.03, (120, 200))
    image = image.astype(np.float32)
    rows = sorted(text_rows(image[..., np.newaxis], size=8, step=100))
    expected = literal(image)
    assert len(rows) == len(expected) > 0
    np.testing.assert_allclose([*rows], expected, rtol=0, atol=1e-4)


def test_words_are_found_where_they_are():
    image = written("STOP 24")
    box = suppressed(text_rows(image[..., np.newaxis]), 0.3)[0]
    rows, columns = np.nonzero(image < 0.5)
    assert box.row == pytest.approx(rows.min(), abs=2)
    assert box.column == pytest.approx(columns.min(), abs=2)
    assert box.row + box.height == pytest.approx(rows.max() + 1, abs=2)
    # The gap between words is as wide as a letter.
    assert box.column + box.width <= columns.max() + 3


@pytest.mark.parametrize("scale", [0.3, 0.5, 1, 2, 4])
def test_letters_of_any_size(scale):
    size = round(80 * scale), round(240 * scale)
    assert strength(written("Closed", size, 30 * scale, (20 * scale, 20 * scale))) > 0.5


def test_bright_letters_count_as_dark_ones_do():
    image = written("Closed")
    np.testing.assert_allclose(strength(1 - image), strength(image), rtol=1e-4)


def test_brightness_changes_nothing_and_contrast_little():
    image = written("Closed") + np.random.default_rng(0).normal(0, 0.03, (80, 240))
    np.testing.assert_allclose(strength(image + 0.1), strength(image), rtol=1e-3)
    assert strength(0.5 * image) > 0.8 * strength(image)


@pytest.mark.parametrize("angle", [-12, 12])
def test_rows_may_be_inclined(angle):
    turn = cv2.getRotationMatrix2D((120, 60), angle, 1)
    image = written("Closed shop", (120, 240), place=(25, 45))
    turned = cv2.warpAffine(image, turn, (240, 120), borderValue=0.8)
    assert strength(turned) > 4


def test_what_is_no_text():
    windows = np.full((80, 240), 0.8, np.float32)
    for left in range(20, 200, 20):
        windows[20:40, left : left + 12] = 0.2
    for image in (
        np.zeros((40, 40), np.float32),
        np.ones((40, 40), np.float32),
        windows,
        written("No"),  # two letters are no row
    ):
        assert strength(image) == 0


def test_noise_is_weaker_than_text():
    noise = np.random.default_rng(0).random((80, 240), np.float32)
    assert strength(noise) < 0.5 * strength(written("Closed"))


def test_less_contrast_is_asked_for():
    image = written("Closed") + np.random.default_rng(0).normal(0, 0.1, (80, 240))
    assert strength(image, contrast=1) > strength(image, contrast=2)


def test_small_letters_need_enlargement():
    image = written("Closed", height=10)
    assert strength(image) > strength(image, size=8)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (15, 40),
            "TextRows needs at least 16 x 16 pixels with these parameters, but image 0 is 15 x 40 "
            "pixels.",
        ),
        ((40, 40, 3), "TextRows: expected images of 1 channel, but image 0 has 3."),
    ],
)
def test_unsuitable_images(shape, message):
    with pytest.raises(ValueError) as caught:
        TextRows().fit_transform([np.zeros(shape, np.float32)])
    assert str(caught.value) == message


def test_the_recipe_on_photographs(real_data):
    texts = sorted((real_data / "text").iterdir())
    scenes = sorted((real_data / "scenes8" / "train").glob("*/*.jpg"))[::30]
    recipe = load_recipe("contains-text")
    vectors = recipe[0].transform([*texts, *scenes])
    truth = np.repeat([1, 0], [len(texts), len(scenes)])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    right = cross_val_predict(recipe[1:], vectors, truth, cv=folds) == truth
    assert right[: len(texts)].all()
    assert right[len(texts) :].mean() >= 0.95
