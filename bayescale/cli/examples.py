"""The examples at the end of the help of each command."""

from __future__ import annotations

from rich.markup import escape

# Words of the command line after `bayescale`, by command. Each works on an embedded data set;
# ladder.fit is what the example of forecast saves, and new.csv has a run in the run table's form.
EXAMPLES = {
    "datasets": ("datasets",),
    "check": ("check runs.csv --tasks tasks.csv",),
    "convert": ("convert wandb.csv results/ --out runs.csv",),
    "forecast": (
        "forecast --save ladder.fit",
        "forecast --fit ladder.fit --params 7e9 --tokens 2e12",
    ),
    "compare": (
        "compare --fit ladder.fit",
        "compare --fit ladder.fit --a 7B-4T --b 13e9:2e12",
    ),
    "frontier": (
        "frontier --fit ladder.fit --budgets 1e23",
        "frontier --dataset gadre2024 --corpus c4 --budgets 1e21",
    ),
    "required": (
        "required --fit ladder.fit --accuracy 0.65 --with-prob 0.5",
        "required --fit ladder.fit --accuracy 0.5 --task mmlu --multiplier 100",
    ),
    "update": ("update --fit ladder.fit --new new.csv --save newer.fit",),
    "backtest": ("backtest --cuts 1e20,3e20",),
    "value": ("value --fit ladder.fit --worth 3e6 --threshold 0.7 --candidates 1B-10xC,6e8:5e11",),
    "decide": ("decide", "decide --fit ladder.fit --worth 3e6 --threshold 0.7"),
    "report": ("report --output report.html",),
    "simulate": (
        "simulate simulated --seed 1",
        "simulate simulated --sizes 1e8:2e9,3e8:6e9,1e9:2e10 --task quiz",
    ),
    "reproduce": ("reproduce gadre2024", "reproduce bhagia2024 --analysis laws"),
}


def epilog(command: str) -> str:
    """The text at the end of the help of a command: its examples, one per line.

    Parameters
    ----------
    command
        Name of the command.
    """
    lines = [f"  [cyan]bayescale {escape(words)}[/cyan]" for words in EXAMPLES[command]]
    # An empty line starts a new line: a single end of line is read as a blank.
    return "\n\n".join(["[bold]Examples[/bold]", *lines])
