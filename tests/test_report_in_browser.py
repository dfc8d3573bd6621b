"""The report in a real browser: what it shows, what it does, and what it leaves alone."""

import json
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from featx import HOG, ReadImages, Sobel, SpatialPyramid, Stream, Summarize
from featx.evaluation.comparison import compare
from featx.report.comparison import write_comparison

LABELS = [
    "<script>alert(1)</script>",
    "=1+1 \"quoted\" 'and' & more",
    "bell\x07 and \x1b[31m escape",
    "\u202eright to left עברית",
    "long " * 60,
]


def pipelines():
    reading = ReadImages(size=(32, 32), mode="gray")
    hog = Stream([reading, HOG(pixels_per_cell=(8, 8))])
    return {
        "hog": make_pipeline(hog, GaussianNB()),
        "pyramid": make_pipeline(Stream([reading, SpatialPyramid([2])]), GaussianNB()),
        "<img src=x onerror=alert(2)>": make_pipeline(
            Stream([reading, Sobel(axis="vertical"), Summarize(["mean_square"])]), GaussianNB()
        ),
        "fails": make_pipeline(hog, KNeighborsClassifier(1000)),
    }


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths, labels = [], []
    for index in range(60):
        image = rng.integers(0, 256, (40, 48, 3), np.uint8)
        image[:, :: 2 + index % 5] //= 3
        paths.append(str(folder / f"{index} <b>&\"'\u202e.png"))
        Image.fromarray(image).save(paths[-1])
        labels.append(LABELS[index % 5])
    shutil.copy(paths[0], folder / "copy.png")
    (folder / "broken <i>.png").write_bytes(b"broken")
    paths += [str(folder / "copy.png"), str(folder / "broken <i>.png")]
    labels += [labels[0], labels[0]]
    return compare(pipelines(), paths, labels, folds=3, learning_curves=True)


@pytest.fixture(scope="module")
def report(comparison, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_comparison(comparison, folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def driver():
    browser, service = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not service:
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    # In a container, Chromium's own sandbox has nothing to stand on.
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(service))
    driver.set_script_timeout(300)  # axe takes seconds, and on a busy machine much longer
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, report):
    """Open the report at the size of a laptop, in the light."""
    show(driver, report)
    return driver


def show(driver, report, width=1280, height=800, theme="light", media="screen"):
    theme = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [theme]})
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(report.as_uri())


def find(driver, selector):
    return driver.find_elements("css selector", selector)


def test_nothing_goes_wrong_and_nothing_leaves_the_page(page, report):
    assert page.get_log("browser") == []
    requests = []
    for entry in page.get_log("performance"):
        sent = json.loads(entry["message"])["message"]
        if sent["method"] == "Network.requestWillBeSent":
            requests.append(sent["params"]["request"]["url"])
    assert report.as_uri() in requests
    assert all(url.startswith(("data:", report.parent.as_uri())) for url in requests)


def test_hostile_names_are_text(page, comparison):
    assert find(page, "main script, main b i, main img[src=x]") == []
    text = page.execute_script("return document.body.textContent")
    assert "<script>alert(1)</script>" in text
    assert "<img src=x onerror=alert(2)>" in text
    assert r"bell\x07 and \x1b[31m escape" in text
    assert "\\u202eright to left עברית" in text
    assert not any(character in text for character in "\x07\x1b\u202e")


def test_all_numbers_are_there_without_scripts(driver, report, comparison):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(driver, report)
        # On a busy machine, the layout may follow the page's load event.
        expected = len(comparison.results) - 1
        for _ in range(100):
            shown = [part for part in find(driver, "article") if part.is_displayed()]
            if len(shown) == expected:
                break
            time.sleep(0.1)
        assert len(shown) == expected
        rows = find(driver, "#accuracy tbody tr")
        for row, result in zip(rows, comparison.results, strict=True):
            if result.measures:
                assert f"{100 * result.accuracy:.1f}" in row.text
                assert f"{100 * result.measures['macro_f1'].value:.1f}" in row.text
        buttons = find(driver, "button")
        assert buttons
        assert not any(button.is_displayed() for button in buttons)
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_tables_are_sorted(page, comparison):
    headings = find(page, "#accuracy thead th")
    place = [heading.text.split(",")[0] for heading in headings].index("Accuracy")
    button = headings[place].find_element("css selector", "button")

    def order():
        return [row.text.splitlines()[0] for row in find(page, "#accuracy tbody th")]

    answered = [result for result in comparison.results if result.measures]
    best_first = sorted(answered, key=lambda result: -result.accuracy)
    button.click()
    assert headings[place].get_attribute("aria-sort") == "descending"
    assert order()[0] == best_first[0].name
    assert order()[-1] == "fails"  # what is not known comes last, either way
    button.send_keys("\ue007")  # the key Enter
    assert headings[place].get_attribute("aria-sort") == "ascending"
    assert order()[0] in [one.name for one in answered if one.accuracy == best_first[-1].accuracy]
    assert order()[-1] == "fails"


def test_recipes_are_switched(page, comparison):
    def shown():
        return [part.get_attribute("data-recipe") for part in find(page, "article:not([hidden])")]

    assert len(shown()) == 1
    for button in find(page, "[data-recipe-choice]")[:-1]:
        button.click()
        assert shown() == [button.get_attribute("data-recipe-choice")]
        assert button.get_attribute("aria-pressed") == "true"
    find(page, "[data-recipe-choice]")[-1].click()
    assert len(shown()) == len(comparison.results) - 1
    find(page, "a[data-shows=hog]")[0].click()
    assert shown() == ["hog"]


def test_galleries_are_filtered(page, comparison):
    find(page, "[data-recipe-choice=pyramid]")[0].click()
    (part,) = find(page, "[data-recipe=pyramid]")

    def shown():
        items = part.find_elements("css selector", "li[data-truth]:not([hidden])")
        return [item.get_attribute("data-truth") for item in items]

    before = shown()
    truth = part.find_element("css selector", "[data-filters] select")
    options = truth.find_elements("css selector", "option")
    name = before[0]
    next(option for option in options if option.get_attribute("value") == name).click()
    assert set(shown()) == {name}
    assert len(shown()) == before.count(name)
    status = part.find_element("css selector", "[role=status]")
    assert status.text == f"{len(shown())} images shown"
    options[0].click()
    assert shown() == before


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(driver, report, theme):
    package = find_spec("axe_core_python")
    if package is None:
        pytest.skip("axe-core-python is not installed")
    show(driver, report, theme=theme)
    find(driver, "[data-recipe-choice]")[-1].click()
    driver.execute_script("document.querySelectorAll('details').forEach((one) => one.open = true)")
    (axe,) = Path(package.submodule_search_locations[0]).rglob("axe.min.js")
    driver.execute_script(axe.read_text(encoding="utf-8"))
    found = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_page(driver, report, width):
    show(driver, report, width=width)
    find(driver, "[data-recipe-choice]")[-1].click()
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_print_shows_every_recipe(driver, report, comparison):
    show(driver, report, media="print")
    shown = [part.get_attribute("data-recipe") for part in find(driver, "article")]
    assert shown == [result.name for result in comparison.results[1:]]
    for part in find(driver, "article"):
        assert part.rect["height"] > 100
    assert not any(part.is_displayed() for part in find(driver, ".tools, nav"))
