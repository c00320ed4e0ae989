"""Runs that the options name: targets of the table, and runs given by their size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bayescale.data.ladder import Ladder
from bayescale.data.names import suggested
from bayescale.data.schema import ROLES
from bayescale.data.target import COMPUTE_ONLY, Target
from bayescale.errors import DataError, SettingError

# Value of --targets where it is not given. The law does not see a run of role link, so the loss of
# this run is forecast too.
DEFAULT_TARGETS = "target,link"


def choose_targets(
    ladder: Ladder,
    *,
    names: str | None,
    params: float | None,
    tokens: float | None,
    flops: float | None,
    corpus: str | None,
) -> list[Target]:
    """The target that --params and --tokens describe, or the targets among the runs of the table.

    Parameters
    ----------
    ladder
        Runs of the table.
    names
        Value of --targets: roles or names of runs, separated by commas; None for the default.
    params
        Parameters of a target that is not in the table; None for targets of the table.
    tokens
        Training tokens of that target; None for targets of the table.
    flops
        Measured training compute of that target; None where it was not measured.
    corpus
        Corpus of that target, or the only corpus to take targets of the table from; None for any.

    Returns
    -------
    list of Target
        At least one target.

    Raises
    ------
    DataError
        For a corpus that the ladder lacks, and where no target is left.
    SettingError
        For options that contradict each other, and for an unknown role or run.
    """
    if corpus is not None:
        check_corpus(ladder, corpus, "--corpus")
    if params is not None or tokens is not None:
        if params is None or tokens is None:
            raise SettingError(
                "the target",
                rule="needs both --params and --tokens",
                got="one of them",
                way_out="give the other",
            )
        _check_new_target(ladder, names, corpus)
        return [Target(params=params, tokens=tokens, corpus=corpus, flops=flops)]
    if flops is not None and ladder.conventions.params == COMPUTE_ONLY:
        _check_new_target(ladder, names, corpus)
        return [Target.of_compute(flops, corpus=corpus)]
    if flops is not None:
        raise SettingError(
            "--flops",
            rule="goes with --params and --tokens",
            got="neither of them",
            way_out="give both, or leave --flops out",
        )
    return _targets_of_table(ladder, names or DEFAULT_TARGETS, corpus)


def check_corpus(ladder: Ladder, corpus: str | None, option: str) -> None:
    """Check that the ladder has the corpus, or has only one corpus where none is given.

    Parameters
    ----------
    ladder
        Runs of the table.
    corpus
        Name of the corpus; None where none is given.
    option
        Option that names the corpus, for the message.

    Raises
    ------
    DataError
        For another corpus, or none where the ladder has several.
    """
    if corpus in ladder.corpora or (corpus is None and len(ladder.corpora) == 1):
        return
    raise DataError(
        option,
        rule="must be a corpus of the ladder"
        if corpus
        else "must say which corpus the target is trained on",
        got=repr(corpus) if corpus else "none",
        way_out=f"use one of {', '.join(ladder.corpora)}",
    )


def _check_new_target(ladder: Ladder, names: str | None, corpus: str | None) -> None:
    """Check the other options where --params and --tokens describe a target."""
    check_corpus(ladder, corpus, "--corpus")
    if names is not None:
        raise SettingError(
            "--targets",
            rule="names runs of the table, --params and --tokens describe another run",
            got="both",
            way_out="give one or the other",
        )


def _targets_of_table(ladder: Ladder, names: str, corpus: str | None) -> list[Target]:
    """The runs of the table with one of these roles or names, on the corpus where one is given."""
    known = {*ROLES, *ladder.runs.index}
    words = split_names(names, known.__contains__)
    unknown = [word for word in words if word not in known]
    if unknown:
        raise SettingError(
            "--targets",
            rule=f"must be roles ({', '.join(ROLES)}) or run names",
            got=repr(unknown[0]),
            way_out=f"use {suggested(unknown[0], list(ladder.runs.index))}",
        )
    roles = {word for word in words if word in ROLES}
    run_names = set(words) - roles
    targets = [
        target
        for target in ladder.targets(*ROLES)
        if (target.label in run_names or ladder.runs.loc[target.label, "role"] in roles)
        and corpus in (None, target.corpus)
    ]
    if not targets:
        raise DataError(
            "the targets",
            rule="must be given",
            got="none in the table",
            way_out="give --params and --tokens, or rows with role target",
        )
    return targets


def split_names(text: str, is_known: Callable[[str], bool]) -> list[str]:
    """The names in a text that has commas between them, where names may have commas too.

    From the left, the longest piece that is a known name is taken, so the whole text is tried
    first. A piece that begins no known name ends at its first comma.

    Parameters
    ----------
    text
        Names, separated by commas.
    is_known
        Function that says whether a piece is a name.

    Returns
    -------
    list of str
        The names without the blanks around them; empty names are left out.
    """
    pieces = text.split(",")
    names = []
    while pieces:
        lengths = range(len(pieces), 0, -1)
        joined = {length: ",".join(pieces[:length]).strip() for length in lengths}
        length = next((length for length in lengths if is_known(joined[length])), 1)
        names.append(joined[length])
        pieces = pieces[length:]
    return [name for name in names if name]


def find_run(
    text: str, named: Sequence[Target], ladder: Ladder, corpus: str | None
) -> Target | None:
    """The run that a text means: one of these runs, or params:tokens, or params:tokens:corpus.

    Parameters
    ----------
    text
        Name of a run, or its size.
    named
        Runs that the text may name.
    ladder
        Runs of the table.
    corpus
        Corpus of a run whose text gives none; None for the only corpus of the ladder.

    Returns
    -------
    Target or None
        None where the text is neither.

    Raises
    ------
    DataError
        For a size that is not positive, a corpus that the ladder lacks, and where the corpus is
        missing.
    """
    for run in named:
        if run.label == text:
            return run
    params, _, rest = text.partition(":")
    tokens, _, own_corpus = rest.partition(":")
    try:
        sizes = float(params), float(tokens)
    except ValueError:
        return None
    check_corpus(ladder, own_corpus or corpus, "params:tokens:corpus")
    return Target(*sizes, corpus=own_corpus or corpus)
