"""A library leaves its host alone: what a call sets for the whole process, it restores."""

import subprocess
import sys

import numpy as np
from PIL import Image

SETTINGS = """
import gc, json, locale, logging, os, random, signal, sys, threading, warnings
import cv2, joblib, numpy as np, PIL.Image, scipy, sklearn, threadpoolctl, torch, skorch, pyarrow
import matplotlib.figure

libraries = threadpoolctl.ThreadpoolController()


def settings():
    return {
        "warning filters": [repr(one) for one in warnings.filters],
        "showwarning": repr(warnings.showwarning),
        "handlers of PIL": repr(logging.getLogger("PIL").handlers),
        "handlers": repr(logging.getLogger().handlers),
        "level": logging.getLogger("PIL").level,
        "threads of OpenCV": cv2.getNumThreads(),
        "OpenCV optimized": cv2.useOptimized(),
        "threads of BLAS": [(one["filepath"], one["num_threads"]) for one in libraries.info()],
        "threads of torch": torch.get_num_threads(),
        "signals": [repr(signal.getsignal(number)) for number in signal.valid_signals()],
        "numpy errors": np.geterr(),
        "numpy's random numbers": repr(np.random.get_state()),
        "random numbers": random.getstate(),
        "torch's random numbers": torch.random.get_rng_state().tolist(),
        "torch's default type": str(torch.get_default_dtype()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "scikit-learn": sklearn.get_config(),
        "environment": dict(os.environ),
        "path": sys.path,
        "working folder": os.getcwd(),
        "locale": [locale.setlocale(kind) for kind in (locale.LC_ALL, locale.LC_NUMERIC)],
        "garbage collector": [gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()],
        "hooks": [repr(sys.excepthook), repr(threading.excepthook), repr(sys.unraisablehook)],
        "recursion": sys.getrecursionlimit(),
        "switches": sys.getswitchinterval(),
        "matplotlib": repr(matplotlib.rcParams),
        "standard streams": [repr(sys.stdin), repr(sys.stdout), repr(sys.stderr)],
    }


np.random.seed(1)
torch.manual_seed(1)
# The first optimizer loads the compiler of torch, which sets variables of the environment.
torch.optim.SGD([torch.zeros(1)]).step()
warnings.filterwarnings("error", module="mine")
before = settings()
"""

WORK = """
import featx
found = {"import": settings()}
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from featx import (
    HOG, BagOfWords, ConvNet, DenseSIFT, ReadImages, Rectify, Sobel, Stream, Summarize,
    compare, evaluate, explain, extract, load_dataset, load_model, predict, read_features,
    save_model, train,
)

paths, labels = load_dataset("photos")
read = ReadImages(size=(32, 32), mode="gray")
pixels = read.transform(paths)
found["read"] = settings()
Sobel().transform(pixels)
Stream([read, Sobel(), Rectify(), Summarize()], n_jobs=2).transform(paths)
found["transform"] = settings()
words = Stream([read, DenseSIFT(step=8), BagOfWords(n_words=4, n_samples=200)])
words = make_pipeline(words, LogisticRegression())
model = train("photos", recipe=words).model
save_model(model, "m.skops")
load_model("m.skops")
predict("photos", model=model)
evaluate("photos", model=model)
explain(paths[0], model=model, out="explanation.html")
found["train"] = settings()
ConvNet("two-layer", epochs=1).fit(pixels, labels).predict(pixels)
found["network"] = settings()
extract("photos", recipe=make_pipeline(Stream([read, HOG()]), LogisticRegression()), out="store")
read_features("store")
found["extract"] = settings()
compare("photos", recipe={"words": words}, folds=2, cache=False, out="report")
found["compare"] = settings()
for what, after in found.items():
    for name in before:
        if repr(after[name]) != repr(before[name]):
            print(what, name, before[name], after[name], sep=chr(10))
"""


def test_nothing_of_the_process_is_changed(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(16):
        folder = tmp_path / "photos" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (40, 48, 3), np.uint8)
        pixels[:: 2 + index % 2] //= 4
        suffix = ["jpg", "png", "tiff", "gif"][index // 4]
        Image.fromarray(pixels).save(folder / f"{index}.{suffix}")
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS + WORK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


UMASK = """
import os, sys, threading
from featx.io.writing import new_file, new_folder

seen, done = set(), threading.Event()


def watch():
    while not done.is_set():
        with open("/proc/self/status") as status:
            seen.update(line for line in status if line.startswith("Umask"))


os.umask(0o027)
thread = threading.Thread(target=watch)
thread.start()
for index in range(300):
    with new_file(f"{index}.txt") as file:
        file.write_text("x")
    with new_folder(f"folder {index}"):
        pass
done.set()
thread.join()
print([*seen], oct(os.stat("0.txt").st_mode), oct(os.stat("folder 0").st_mode))
"""


def test_other_threads_keep_their_umask(tmp_path):
    command = [sys.executable, "-c", UMASK]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['Umask:\\t0027\\n'] 0o100640 0o40750\n"
