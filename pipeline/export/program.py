"""A model as one function without any library, in Python or JavaScript: the formula as data, and code that reads it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from pprint import pformat

from pipeline.export.formula import Formula, document

TEMPLATES = Path(__file__).parent / "templates"


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with each part in its place, `{{NAME}}`; what looks like a place inside a part stays as it is."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], text)


def python(formula: Formula, title: str) -> str:
    """A module with the function `predict`."""
    model = pformat(document(formula), width=120, compact=True, sort_dicts=False)
    code = (TEMPLATES / "predict.py.in").read_text(encoding="utf-8")
    return f'"""{title}"""\n\n{code}\n\nMODEL = {model}\n'


def javascript(formula: Formula, title: str) -> str:
    """A module for node (`require`) and browsers, with the function `predict`."""
    model = json.dumps(document(formula), ensure_ascii=False)
    code = (TEMPLATES / "predict.js").read_text(encoding="utf-8")
    end = 'if (typeof module !== "undefined") module.exports = { predict, MODEL };'
    return f"// {title}\n\nconst MODEL = {model};\n\n{code}\n{end}\n"
