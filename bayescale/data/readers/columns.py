"""Which column of a table means what: the user's map, and guesses that are told."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bayescale.data.names import listed
from bayescale.data.readers.kinds import ACCURACY_KINDS, KINDS, LOSS_KINDS
from bayescale.data.readers.parse import read_text
from bayescale.data.schema import COLUMNS
from bayescale.errors import DataError, FileError, SettingError

# Other columns that a table may have, beside those of the run table: what kind of number the loss
# and the accuracy of a row are.
KIND_COLUMNS = ("loss_unit", "metric")
# Names that tables give to the columns of a run, without capitals, other signs written as _.
NAMES_OF_RUN = {
    "run": ("run", "name", "run_name", "run_id", "model", "model_name", "experiment", "id"),
    "tokens": (
        *("tokens", "d", "n_tokens", "num_tokens", "total_tokens", "train_tokens"),
        *("training_tokens", "tokens_seen", "token_count", "num_train_tokens"),
    ),
    "flops": (
        *("flops", "c", "compute", "total_flops", "train_flops", "training_flops", "budget"),
        *("compute_budget", "flop", "flops_total"),
    ),
    "corpus": ("corpus", "dataset", "training_data", "train_data", "data_mix"),
    "unique_tokens": ("unique_tokens", "n_unique_tokens"),
    "seed": ("seed",),
    "role": ("role",),
    "schedule": (
        *("schedule", "lr_schedule", "learning_rate_schedule", "scheduler", "lr_scheduler"),
        *("lr_scheduler_type", "lr_decay_style"),
    ),
}
# Names of columns of N, by what is counted. The first group that a table has is taken, but active
# parameters where they are fewer than the total: training compute is 6 N D of these.
NAMES_OF_PARAMS = {
    "total": (
        *("params", "n", "parameters", "n_params", "num_params", "param_count", "parameter_count"),
        *("n_parameters", "num_parameters", "total_params", "params_total", "total_parameters"),
    ),
    "non-embedding": (
        *("non_embedding_params", "params_non_embedding", "n_non_embedding", "non_emb_params"),
        *("num_non_embedding_params", "non_embedding_parameters"),
    ),
    "active": (
        *("active_params", "params_active", "activated_params", "n_active", "num_active_params"),
        *("active_parameters",),
    ),
}
# The last or first word of a column of losses or accuracies, and the kind of number it stands for.
MEASURES = {
    "loss": "loss",
    "ce": "loss",
    "ce_loss": "loss",
    "cross_entropy": "loss",
    "crossentropyloss": "loss",
    "nll": "loss",
    "ppl": "perplexity",
    "perplexity": "perplexity",
    "bpb": "bits_per_byte",
    "bits_per_byte": "bits_per_byte",
    "acc": "accuracy",
    "accuracy": "accuracy",
    "acc_norm": "accuracy",
}
# Words of such a column that name no series.
WITHOUT_NAME = {"eval", "val", "valid", "validation", "test", "metrics", "downstream", "final"}
# A column with one of these words measures the training data, whose loss is no validation loss.
TRAINING = {"train", "training"}
_FACTOR = re.compile(r"(.+)\*\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*")


@dataclass(frozen=True)
class Source:
    """The column that a figure comes from, and the number that each cell is multiplied by."""

    column: str
    factor: float = 1.0


@dataclass(frozen=True)
class ColumnMap:
    """What the columns of a table mean.

    Parameters
    ----------
    of_run
        Source of each column of the run table that has no kind: ``run``, ``params``, ``task``, ...
    measures
        Source of each loss and accuracy by (kind, name). The name is empty for the columns of a
        tidy table.
    guesses
        One sentence for each source that was guessed.
    params_count
        What N counts, where the name of its column tells; None where it does not.
    """

    of_run: Mapping[str, Source]
    measures: Mapping[tuple[str, str], Source]
    guesses: tuple[str, ...] = ()
    params_count: str | None = None

    @property
    def used(self) -> set[str]:
        """The columns of the table that have a meaning."""
        return {source.column for source in (*self.of_run.values(), *self.measures.values())}


def parse_map(columns: object) -> dict[str, str]:
    """The user's map: from names of the run table to columns of the file.

    Parameters
    ----------
    columns
        A mapping; or a text such as ``params=N,tokens=D,loss=val_loss``; or the path of a TOML
        file, whose table ``columns`` (or whose top) is the map; None for no map.

    Raises
    ------
    SettingError
        For another type, a text that is no map, and an unknown name.
    FileError
        For a TOML file that does not parse.
    """
    if columns is None:
        return {}
    if isinstance(columns, Path) or (isinstance(columns, str) and columns.endswith(".toml")):
        columns = _read_toml(Path(columns))
    if isinstance(columns, str):
        pairs = [pair.partition("=") for pair in columns.split(",") if pair.strip()]
        columns = {name.strip(): column.strip() for name, sign, column in pairs if sign}
        if len(columns) != len(pairs):
            raise _no_map(listed([name for name, sign, _ in pairs if not sign]))
    if not isinstance(columns, Mapping) or not all(
        isinstance(name, str) and isinstance(column, str) for name, column in columns.items()
    ):
        raise _no_map(repr(columns)[:80])
    for name in columns:
        kind, has_name, series = name.partition(":")
        if not (
            name in COLUMNS or name in KIND_COLUMNS or (kind in KINDS and (series or not has_name))
        ):
            raise SettingError(
                f"columns: {name!r}",
                rule=f"must be a column of the run table, or one of {', '.join(KINDS)} with the "
                "name of a loss or a task, such as loss:c4 or accuracy:piqa",
                got=name,
                way_out=f"use one of {', '.join((*COLUMNS, *KIND_COLUMNS))}, or loss:NAME",
            )
    return dict(columns)


def find_columns(header: Iterable[str], given: Mapping[str, str]) -> ColumnMap:
    """What the columns of a table mean: the user's map, then names that tell, then guesses.

    A map that names a loss replaces every guess of losses, and likewise for accuracies.

    Parameters
    ----------
    header
        Names of the columns of the table.
    given
        The user's map.

    Returns
    -------
    ColumnMap
        Guesses included; what has no source is not in it.

    Raises
    ------
    DataError
        For a column that the table lacks.
    """
    names = list(header)
    sources = {name: _source(name, column, names) for name, column in given.items()}
    of_run = {name: source for name, source in sources.items() if name.split(":")[0] not in KINDS}
    measures = {
        (name.partition(":")[0], name.partition(":")[2]): source
        for name, source in sources.items()
        if name.split(":")[0] in KINDS
    }
    taken = {source.column for source in sources.values()}
    for name in (*COLUMNS, *KIND_COLUMNS, *KINDS):
        if name not in names or name in taken or name in of_run:
            continue
        if name not in KINDS:
            of_run[name] = Source(name)
        elif not {kind for kind, _ in measures} & _kinds_like(name):
            measures[name, ""] = Source(name)
    guesses, params_count = _guess_of_run(of_run, [n for n in names if n not in taken])
    guesses += _guess_measures(measures, [n for n in names if n not in taken])
    return ColumnMap(of_run, measures, tuple(guesses), params_count)


def _kinds_like(name: str) -> frozenset[str]:
    """The kinds of the quantity that a kind belongs to; none for a column without a kind."""
    if name in LOSS_KINDS:
        return frozenset(LOSS_KINDS)
    return frozenset(ACCURACY_KINDS) if name in ACCURACY_KINDS else frozenset()


def _guess_of_run(of_run: dict[str, Source], names: list[str]) -> tuple[list[str], str | None]:
    """Add the columns of a run that have another name; sentences, and what N counts."""
    guesses, params_count = [], None
    for name, known in NAMES_OF_RUN.items():
        found = [] if name in of_run else _matching(names, known)
        if found:
            of_run[name] = Source(found[0])
            guesses.append(_told(name, found[0], found[1:]))
    if "params" not in of_run:
        by_count = {
            count: matches[0]
            for count, known in NAMES_OF_PARAMS.items()
            if (matches := _matching(names, known))
        }
        if by_count:
            params_count = "active" if "active" in by_count else next(iter(by_count))
            of_run["params"] = Source(by_count[params_count])
            others = [column for column in by_count.values() if column != by_count[params_count]]
            alike = "; a target's params are counted alike" if others else ""
            guesses.append(_told("params", by_count[params_count], others) + alike)
    return guesses, params_count


def _guess_measures(measures: dict[tuple[str, str], Source], names: list[str]) -> list[str]:
    """Add the losses and accuracies whose columns tell what they are; one sentence for each."""
    guesses: list[str] = []
    for kinds in (LOSS_KINDS, ACCURACY_KINDS):
        if any(kind in kinds for kind, _ in measures):
            continue
        found: dict[str, tuple[str, str]] = {}
        for column in names:
            kind, series, rank = measure_of(column)
            if kind in kinds and (series not in found or rank < found[series][1]):
                found[series] = (column, rank)
        for series, (column, _) in found.items():
            kind = measure_of(column)[0]
            measures[(kind, series)] = Source(column)
            if column != f"{kind}:{series}":
                guesses.append(f"{kind}:{series} from {column!r}")
    return guesses


def measure_of(column: str) -> tuple[str, str, str]:
    """The kind of number that a column of losses or accuracies holds, and its name.

    Parameters
    ----------
    column
        Name of the column, such as ``eval/pile/loss``, ``loss:c4`` or ``arc_easy_acc``.

    Returns
    -------
    kind : str
        One of `KINDS`; empty where the name does not tell.
    series : str
        Name of the loss or the task.
    rank : str
        Which of several columns of one series to prefer: the first by alphabet.
    """
    explicit, sign, series = column.partition(":")
    if sign and explicit in KINDS and series.strip():
        return explicit, series.strip(), ""
    words = [word.strip() for word in re.split(r"[/.:]", column) if word.strip()]
    words = _without_ending(words)
    lower = [word.lower() for word in words]
    if not words or any(word in TRAINING or word.split("_")[0] in TRAINING for word in lower):
        return "", "", ""
    for place in (-1, 0):
        kind = MEASURES.get(lower[place])
        if kind is not None:
            rest = words[:-1] if place else words[1:]
            rest = [word for word in rest if word.lower() not in WITHOUT_NAME]
            # A loss is better than a perplexity, and acc than acc_norm.
            rank = {"loss": "1", "acc": "1", "accuracy": "1"}.get(lower[place], "2")
            return kind, "/".join(rest) or lower[place], rank
    return "", "", ""


def _without_ending(words: list[str]) -> list[str]:
    """The words with a last word such as ``pile_loss`` parted into ``pile`` and ``loss``."""
    if not words or words[-1].lower() in MEASURES:
        return words
    last = words[-1]
    for ending in sorted(MEASURES, key=len, reverse=True):
        if last.lower().endswith(f"_{ending}"):
            return [*words[:-1], last[: -len(ending) - 1], last[-len(ending) :]]
    return words


def _matching(names: list[str], known: tuple[str, ...]) -> list[str]:
    """The columns with one of the known names, whole names before last words of longer ones."""
    whole = [name for name in names if _plain(name) in known]
    # A single letter says something only where it is the whole name.
    last = [
        name
        for name in names
        if "/" in name and len(word := _plain(name.rsplit("/", 1)[1])) > 1 and word in known
    ]
    return list(dict.fromkeys([*whole, *last]))


def _plain(name: str) -> str:
    """The name without capitals, every other sign as one ``_``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _told(name: str, column: str, others: list[str]) -> str:
    """One guess in words."""
    beside = f" (and not from {listed([repr(other) for other in others])})" if others else ""
    return f"{name} from {column!r}{beside}"


def _source(name: str, column: str, header: list[str]) -> Source:
    """The source that a map names: a column of the table, perhaps times a number."""
    if column in header:
        return Source(column)
    match = _FACTOR.fullmatch(column)
    if match and match[1].strip() in header:
        return Source(match[1].strip(), float(match[2]))
    raise DataError(
        f"columns: {name}={column}",
        rule="must name a column of the table",
        got=f"columns {listed(header)}",
        way_out="fix the name; a column in billions is written COLUMN*1e9",
    )


def _no_map(got: str) -> SettingError:
    """The error of a map that is none."""
    return SettingError(
        "columns",
        rule="must map names of the run table to columns of the file",
        got=got,
        way_out="such as params=N,tokens=D,loss=val_loss, a dictionary, or a TOML file",
    )


def _read_toml(path: Path) -> object:
    """The map in a TOML file: its table ``columns``, or the whole file."""
    try:
        content = tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileError(
            f"file {str(path)!r}", rule="must be TOML", got=str(error), way_out="fix that line"
        ) from None
    return content.get("columns", content)
