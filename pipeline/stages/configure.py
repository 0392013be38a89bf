"""Compose conf/ into params.yaml, which every later stage reads, and record the digests of the files that it names.

The digests are in outputs/configure/. By them DVC notices when the table is edited, and ignores other files. There are
also those of the code that each stage runs: a word in a comment, or in another stage's code, runs nothing again.
"""

from pathlib import Path

from pipeline import config
from pipeline.config import composition, data_sets, inputs
from pipeline.files import code, formats, paths


def main(root: Path) -> None:
    composition.configure()
    print_change_of_data()
    inputs.record(root)
    sources = code.Sources()
    for stage in stages():
        record_code(stage, sources, root)
    sources.kept.save()


def print_change_of_data() -> None:
    """A line where the data set, or its target, is another one than in the last run, with the command that returns."""
    before, now = data_sets.of_last_run(), config.load()["data"]
    if before and data_sets.changed(before, now):
        old, new = (data_sets.described(data) for data in (before, now))
        print(f"The data set is {new}, in the last run it was {old}. Back to it: {data_sets.command_for(before)}")


def stages() -> list[str]:
    """All of them but this one."""
    names = [file.stem for file in Path(__file__).parent.glob("*.py")]
    return sorted(set(names) - {"__init__", Path(__file__).stem})


def record_code(stage: str, sources: code.Sources, root: Path) -> None:
    """Write the digests of the code of a stage, and print which files changed."""
    now = sources.of_stage(stage)
    earlier = paths.ROOT / paths.CODE / stage
    if earlier.exists():
        before = set(earlier.read_text(encoding="utf-8").splitlines())
        changed = sorted({line.split("  ")[1] for line in before ^ set(now.splitlines())})
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            print(f"{stage}: its code changed ({changed[0]}{more})")
    formats.save_text(now, root / paths.CODE / stage)
