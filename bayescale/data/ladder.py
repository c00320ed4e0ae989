"""Ladder: what was trained. Immutable, and validated when it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pandas as pd

from bayescale.checks import Check
from bayescale.data import names, schema
from bayescale.data.below_chance import below_chance
from bayescale.data.suspicions import suspicions
from bayescale.data.target import Conventions, Target, six_nd, targets_of
from bayescale.errors import DataError
from bayescale.validation import as_list, require_choice


@dataclass(frozen=True, repr=False)
class Ladder:
    """A set of runs with losses and accuracies.

    Build one with `Ladder.from_frame`, a reader, or `load_dataset`. Every table that it returns is
    a copy, and every method that changes something returns a new ladder.

    Parameters
    ----------
    conventions
        How N is counted, the tokenizer, and the unit of each loss.
    law, link
        Names of the law and the link that a fit of this ladder uses by default.
    name, source
        Name of the ladder, and where its figures come from; for reports.
    notes
        What a reader understood of a file, and which runs were left out and why; one sentence each.
    """

    _rows: pd.DataFrame
    _tasks: pd.DataFrame
    conventions: Conventions = field(default_factory=Conventions)
    law: str = "skaling"
    link: str = "logistic"
    name: str = "ladder"
    source: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        tasks: pd.DataFrame | None = None,
        conventions: Conventions | None = None,
        law: str = "skaling",
        link: str = "logistic",
        name: str = "ladder",
        source: str = "",
    ) -> Ladder:
        """A ladder from the tidy run table, one row per (run, task).

        Parameters
        ----------
        frame
            Columns ``run``, ``params``, ``tokens``, ``task``, ``loss``; optionally ``corpus``,
            ``loss_name`` (default: the task's own loss), ``accuracy`` (a share), ``flops``,
            ``unique_tokens``, ``seed``, ``step``, ``role`` (``fit`` | ``link`` | ``target`` |
            ``held_out``, default ``fit``), ``schedule`` (of the learning rate, a text). A row
            without an accuracy only declares a loss series.
        tasks
            Columns ``task``, ``chance``, ``items``: needed for every task that has accuracies.
        conventions
            How N is counted, the tokenizer, and the unit of each loss; None where all of it is
            unknown.
        law, link
            Names of the law and the link that a fit of this ladder uses by default.
        name, source
            Name of the ladder, and where its figures come from; for reports.

        Returns
        -------
        Ladder
            The ladder, its tables checked.

        Raises
        ------
        DataError
            For a missing column, a value that breaks its rule, a (run, task) given twice, or a task
            without its chance.

        Examples
        --------
        >>> import pandas as pd
        >>> import bayescale as bs
        >>> runs = {"run": ["a", "b"], "params": [1e8, 4e8], "tokens": [2e9, 8e9]}
        >>> frame = pd.DataFrame({**runs, "task": "c4", "loss": [3.4, 2.9]})
        >>> bs.Ladder.from_frame(frame).loss_names
        ['c4']
        """
        rows = schema.parse_runs(frame)
        return cls(
            _rows=rows,
            _tasks=schema.parse_tasks(tasks, rows),
            conventions=conventions or Conventions(),
            law=law,
            link=link,
            name=name,
            source=source,
        )

    @property
    def frame(self) -> pd.DataFrame:
        """The tidy run table, one row per (run, task), or per (run, task, step)."""
        return self._rows.copy()

    @property
    def task_table(self) -> pd.DataFrame:
        """Chance and items of each task that has accuracies, indexed by task."""
        return self._tasks.copy()

    @property
    def runs(self) -> pd.DataFrame:
        """One row per run, indexed by its name: sizes, compute and role.

        Columns corpus, params, tokens, flops (measured, or nan), unique_tokens, role.
        """
        columns = ["run", "corpus", "params", "tokens", "flops", "unique_tokens", "role"]
        return self._rows[columns].drop_duplicates("run").set_index("run")

    @property
    def corpora(self) -> list[str]:
        """Corpora in the order of the table."""
        return list(dict.fromkeys(self._rows["corpus"]))

    @property
    def tasks(self) -> list[str]:
        """Tasks that have accuracies, in the order of the table."""
        return list(self._tasks.index)

    @property
    def loss_names(self) -> list[str]:
        """Names of the losses, in the order of the table."""
        return list(dict.fromkeys(self._rows["loss_name"]))

    @property
    def loss_name_of(self) -> dict[str, str]:
        """Loss name of each task, declared series (tasks without accuracies) included."""
        return dict(zip(self._rows["task"], self._rows["loss_name"], strict=True))

    @property
    def compute_is_measured(self) -> bool:
        """Whether every run that a fit may see has measured FLOPs; if not, compute is 6ND for all.

        A ladder without such runs goes by all its runs.
        """
        seen = self._rows["role"].isin(["fit", "link"])
        return bool(self._rows.loc[seen if seen.any() else slice(None), "flops"].notna().all())

    def compute(self, *, measured: bool | None = None) -> pd.Series:
        """C of each run in FLOPs: measured for all runs, or 6ND for all runs.

        Parameters
        ----------
        measured
            Whether to take the measured FLOPs; None goes by `compute_is_measured`.

        Returns
        -------
        Series
            Training compute in FLOPs, indexed by run; nan where it should be measured and is not.
        """
        runs = self.runs
        use_measured = self.compute_is_measured if measured is None else measured
        return runs["flops"] if use_measured else six_nd(runs["params"], runs["tokens"])

    def where(self, **conditions: object) -> Ladder:
        """The rows with given values: ``ladder.where(corpus="c4", task=["piqa", "mmlu"])``.

        Parameters
        ----------
        **conditions
            For a column of the run table, the value to keep or a list of values. At least one row
            must have each value.

        Returns
        -------
        Ladder
            The rows that meet every condition.

        Raises
        ------
        SettingError
            For a condition on an unknown column.
        DataError
            For a value that no row has, or where no row meets all conditions.
        """
        keep = pd.Series(True, index=self._rows.index)
        for column, wanted in conditions.items():
            values = as_list(wanted)
            schema.require_values(self._rows, column, values)
            keep &= self._rows[column].isin(values)
        return self._keep(keep, f"where {conditions}")

    def up_to(
        self, *, flops: float = np.inf, params: float = np.inf, tokens: float = np.inf
    ) -> Ladder:
        """The runs of at most this compute, this size and this length, limits included.

        Parameters
        ----------
        flops
            Largest training compute in FLOPs; a run whose compute is not measured counts 6ND.
        params
            Largest number of parameters.
        tokens
            Largest number of training tokens.

        Returns
        -------
        Ladder
            The runs within all three limits.

        Raises
        ------
        DataError
            Where no run is within the limits.
        """
        runs = self.runs
        keep = (
            (self.compute().fillna(six_nd(runs["params"], runs["tokens"])) <= flops)
            & (runs["params"] <= params)
            & (runs["tokens"] <= tokens)
        )
        return self._keep(
            self._rows["run"].isin(keep.index[keep]),
            f"up_to flops={flops:g}, params={params:g}, tokens={tokens:g}",
        )

    def with_role(self, *roles: str) -> Ladder:
        """The runs of these roles.

        Parameters
        ----------
        *roles
            Any of ``fit``, ``link``, ``target``, ``held_out``.

        Returns
        -------
        Ladder
            The runs whose role is one of these.

        Raises
        ------
        SettingError
            For an unknown role.
        DataError
            Where no run has one of these roles.
        """
        for role in roles:
            require_choice("role", role, schema.ROLES)
        return self._keep(self._rows["role"].isin(roles), f"with_role {', '.join(roles)}")

    def with_role_of(self, runs: Collection[str], role: str) -> Ladder:
        """The whole ladder, the given runs with another role.

        Parameters
        ----------
        runs
            Names of the runs whose role changes.
        role
            Their new role: ``fit``, ``link``, ``target`` or ``held_out``.

        Returns
        -------
        Ladder
            All runs, the other ones unchanged.

        Raises
        ------
        SettingError
            For an unknown role.
        DataError
            For a run that the ladder does not have.
        """
        require_choice("role", role, schema.ROLES)
        schema.require_values(self._rows, "run", list(runs))
        rows = self.frame
        rows.loc[rows["run"].isin(runs), "role"] = role
        return replace(self, _rows=rows)

    def with_rows(self, new_runs: pd.DataFrame) -> Ladder:
        """The ladder with runs added.

        Parameters
        ----------
        new_runs
            Rows of the run table, of runs that the ladder does not have. Without a column
            ``loss_name``, known tasks keep their loss; without a column ``corpus``, the runs belong
            to the ladder's only corpus.

        Returns
        -------
        Ladder
            The old rows, then the new ones, checked together.

        Raises
        ------
        DataError
            For a row that breaks a rule of the run table, or a run that the ladder already has.
        """
        rows = schema.complete_new_runs(new_runs, self._rows)
        rows = schema.parse_runs(pd.concat([self._rows, rows], ignore_index=True))
        return replace(self, _rows=rows, _tasks=schema.parse_tasks(self._tasks.reset_index(), rows))

    def without_flops(self) -> Ladder:
        """The ladder without its measured compute, so that compute is 6ND for all runs."""
        return replace(self, _rows=self._rows.assign(flops=np.nan))

    def targets(self, *roles: str) -> list[Target]:
        """The runs of these roles as targets to forecast.

        Parameters
        ----------
        *roles
            Any of ``fit``, ``link``, ``target``, ``held_out``; ``target`` where none is given.

        Returns
        -------
        list of Target
            Sorted by corpus, then params, then tokens; empty where no run has such a role.
        """
        runs = self.runs[self.runs["role"].isin(roles or ("target",))].sort_values(
            ["corpus", "params", "tokens"], kind="stable"
        )
        return targets_of(runs)

    def digest(self) -> str:
        """SHA-256 of the rows and the task table: two ladders with the same figures share it."""
        rows = self._rows.to_csv(index=False, float_format="%.17g")
        tasks = self._tasks.to_csv(float_format="%.17g")
        return hashlib.sha256((rows + tasks).encode()).hexdigest()

    def checks(self) -> list[Check]:
        """Warnings of figures that cannot be what they claim, and of runs that tell little.

        Returns
        -------
        list of Check
            One row per warning; empty where the data look sound.
        """
        return [*below_chance(self._rows, self._tasks), *suspicions(self._rows, self._tasks)]

    def _keep(self, keep: pd.Series, how: str) -> Ladder:
        """The rows marked in `keep`, at least one; `how` tells the user which ones were asked."""
        rows = self._rows[keep].reset_index(drop=True)
        if rows.empty:
            raise DataError(
                f"ladder {self.name!r} {how}",
                rule="must leave at least one row",
                got="none",
                way_out="loosen the condition",
            )
        tasks = self._tasks[self._tasks.index.isin(rows.loc[rows["accuracy"].notna(), "task"])]
        return replace(self, _rows=rows, _tasks=tasks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ladder):
            return NotImplemented
        settings = [f.name for f in fields(self) if f.name[0] != "_" and f.name != "notes"]
        return self.digest() == other.digest() and all(
            getattr(self, name) == getattr(other, name) for name in settings
        )

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        roles = self.runs["role"].value_counts()
        counts = ", ".join(f"{roles[r]} {r}" for r in schema.ROLES if r in roles)
        return (
            f"Ladder({self.name!r}: {len(self.runs)} runs ({counts}), "
            f"{len(self.corpora)} corpora, {len(self.loss_names)} losses, {len(self.tasks)} tasks)"
        )

    def _repr_html_(self) -> str:
        return names.paragraph(repr(self)) + self._rows.head(12).to_html(index=False)
