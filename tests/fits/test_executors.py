"""Tasks in this process, in threads, and on a real cluster of two processes."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from bayescale.errors import DataError, SettingError, TaskError
from bayescale.fits.executors import Executor, Task, check_executor, run_tasks


def square(x: int) -> int:
    return x * x


def fail(x: int) -> int:
    raise ValueError(f"no square of {x}")


def results(tasks: list[Task], executor: Executor | None) -> dict[int, int]:
    """Results by index; a task that is told twice fails the test."""
    found: dict[int, int] = {}

    def done(i: int, result: int) -> None:
        assert i not in found
        found[i] = result

    run_tasks(tasks, executor, done)
    return found


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


class TestTasks:
    def test_results_are_the_same_here_and_there(self, pool: ThreadPoolExecutor) -> None:
        tasks = [Task(f"{x} squared", square, (x,)) for x in range(20)]
        assert results(tasks, pool) == results(tasks, None) == {i: i * i for i in range(20)}

    def test_nothing_to_do(self, pool: ThreadPoolExecutor) -> None:
        assert results([], pool) == results([], None) == {}

    def test_results_come_as_tasks_end(self, pool: ThreadPoolExecutor) -> None:
        gate, order = threading.Event(), []

        def wait() -> int:
            assert gate.wait(30)
            return 0

        def done(i: int, _: int) -> None:
            order.append(i)
            if i == 1:
                gate.set()

        run_tasks([Task("slow", wait, ()), Task("quick", square, (2,))], pool, done)
        assert order == [1, 0]

    def test_a_task_that_fails_is_named_and_the_others_end(self, pool: ThreadPoolExecutor) -> None:
        found: list[int] = []
        tasks = [Task(f"task {x}", fail if x in (1, 3) else square, (x,)) for x in range(5)]
        with pytest.raises(TaskError) as caught:
            run_tasks(tasks, pool, lambda i, result: found.append(result))
        assert sorted(found) == [0, 4, 16]
        for text in ("2 of 5 tasks: task ", "task 1", "task 3", "ValueError: no square of"):
            assert text in str(caught.value)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_here_the_first_error_ends_them(self) -> None:
        with pytest.raises(ValueError, match="no square of 0"):
            results([Task("zero", fail, (0,)), Task("one", square, (1,))], None)

    def test_an_error_of_the_caller_gives_up_what_has_not_begun(self) -> None:
        begun: list[int] = []

        def slow(x: int) -> int:
            begun.append(x)
            time.sleep(0.05)
            return x

        def stop(_: int, __: int) -> None:
            raise KeyboardInterrupt

        with ThreadPoolExecutor(1) as one, pytest.raises(KeyboardInterrupt):
            run_tasks([Task(str(x), slow, (x,)) for x in range(50)], one, stop)
        assert len(begun) < 10

    def test_an_error_while_tasks_are_submitted_gives_up_those_before(self) -> None:
        begun: list[int] = []

        class Broken:
            def __init__(self, pool: ThreadPoolExecutor) -> None:
                self.pool, self.left = pool, 5

            def submit(self, function, /, *arguments) -> Future:  # type: ignore[no-untyped-def, type-arg]
                self.left -= 1
                if not self.left:
                    raise KeyboardInterrupt
                return self.pool.submit(function, *arguments)

        def slow(x: int) -> None:
            begun.append(x)
            time.sleep(0.2)

        with ThreadPoolExecutor(1) as one, pytest.raises(KeyboardInterrupt):
            run_tasks([Task("same", slow, (x,)) for x in range(9)], Broken(one), print)
        assert len(begun) < 4

    def test_devices_that_differ_are_told(
        self, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts = iter([3, 2])
        monkeypatch.setattr("bayescale.fits.executors.jax.devices", lambda: [0] * next(counts))
        with pytest.raises(TaskError, match=r"devices of a worker: must be as many .*, 3; got 2"):
            results([Task("two", square, (2,))], pool)


class TestExecutor:
    def test_a_pool_that_forks_is_refused(self) -> None:
        for method in ("fork", "spawn", "forkserver"):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
                if method == "fork":
                    with pytest.raises(SettingError, match="must not fork"):
                        check_executor(pool)
                else:
                    check_executor(pool)

    def test_errors_of_the_package_reach_another_process_whole(self) -> None:
        error = DataError("runs", rule="must be two", got=1, way_out="add one")
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is DataError
        assert (str(copy), copy.got) == (str(error), error.got)

    def test_none_and_whatever_submits_are_taken(self, pool: ThreadPoolExecutor) -> None:
        class Mine:
            def submit(self, function, /, *arguments) -> Future:  # type: ignore[no-untyped-def, type-arg]
                return pool.submit(function, *arguments)

        check_executor(None)
        check_executor(Mine())
        assert results([Task("two", square, (2,))], Mine()) == {0: 4}

    @pytest.mark.parametrize("wrong", ["tcp://127.0.0.1:8786", 2, object(), square])
    def test_anything_else_is_refused(self, wrong: object) -> None:
        with pytest.raises(SettingError, match="executor: must have a method submit"):
            check_executor(wrong)


# A backtest here and on a cluster of two processes, one of which is killed the first time that it
# makes a fold; then tasks of which one fails. Prints what a test looks at.
ON_A_CLUSTER = '''
import json, os, signal, sys
from pathlib import Path
import bayescale as bs
from bayescale.backtests import backtest as backtesting

folder = Path(sys.argv[1])
made = backtesting._make_fold

def killed_once(split, model, with_baselines, fit):
    """The fold, in a process that dies the first time, and that counts the folds it makes."""
    try:
        (folder / "killed").touch(exist_ok=False)
    except FileExistsError:
        fold = made(split, model, with_baselines, fit)
        with (folder / "made").open("a") as lines:
            print(model, split.cut, file=lines)
        return fold
    os.kill(os.getpid(), signal.SIGKILL)

def same(one, other):
    return bool(one.cases.equals(other.cases) and one.folds.equals(other.folds))

def no_forecast(split, model, with_baselines, fit):
    if split.cut == 1e21:
        raise ArithmeticError("as asked")
    return made(split, model, with_baselines, fit)

def main():
    from distributed import Client, LocalCluster
    bs.setup(2)
    ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    asked = dict(cuts=[5e20, 1e21, 3e21], law="compute", chains=2, draws=100)
    here = bs.backtest(ladder, **asked)
    local = dict(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with LocalCluster(**local) as cluster, Client(cluster) as client:
        backtesting._make_fold = killed_once
        there = bs.backtest(ladder, executor=client, **asked)
        lines = (folder / "made").read_text().splitlines()
        backtesting._make_fold = no_forecast
        try:
            bs.backtest(ladder, executor=client, seed=1, **asked)
            told = ""
        except bs.TaskError as error:
            told = str(error)
        backtesting._make_fold = made
        begun = []
        again = bs.backtest(
            ladder, executor=client, seed=1, progress=lambda _, share: begun.append(share), **asked
        )
    print(json.dumps({
        "same": same(here, there), "made": lines, "told": told, "first share": begun[0],
        "again": same(again, bs.backtest(ladder, seed=1, **asked)),
    }))

if __name__ == "__main__":
    main()
'''


@pytest.mark.slow
def test_a_backtest_on_a_cluster_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text(ON_A_CLUSTER)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "study.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"]
    assert (tmp_path / "killed").exists()
    assert len(set(found["made"])) == len(found["made"]) == 9
    assert "3 of 9 tasks" in found["told"]
    assert "flops up to 1e+21" in found["told"]
    assert "ArithmeticError: as asked" in found["told"]
    # The six folds that had been made are taken up.
    assert found["first share"] == pytest.approx(6 / 9)
    assert found["again"]
