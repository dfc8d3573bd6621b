import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pyarrow import dataset, parquet

from featx import __version__, load_recipe, read_features

OWN = "Import your own stages with --plugin MODULE."


def test_a_folder(featx, photos, recipe):
    run = featx("extract", photos, "--recipe", recipe, "--out", "out")
    assert run.code == 0
    assert run.out == "out: 2 features of 12 images, 0 rejected\n"
    assert run.err == "12 images\n"
    found = read_features("out")
    paths = [str(path) for path in sorted(photos.glob("*/*"))]
    assert found.paths == paths
    assert found.labels.tolist() == [Path(path).parent.name for path in paths]
    stream = load_recipe(recipe)[0]
    np.testing.assert_array_equal(found.vectors, stream.fit_transform(paths))
    metadata = json.loads(parquet.read_schema("out/part-000000.parquet").metadata[b"featx"])
    assert [next(iter(step)) for step in metadata.pop("steps")] == [
        "featx.ReadImages",
        "featx.Sobel",
        "featx.Summarize",
    ]
    assert len(metadata.pop("digest")) == 16
    assert metadata == {
        "recipe": "small",
        "format": 1,
        "featx_version": __version__,
        "dimensions": 2,
        "sets": False,
        "names": stream.get_feature_names_out().tolist(),
    }


@pytest.mark.parametrize("strict", [False, True])
def test_refused_images(featx, photos, damaged, refused_lines, recipe, strict, tmp_path):
    options = ["--strict"] if strict else []
    run = featx("extract", photos, "--recipe", recipe, "--out", "out", *options)
    assert run.code == int(strict)
    assert run.out == "out: 2 features of 12 images, 3 rejected\n"
    assert run.err == (
        f"15 images (3 rejected)\n{refused_lines}"
        "rejected: 1 empty, 1 not-an-image, 1 truncated; "
        f"listed in {tmp_path}/here/out.refused.csv\n"
    )
    table = dataset.dataset("out").to_table()
    names = [str(path.relative_to(photos)) for path in sorted(photos.glob("*/*"))]
    assert table["path"].to_pylist() == [f"{photos}/{name}" for name in names]
    reasons = [damaged[name][0] if name in damaged else None for name in names]
    assert table["reason"].to_pylist() == reasons
    assert [row is None for row in table["features"].to_pylist()] == [
        reason is not None for reason in reasons
    ]


def test_many_rejected_images_are_summarized(featx, photos, recipe, tmp_path):
    for index in range(21):
        (photos / "city" / f"empty {index}.png").write_bytes(b"")
    run = featx("extract", photos, "--recipe", recipe, "--out", "out")
    assert run.err == (
        f"33 images (21 rejected)\nrejected: 21 empty; listed in {tmp_path}/here/out.refused.csv\n"
    )


def test_strict_without_rejected_images(featx, photos, recipe):
    assert featx("extract", photos, "--recipe", recipe, "--out", "out", "--strict").code == 0


def test_json(featx, photos, damaged, recipe):
    run = featx("extract", photos, "--recipe", recipe, "--out", "out", "--json")
    assert json.loads(run.out) == {
        "out": "out",
        "images": 15,
        "earlier": 0,
        "removed": 0,
        "dimensions": 2,
        "refused": [
            {"path": f"{photos}/{name}", "reason": reason, "detail": detail}
            for name, (reason, detail) in damaged.items()
        ],
        "complete": True,
    }


