"""Serve the champion of this repository's data with MLflow's own server, in this environment.

    python -m pipeline serve --port 5001
    python -m pipeline serve --host 0.0.0.0      # for other machines, too

Rows are raw cells, as in the file of the table; missing cells and categories that training never had are accepted. The
address itself shows, in a browser or with curl, the columns and a request to copy.
"""

import argparse

from pipeline import config


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on; 0.0.0.0 is every one")
    parser.add_argument("--port", type=int, default=5001)


def main(host: str, port: int) -> None:
    """Errors: `UserError` where no model was promoted."""
    from pipeline.tracking import registry  # MLflow takes seconds to import

    registry.serve(config.read("tracking"), config.read("data").title, host, port)
