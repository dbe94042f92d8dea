"""Minutes and memory of each rule, from benchmark files: `python -m workflow.lib.minutes results/synthetic`."""

import csv
import sys
from collections import defaultdict
from pathlib import Path


def rule_of(path: Path) -> str:
    """The rule behind a benchmark file: its folder, or for models the word after the seed (`seed0.train`)."""
    last = path.stem.rsplit(".", 1)
    if path.parts[0].startswith("pretraining-"):
        return "pretrain"
    return last[1] if len(last) == 2 else path.stem if len(path.parts) == 1 or "-" in path.parts[0] else path.parts[0]


def minutes(folder: Path) -> list[tuple[str, int, float, float]]:
    """(rule, jobs, minutes in all, largest resident memory in MiB), longest first."""
    jobs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        with path.open() as file:
            for row in csv.DictReader(file, delimiter="\t"):
                memory = 0.0 if row["max_rss"] in {"-", "NA"} else float(row["max_rss"])
                jobs[rule_of(path.relative_to(folder))].append((float(row["s"]), memory))
    rows = [(rule, len(of), sum(s for s, _ in of) / 60, max(m for _, m in of)) for rule, of in jobs.items()]
    return sorted(rows, key=lambda row: -row[2])


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "results/synthetic") / "benchmarks"
    rows = minutes(folder)
    if not rows:
        sys.exit(f"{folder}: no benchmark file; run the workflow first, or name the folder of a corpus")
    print(f"{'rule':22} {'jobs':>5} {'minutes':>8} {'MiB':>6}")
    for rule, number, total, memory in rows:
        print(f"{rule:22} {number:5} {total:8.2f} {memory:6.0f}")
    print(f"{'in all':22} {sum(row[1] for row in rows):5} {sum(row[2] for row in rows):8.2f}")


if __name__ == "__main__":
    main()
