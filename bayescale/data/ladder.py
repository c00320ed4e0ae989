"""Ladder: what was trained. Immutable, and validated when it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pandas as pd

from bayescale.checks import Check
from bayescale.data import names, schema
from bayescale.data.target import Conventions, Target, six_nd
from bayescale.errors import DataError, SettingError


@dataclass(frozen=True, repr=False)
class Ladder:
    """A set of runs with losses and accuracies. Build one with `Ladder.from_frame`, a reader, or
    `load_dataset`.

    Every view (`frame`, `runs`, `task_table`) is a copy; `where`, `up_to` and `with_role` return a
    new ladder.
    """

    _rows: pd.DataFrame
    _tasks: pd.DataFrame
    conventions: Conventions = field(default_factory=Conventions)
    law: str = "skaling"
    link: str = "logistic"
    name: str = "ladder"
    source: str = ""

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
        """One ladder from the tidy table, one row for each (run, task).

        Parameters
        ----------
        frame
            Columns ``run``, ``params``, ``tokens``, ``task``, ``loss``; optionally ``corpus``,
            ``loss_name`` (default: the task's own loss), ``accuracy`` (a share), ``flops``,
            ``unique_tokens``, ``seed``, ``step``, ``role`` (``fit`` | ``link`` | ``target`` |
            ``held_out``, default ``fit``). A row without an accuracy only declares a loss series.
        tasks
            Columns ``task``, ``chance``, ``items``: needed for every task that has accuracies.
        conventions
            How N is counted, the tokenizer, the unit of each loss.
        law, link
            What a fit of this ladder uses unless told otherwise.
        name, source
            Kept for the record.

        Raises
        ------
        DataError
            For a missing column, a value that breaks its rule, a (run, task) given twice, or a task
            without its chance.
        """
        rows = schema.parse_runs(frame)
        return cls(
            rows,
            schema.parse_tasks(tasks, rows),
            conventions or Conventions(),
            law,
            link,
            name,
            source,
        )

    @property
    def frame(self) -> pd.DataFrame:
        """The tidy table, one row for each (run, task)."""
        return self._rows.copy()

    @property
    def task_table(self) -> pd.DataFrame:
        """Chance and items of each task that has accuracies, indexed by task."""
        return self._tasks.copy()

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run, indexed by its name: corpus, params, tokens, flops (measured, or nan),
        unique_tokens, role.
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
        """Loss series by name, in the order of the table."""
        return list(dict.fromkeys(self._rows["loss_name"]))

    @property
    def loss_name_of(self) -> dict[str, str]:
        """Loss name of each task, declared series (no accuracies) included."""
        return dict(zip(self._rows["task"], self._rows["loss_name"], strict=True))

    @property
    def compute_is_measured(self) -> bool:
        """Whether every run that a fit may see carries measured FLOPs; otherwise compute is 6ND for
        all.
        """
        seen = self._rows["role"].isin(["fit", "link"])
        return bool(self._rows.loc[seen if seen.any() else slice(None), "flops"].notna().all())

    def compute(self, *, measured: bool | None = None) -> pd.Series:
        """C of each run in FLOPs, indexed by run: measured for all (`compute_is_measured`), or 6ND
        for all.
        """
        runs = self.runs
        use = self.compute_is_measured if measured is None else measured
        return runs["flops"] if use else six_nd(runs["params"], runs["tokens"])

    def where(self, **conditions: object) -> Ladder:
        """The rows whose column is a value, or one of a list: ``ladder.where(corpus="c4",
        task=["piqa", "mmlu"])``; each value must be some row's.
        """
        keep = pd.Series(True, index=self._rows.index)
        for column, wanted in conditions.items():
            if column not in schema.COLUMNS:
                raise SettingError(
                    f"column {column!r}",
                    rule="must be a column of the run table",
                    got=column,
                    way_out=f"use one of {', '.join(schema.COLUMNS)}",
                )
            values = (
                [wanted]
                if isinstance(wanted, str)
                or not isinstance(wanted, Sequence | set | np.ndarray | pd.Series)
                else list(wanted)
            )
            unknown = [v for v in values if not self._rows[column].isin([v]).any()]
            if unknown:
                known = ", ".join(map(str, self._rows[column].unique()[:12]))
                raise DataError(
                    f"{column} {unknown[0]!r}",
                    rule=f"must be a {column} of the ladder",
                    got="none such",
                    way_out=f"use some of {known}",
                )
            keep &= self._rows[column].isin(values)
        return self._keep(keep, f"where {conditions}")

    def up_to(
        self, *, flops: float = np.inf, params: float = np.inf, tokens: float = np.inf
    ) -> Ladder:
        """The runs that cost at most `flops`, have at most `params` parameters, and saw at most
        `tokens` tokens.
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
        """The runs of these roles (``fit``, ``link``, ``target``, ``held_out``)."""
        unknown = [r for r in roles if r not in schema.ROLES]
        if unknown:
            raise SettingError(
                "role",
                rule=f"must be one of {', '.join(schema.ROLES)}",
                got=unknown[0],
                way_out="mend the name",
            )
        return self._keep(self._rows["role"].isin(roles), f"with_role {', '.join(roles)}")

    def targets(self, *roles: str) -> list[Target]:
        """The runs of these roles (default ``target``) as targets to forecast, by corpus, then
        params, then tokens.
        """
        runs = self.runs[self.runs["role"].isin(roles or ("target",))].sort_values(
            ["corpus", "params", "tokens"], kind="stable"
        )
        return [
            Target(
                params=r.params,
                tokens=r.tokens,
                corpus=str(r.corpus),
                name=str(r.Index),
                flops=None if np.isnan(r.flops) else r.flops,
                unique_tokens=None if np.isnan(r.unique_tokens) else r.unique_tokens,
            )
            for r in runs.itertuples()
        ]

    def digest(self) -> str:
        """SHA-256 of the rows and the task table: two ladders with the same figures share it."""
        text = self._rows.to_csv(index=False, float_format="%.17g") + self._tasks.to_csv(
            float_format="%.17g"
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def checks(self) -> list[Check]:
        """Warnings about the data: an accuracy further below chance than guessing would scatter."""
        scored = self._rows[self._rows["accuracy"].notna()].merge(
            self._tasks, left_on="task", right_index=True
        )
        z = (scored["accuracy"] - scored["chance"]) / np.sqrt(
            np.maximum(scored["chance"] * (1 - scored["chance"]), 1e-12) / scored["items"]
        )
        found = []
        for row, value in zip(
            scored[z < BELOW_CHANCE_Z].itertuples(), z[z < BELOW_CHANCE_Z], strict=True
        ):
            advice = f"accuracy {row.accuracy:.4g} is below chance {row.chance:.4g} by more than guessing scatters: check the task's chance and its answer format"
            found.append(
                Check(
                    f"accuracy above chance: {row.task}, {row.run}",
                    "warn",
                    float(value),
                    BELOW_CHANCE_Z,
                    advice,
                )
            )
        return found

    def _keep(self, keep: pd.Series, how: str) -> Ladder:
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
        rest = [f.name for f in fields(self) if not f.name.startswith("_")]
        return self.digest() == other.digest() and all(
            getattr(self, n) == getattr(other, n) for n in rest
        )

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        roles = self.runs["role"].value_counts()
        counts = ", ".join(f"{roles[r]} {r}" for r in schema.ROLES if r in roles)
        return f"Ladder({self.name!r}: {len(self.runs)} runs ({counts}), {len(self.corpora)} corpora, {len(self.loss_names)} losses, {len(self.tasks)} tasks)"

    def _repr_html_(self) -> str:
        return names.paragraph(repr(self)) + self._rows.head(12).to_html(index=False)


# in standard errors of guessing; several public small models sit 1 to 3 below, through answer bias
BELOW_CHANCE_Z = -5.0
