"""MLflow's own server of one model, which also says what it is: `python -P server.py MODEL NAME HOST PORT`.

MLflow's server (3.17) answers `GET /` with 404 and an error with the rows that were sent, or a traceback. Here `/` has
the columns, the classes and a request to copy, as HTML for browsers and as JSON for others; an error is in words.

It is a program of its own that imports nothing of the house: the model brings the code that it was logged with.
"""

import html
import json
import shlex
import sys
from collections.abc import Awaitable, Callable
from itertools import repeat
from pathlib import Path
from typing import Any

import mlflow
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from mlflow.pyfunc import scoring_server

LISTED = 12  # categories of a column that are named, at most
TYPES = {"double": "number", "datetime": "date"}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title><style>:root {{ color-scheme: light dark }} body {{ font: 1rem/1.5 system-ui; max-width: 50rem;
margin: 2rem auto; padding: 0 1rem }} th, td {{ text-align: left; padding: .1rem 1rem .1rem 0; vertical-align: top }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8888 }}</style>
<h1>{name}</h1>
<p>Says for each row which of {classes} it is. Rows are sent to <code>/invocations</code>, as JSON or CSV
(<code>Content-Type: text/csv</code>), with the cells as the table that the model learnt from has them. Each cell and
each column may be missing.</p>
<table><tr><th>column</th><th>cells</th></tr>{rows}</table>
<h2>A request</h2>
<pre>{request}</pre>
<p>With <code>"probabilities": false</code>, or without <code>params</code>, the answer has the classes alone.</p>
</html>
"""


def described(folder: Path, inputs: Any) -> tuple[dict[str, str], list[str], dict[str, Any]]:
    """What the cells of each column are, the classes, and a row that is typical of the training rows."""
    files = sorted(folder.rglob("model.json"))  # models of early versions have another file
    document = json.loads(files[0].read_text(encoding="utf-8")) if files else {"classes": [], "terms": [], "cells": {}}
    columns = {str(column.name): TYPES.get(column.type.name, "text") for column in inputs}
    row: dict[str, Any] = dict.fromkeys(columns)
    for term in document["terms"]:
        name = term.get("column")
        if term["kind"] == "line" and columns.get(name) == "number":
            row[name] = float(f"{term['centre'] + term.get('fill', 0) * term['scale']:.4g}")
        elif term["kind"] == "categories" and columns.get(name) == "text":
            counts = zip(term["categories"], term.get("counts", repeat(0)), strict=False)
            known = {category: n for category, n in counts if category is not None}
            row[name] = max(known, key=known.__getitem__, default=None)
            columns[name] = ", ".join([*list(known)[:LISTED], *["..."] * (len(known) > LISTED)])
    formats = document["cells"].get("date_format") or {}
    columns |= {name: f"date, as {written}" for name, written in formats.items() if name in columns}
    return columns, document["classes"], row


def app(folder: Path, name: str) -> FastAPI:
    """MLflow's server of the model in `folder`, with `GET /`, and errors in words."""
    fitted = mlflow.pyfunc.load_model(str(folder))
    server = scoring_server.init(fitted)
    columns, classes, row = described(folder, fitted.metadata.signature.inputs)
    body = {"dataframe_records": [row], "params": {"probabilities": True}}
    sent = shlex.quote(json.dumps(body, ensure_ascii=False))

    @server.get("/")
    async def front(request: Request) -> Response:
        command = f"curl {request.base_url}invocations -H 'Content-Type: application/json' -d {sent}"
        if "text/html" not in request.headers.get("accept", ""):
            known = {"model": name, "classes": classes, "columns": columns, "request": body, "curl": command}
            return Response(json.dumps(known, indent=2, ensure_ascii=False) + "\n", media_type="application/json")
        pairs = "".join(f"<tr><td>{html.escape(key)}<td>{html.escape(text)}" for key, text in columns.items())
        shown = {"name": name, "classes": ", ".join(classes), "request": command}
        return HTMLResponse(PAGE.format(**{key: html.escape(text) for key, text in shown.items()}, rows=pairs))

    @server.middleware("http")
    async def in_words(request: Request, answered: Callable[[Request], Awaitable[Any]]) -> Response:
        answer = await answered(request)
        if answer.status_code < 400:
            return answer
        text = b"".join([part async for part in answer.body_iterator]).decode()
        try:
            error = json.loads(text)
            code, text = error["error_code"], error["message"]
        except (ValueError, KeyError, TypeError):
            code = "BAD_REQUEST"  # the text is a sentence
        return JSONResponse({"error_code": code, "message": text.split("\nError: ")[-1]}, answer.status_code)

    return server


if __name__ == "__main__":
    uri, title, host, port = sys.argv[1:]
    uvicorn.run(
        app(Path(mlflow.artifacts.download_artifacts(uri)), title), host=host, port=int(port), log_level="warning"
    )
