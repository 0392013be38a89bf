"""How fast, next to what a user would pick instead: `make bench`, or `python -m benchmarks fits` for one part.

Every contender of a row gets the same data and as many threads, in one process, one after another, and is timed to the
median. Gaps are J minus the lowest J known, in this project's objective. A contender that is not installed is left out.
"""

import os
import platform
import sys
import warnings
from datetime import date
from pathlib import Path

from benchmarks import cluster, coverage, defaults, fits, ladder, passes, scale, sweeps, tables
from pipeline.logistic.threads import thread_count

ALONE = {
    "tables": tables.main,
    "defaults": defaults.main,
    "scale": scale.main,
    "cluster": cluster.main,
    "coverage": coverage.main,
    "ladder": ladder.main,
}  # with arguments of their own
PARTS = {"passes": passes.rows, "fits": fits.rows, "sweeps": sweeps.rows}


def main(wanted):
    if wanted and wanted[0] in ALONE:
        ALONE[wanted[0]](wanted[1:])
        return
    unknown = set(wanted) - set(PARTS)
    if unknown:
        raise SystemExit(f"no such part: {', '.join(sorted(unknown))}; choose among {', '.join(PARTS)}")
    warnings.simplefilter("ignore")
    print(f"{date.today()}, {platform.machine()}, {_processor()}, {thread_count()} threads, {_load()}\n")
    print("| work | contender | median | times ours | gap |\n|---|---|---|---|---|")
    for part in wanted or PARTS:
        for work, contenders in PARTS[part]():
            ours = None
            for name, seconds, gap in contenders:
                ours = ours or seconds
                shown = f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
                print(f"| {work} | {name} | {shown} | {seconds / ours:.2f} | {gap} |", flush=True)
    print(f"\nIn the end: {_load()}")


def _load():
    return f"load average {os.getloadavg()[0]:.1f}"


def _processor():
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    main(sys.argv[1:])
