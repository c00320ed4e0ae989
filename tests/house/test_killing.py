"""Processes that are killed while they write, and processes that write one file together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit

WRITERS = ("fit", "report", "table", "fold")
KILLS = 25
# Imports once, and then forks a child for each kill: the child writes again and again, and is
# killed between 0 and 60 ms later. The next save is whole and removes what the child left.
SCRIPT = """
import json, os, pathlib, random, signal, sys, time, zipfile
from dataclasses import replace
import pandas as pd, xarray as xr
import bayescale as bs
from bayescale.backtests.cache import Cache, Fold
from bayescale.files import atomic_write
from bayescale.fits.settings import make_settings
from bayescale.inference.nuts import Sampler
from bayescale.inference.posterior import Posterior
from bayescale.models.stages import Stages
from bayescale.reports.report import Report

which, folder, source = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
bs.setup()
fit = bs.load_fit(source)
# A save of these two groups alone is quick.
groups = {name: fit.losses[name].to_dataset() for name in ("posterior", "sample_stats")}
posterior = Posterior(xr.DataTree.from_dict(groups))
fit = replace(fit, posteriors=Stages(posterior, None))
table = pd.concat([fit.ladder.frame] * 20)
if which == "fold":
    none = dict.fromkeys(("law", "link", "via", "blocks", "priors"))
    asked = dict(pooling="partial", discrepancy="none", noise="normal")
    settings = make_settings(fit.ladder, **none, **asked)
    cache = Cache(fit.ladder, settings, Sampler(), by="flops", baselines=False)

def save(i):
    if which == "fit":
        fit.save(folder / "a.fit")
    elif which == "report":
        Report("<p>" + str(i) * 3_000_000 + "</p>", ()).save(folder / "a.html")
    elif which == "table":
        with atomic_write(folder / "a.csv") as temporary:
            table.assign(tokens=i).to_csv(temporary, index=False)
    else:
        cases = fit.ladder.frame.head(2).assign(crps=float(i))
        cache.save("bayescale", 1e20, Fold(cases, pd.DataFrame({"cut": [i]})))

def whole():
    if which == "fit":
        with zipfile.ZipFile(folder / "a.fit") as archive:
            return archive.testzip() is None
    if which == "report":
        text = (folder / "a.html").read_text()
        return len(set(text[3:-4])) == 1 and text.startswith("<p>") and text.endswith("</p>")
    if which == "table":
        read = pd.read_csv(folder / "a.csv")
        return len(read) == len(table) and read["tokens"].nunique() == 1
    return cache.load("bayescale", 1e20) is not None

def left():
    return len(list(folder.rglob(".bayescale-*")))

random.seed(0)
save(1)
broken, abandoned, stayed = 0, 0, 0
for kill in range(int(sys.argv[4])):
    child = os.fork()
    if not child:
        while True:
            save(kill % 10)
    time.sleep(random.uniform(0.0, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    broken += not whole()
    abandoned += left()
    save(1)
    stayed += left()
print(json.dumps({"broken": broken, "abandoned": abandoned, "stayed": stayed}))
"""


def start(*words: object, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", *map(str, words)],
        env={"XDG_CACHE_HOME": str(cache), "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def source(small_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "small.fit"
    small_fit.save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_a_kill_leaves_no_half_file_and_the_next_save_no_temporary_one(
    source: Path, tmp_path: Path, writer: str
) -> None:
    process = start(SCRIPT, writer, tmp_path, source, KILLS, cache=tmp_path)
    out, _ = process.communicate(timeout=600)
    counts = json.loads(out)
    # A fit is made in memory first, and its file is written within a millisecond.
    assert counts["abandoned"] > 0 or writer == "fit", "some kills came while a file was written"
    assert (counts["broken"], counts["stayed"]) == (0, 0)


WRITES = """
import pathlib, sys
import bayescale as bs
from bayescale.files import atomic_write
path, source, letter = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
bs.setup()
fit = bs.load_fit(source)
for _ in range(3):
    fit.save(path.with_suffix(".fit"))
    for _ in range(20):
        with atomic_write(path.with_suffix(".txt")) as temporary:
            temporary.write_text(letter * 1_000_000)
"""


@pytest.mark.slow
def test_processes_that_write_one_path_leave_one_whole_file(
    source: Path, tmp_path: Path, small_fit: Fit
) -> None:
    path = tmp_path / "out" / "a"
    path.parent.mkdir()
    writers = [start(WRITES, path, source, letter, cache=tmp_path) for letter in "ab"]
    seen: set[str] = set()
    while any(writer.poll() is None for writer in writers):
        if path.with_suffix(".txt").exists():
            seen.add(path.with_suffix(".txt").read_text())
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {"a" * 1_000_000, "b" * 1_000_000}
    assert load_fit(path.with_suffix(".fit")).ladder == small_fit.ladder
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.fit", "a.txt"]
