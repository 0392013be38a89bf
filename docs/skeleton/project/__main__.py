"""The one entry: `python -m project STAGE` runs `main` of `project/stages/STAGE.py`."""

import sys
from importlib import import_module
from pathlib import Path

STAGES = [file.stem for file in sorted((Path(__file__).parent / "stages").glob("*.py"))]

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in STAGES:
        sys.exit(f"python -m project STAGE, one of: {', '.join(STAGES)}")
    import_module(f"project.stages.{sys.argv[1]}").main()
