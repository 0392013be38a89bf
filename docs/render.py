"""Run docs/tutorial.py and write docs/tutorial.md with its outputs: `make tutorial`. A test compares the two.

The source is a notebook in the percent format of jupytext. A code cell with a picture gives its name and its
alternative text in the first line: `# %% name="tsne" alt="Two clouds"`, and its size in inches if it is not the usual.
"""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import jupytext
from matplotlib import pyplot as plt
from matplotlib import rc_context
from threadpoolctl import threadpool_limits

from pipeline.figures.drawing import STYLE

FOLDER = Path(__file__).parent
SOURCE, PAGE = FOLDER / "tutorial.py", FOLDER / "tutorial.md"
SIZE = (5.2, 3.2)


def render(source: Path, pictures: Path) -> tuple[str, dict[str, Any]]:
    """The page of `source`, and the variables that running it left. The pictures are written to a folder."""
    parts, variables = [], {}
    pictures.mkdir(parents=True, exist_ok=True)
    plt.switch_backend("agg")
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        shown, printed = cell.metadata, io.StringIO()
        style = {**STYLE, "text.parse_math": True, "figure.figsize": shown.get("size", SIZE)}
        with rc_context(style), redirect_stdout(printed), threadpool_limits(1):
            exec(compile(cell.source, str(source), "exec"), variables)
            if "name" in shown:
                plt.savefig(pictures / f"{shown['name']}.png", dpi=180, metadata={"Software": None})
                plt.close()
        parts.append(f"```python\n{cell.source}\n```")
        if printed.getvalue():
            parts.append(f"```\n{printed.getvalue().rstrip()}\n```")
        if "name" in shown:
            parts.append(f"![{shown['alt']}]({source.stem}/{shown['name']}.png)")
    return "\n\n".join(parts) + "\n", variables


if __name__ == "__main__":
    PAGE.write_text(render(SOURCE, FOLDER / SOURCE.stem)[0], encoding="utf-8")
