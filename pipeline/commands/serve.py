"""Serve the champion of this repository's data with MLflow's own server, in this environment.

    python -m pipeline serve --port 5001

Rows are raw cells, as in the file of the table; missing cells and categories that training never had are accepted.
"""

import argparse

from pipeline import config


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=5001)


def main(port: int) -> None:
    """Errors: `UserError` where no model was promoted."""
    from pipeline.tracking import registry  # MLflow takes seconds to import

    registry.serve(config.read("tracking"), config.read("data").title, port)