def test_again(featx, photos, damaged, recipe):
    command = "extract", photos, "--recipe", recipe, "--out", "out"
    assert featx(*command).code == 0
    run = featx(*command)
    assert run.out == "out: 2 features of 12 images, 3 rejected, 15 finished earlier\n"
    (photos / "city" / "00.png").unlink()
    (photos / "city" / "02.png").write_bytes(b"")
    run = featx(*command)
    assert run.out == (
        "out: 2 features of 10 images, 4 rejected, 13 finished earlier; 1 missing files are "
        "marked\n"
    )
    assert len(read_features("out").paths) == 10
    recipe.write_text(recipe.read_text().replace("both", "vertical"))
    run = featx(*command)
    assert (run.code, run.out, run.err) == (
        1,
        "",
        'featx: out: contains features of another recipe, small: step 2, Sobel: axis is "both" in '
        'the store and "vertical" in this recipe. Choose another folder.\n',
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped(photos, recipe, tmp_path, number, wait_for):
    for index in range(2000):
        shutil.copy(photos / "city" / "00.png", photos / "city" / f"copy {index}.png")
    names = [f"{path}\n" for path in sorted(photos.glob("*/*"))]
    command = [sys.executable, "-m", "featx", "extract", "-", "--recipe", recipe]
    command += ["--out", tmp_path / "out", "--jobs", "1"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    # The run waits for the rest of the list, so it cannot end early.
    process.stdin.writelines(names[:1600])
    process.stdin.flush()
    wait_for((tmp_path / "out" / "part-000000.parquet").exists, process)
    # A terminal sends SIGINT to all processes.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    out, err = process.communicate("".join(names[1600:]), timeout=600)
    assert process.returncode == 128 + number
    rows = len(read_features(tmp_path / "out").paths)
    assert 1024 <= rows <= 1600
    assert out == f"{tmp_path}/out: 2 features of {rows} images, 0 rejected\n"
    # A slow machine also prints lines of progress.
    assert [line for line in err.splitlines() if line.startswith("featx: ")] == [
        "featx: finishing the current images. Press Ctrl+C again to stop at once.",
        "featx: stopped. To resume, run the same command again.",
        "featx: interrupted.",
    ]
    done = subprocess.run(command, input="".join(names), capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"{tmp_path}/out: 2 features of 2012 images, 0 rejected, {rows} finished earlier\n"
    )
    found = read_features(tmp_path / "out").paths
    assert found == sorted(found)
    assert len(found) == 2012


def test_labels(featx, photos, recipe):
    options = ["--labels", "town=city", "--labels", "land=field"]
    assert featx("extract", photos, "--recipe", recipe, "--out", "out", *options).code == 0
    assert read_features("out").labels.tolist() == ["town"] * 6 + ["land"] * 6
    assert featx("extract", photos, "--recipe", recipe, "--out", "1", *options[:2]).code == 0
    assert read_features("1").labels.tolist() == ["town"] * 6


def test_a_glob_a_manifest_and_a_file(featx, photos, recipe):
    Path("m.csv").write_text(f"path\n{photos}/city/00.png\n{photos}/field/01.png\n")
    for number, (images, count) in enumerate(
        {f"{photos}/*/0*.png": 10, "m.csv": 2, f"{photos}/city/00.png": 1}.items()
    ):
        run = featx("extract", images, "--recipe", recipe, "--out", f"{number}")
        assert run.code == 0
        assert len(read_features(f"{number}").paths) == count


@pytest.mark.parametrize("jobs", [0, -5])
def test_wrong_number_of_jobs(featx, photos, recipe, jobs):
    run = featx("extract", photos, "--recipe", recipe, "--out", "o", "--jobs", jobs)
    assert run.code == 2
    assert run.err == (
        f"featx: --jobs {jobs}: is out of range. Choose 1 or more, or -1 for one per processor.\n"
    )
    assert not Path("o").exists()


@pytest.mark.parametrize("jobs", [1, 2, -1])
def test_jobs(featx, photos, recipe, jobs):
    assert featx("extract", photos, "--recipe", recipe, "--out", "o", "--jobs", jobs).code == 0
    stream = load_recipe(recipe)[0]
    found = read_features("o")
    np.testing.assert_array_equal(found.vectors, stream.fit_transform(found.paths))


def test_control_characters_in_names_are_escaped(featx, photos, recipe):
    name = os.fsencode(photos) + b"/city/\xff\n\x1b[31m.png"
    Path(os.fsdecode(name)).write_bytes(b"")
    run = featx("extract", photos, "--recipe", recipe, "--out", "out", "--json")
    assert run.err.splitlines()[1] == (
        f"rejected: {photos}/city/\\xff\\n\\x1b[31m.png: empty: the file has no bytes."
    )
    assert run.err.splitlines()[2].startswith("rejected: 1 empty; listed in ")
    (refused,) = json.loads(run.out)["refused"]
    assert refused["path"] == f"{photos}/city/\\xff\n\x1b[31m.png"
    assert refused["path"] in dataset.dataset("out").to_table()["path"].to_pylist()


def test_the_current_folder_as_output(featx, photos, recipe):
    assert featx("extract", photos, "--recipe", recipe, "--out", ".").code == 0
    assert os.listdir() == ["part-000000.parquet"]


class TestErrors:
    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (
                "nowhere",
                "nowhere: no such folder or file. IMAGES is looked for from the current folder, "
                "{here}.",
            ),
            (
                "no/where.csv",
                "no/where.csv: no such folder or file. The folder {here}/no does not exist either.",
            ),
            (
                "nothing/*.png",
                "nothing/*.png: no file matches this pattern. Write * for any name, and ** for "
                "folders at any depth.",
            ),
        ],
    )
    def test_no_images(self, featx, recipe, images, message, nothing_new):
        nothing_new()
        run = featx("extract", images, "--recipe", recipe, "--out", "out")
        message = message.format(here=os.getcwd())
        assert (run.code, run.out, run.err) == (2, "", f"featx: {message}\n")
        nothing_new()

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("x=cty", "--labels x=cty: no image has the class 'cty'. Did you mean city?"),
            (
                "x",
                "--labels x: is not of the form NEW=OLD,OLD. Write it such as --labels "
                "city=street,tower.",
            ),
        ],
    )
    def test_labels(self, featx, photos, recipe, option, message, nothing_new):
        nothing_new()
        run = featx("extract", photos, "--recipe", recipe, "--out", "o", "--labels", option)
        assert (run.code, run.out, run.err) == (2, "", f"featx: {message}\n")
        nothing_new()

    def test_no_such_recipe(self, featx, photos, nothing_new):
        nothing_new()
        run = featx("extract", photos, "--recipe", "hog-smv", "--out", "out")
        assert (run.code, run.out, run.err) == (
            2,
            "",
            "featx: --recipe hog-smv: no such recipe or file. Did you mean hog-svm?\n",
        )
        nothing_new()

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("Sobel", "Sobl", f"5: unknown stage 'Sobl'. Did you mean Sobel? {OWN}"),
            ("axis", "axs", "5: Sobel has no parameter 'axs'. Did you mean axis?"),
            (
                "GaussianNB",
                "GausianNB",
                f"8: unknown stage 'GausianNB'. Did you mean GaussianNB? {OWN}",
            ),
            (
                "both",
                "bth",
                "5: The 'axis' parameter of Sobel must be a str among {'both', 'horizontal', "
                "'magnitude', 'vertical'}. Got 'bth' instead.",
            ),
        ],
    )
    def test_a_misspelt_recipe(self, featx, photos, recipe, old, new, message, nothing_new):
        recipe.write_text(recipe.read_text().replace(old, new))
        nothing_new()
        run = featx("extract", photos, "--recipe", recipe, "--out", "out")
        assert (run.code, run.out) == (2, "")
        assert run.err == f"featx: {recipe}:{message}\n"
        nothing_new()

    def test_a_folder_of_other_files_is_kept(self, featx, photos, recipe, nothing_new):
        nothing_new()
        run = featx("extract", photos, "--recipe", recipe, "--out", photos)
        assert (run.code, run.out, run.err) == (
            2,
            "",
            f"featx: --out {photos}: exists already and holds no features. Choose another name.\n",
        )
        nothing_new()

    def test_below_a_file(self, featx, photos, recipe, nothing_new):
        nothing_new()
        run = featx("extract", photos, "--recipe", recipe, "--out", f"{recipe}/new/out")
        assert (run.code, run.out, run.err) == (
            2,
            "",
            f"featx: --out {recipe}/new/out: cannot be written: Not a directory.\n",
        )
        nothing_new()

    def test_all_refused(self, featx, photos, damaged, recipe, nothing_new):
        nothing_new()
        run = featx("extract", photos / "field" / "*.txt", "--recipe", recipe, "--out", "a/b")
        reason, detail = damaged["field/note.txt"]
        assert (run.code, run.out) == (1, "")
        assert run.err == (
            f"featx: All 1 images were rejected. The first: {photos}/field/note.txt: {reason}: "
            f"{detail}\n"
        )
        nothing_new()

    def test_no_vectors(self, featx, photos, recipe, nothing_new):
        recipe.write_text("title: t\nsource: s\nsteps:\n  - ReadImages\n  - Sobel\n")
        nothing_new()
        run = featx("extract", photos, "--recipe", recipe, "--out", "out")
        assert (run.code, run.out, run.err) == (
            1,
            "",
            "featx: The stateless stages of the recipe do not return vectors. End its image "
            "stages with a stage that does, such as Summarize or HOG.\n",
        )
        nothing_new()


def test_a_folder_of_sounds(featx, tmp_path):
    time = np.arange(22_050) / 22_050
    for name, hertz in {"A4/one.wav": 440, "A4/two.flac": 440, "C5/one.ogg": 523.25}.items():
        (tmp_path / "sounds" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "sounds" / name, np.sin(2 * np.pi * hertz * time) / 2, 22_050)
    (tmp_path / "sounds" / "C5" / "part.wav").write_bytes(b"RIFF....WAVE")
    run = featx("extract", tmp_path / "sounds", "--recipe", "which-note", "--out", "out")
    assert run.code == 0
    assert run.out == "out: 61 features of 3 images, 1 rejected\n"
    first, each, summary = run.err.splitlines()
    assert first == "4 images (1 rejected)"
    assert each.startswith(f"rejected: {tmp_path}/sounds/C5/part.wav: corrupt: ")
    assert summary == f"rejected: 1 corrupt; listed in {tmp_path}/here/out.refused.csv"
    found = read_features("out")
    assert found.labels.tolist() == ["A4", "A4", "C5"]
    heard = [found.names[row.argmax()] for row in found.vectors]
    assert heard == ["signal_A4_mean", "signal_A4_mean", "signal_C5_mean"]
