"""Print the addresses of the runs, and start MLflow's pages where the store is a database.

The addresses open the runs with their scores as columns. Where the store is a server, it has the pages already.
"""

from pipeline import config
from pipeline.tracking import pages


def main() -> None:
    """Errors: `UserError` where the store can't be used, or has no runs."""
    pages.show(config.read("tracking"))
