"""Small results files of lm-evaluation-harness, in the formats of versions 0.3 and 0.4."""

import json
from pathlib import Path
from typing import Any


def standard_error(accuracy: float, items: int) -> float:
    """The standard error that the harness writes beside a mean of noughts and ones."""
    return float((accuracy * (1 - accuracy) / (items - 1)) ** 0.5)


def old(right: int = 60, items: int = 101, shots: int = 0, **fields: Any) -> dict[str, Any]:
    """A file of version 0.3: two tasks with choices, and one with a perplexity only."""
    accuracy = right / items
    se = standard_error(accuracy, items)
    both = {"acc": accuracy, "acc_stderr": se, "acc_norm": 0.5, "acc_norm_stderr": 0.01}
    return {
        "results": {
            "piqa": both,
            "winogrande": {"acc": accuracy, "acc_stderr": se},
            "wikitext": {"word_perplexity": 20.5, "byte_perplexity": 1.8, "bits_per_byte": 0.85},
        },
        "versions": {"piqa": 0, "winogrande": 0, "wikitext": 1},
        "config": {
            "model": "hf-causal",
            "model_args": "pretrained=lab/net-70m,revision=step10",
            "num_fewshot": shots,
            "limit": None,
        },
        **fields,
    }


def task(metric: str = "acc,none", accuracy: float = 0.5, **fields: Any) -> dict[str, Any]:
    """The results of one task of version 0.4."""
    stderr = "_stderr,".join(metric.split(","))
    return {"alias": "a task", metric: accuracy, stderr: 0.02, **fields}


def present(
    results: dict[str, Any], model: str = "lab/net-70m", items: int = 500, **fields: Any
) -> dict[str, Any]:
    """A file of version 0.4 with these results."""
    return {
        "results": results,
        "group_subtasks": {name: [] for name in results},
        "configs": {name: {"num_fewshot": 0} for name in results},
        "versions": dict.fromkeys(results, 1.0),
        "n-shot": dict.fromkeys(results, 0),
        "n-samples": {name: {"original": items, "effective": items} for name in results},
        "config": {"model": "hf", "model_args": f"pretrained={model}", "limit": None},
        "date": 1.7e9,
        "model_name": model,
        **fields,
    }


def save(record: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    return path
