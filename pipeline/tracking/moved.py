"""Where the repository with its database was moved or copied: the runs' artifacts, which moved with it, follow.

MLflow writes down the absolute places of artifacts, makes a relative place absolute when it is created, and has no call
to change one (https://github.com/mlflow/mlflow/issues/3144 and 8226). So this is the only SQL on MLflow's tables.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

PLACES = (("runs", "artifact_uri"), ("logged_models", "artifact_location"), ("experiments", "artifact_location"))


def follow(file: Path, artifacts: Path) -> None:
    """Let what the database `file` has in an earlier folder of the name of `artifacts` be in `artifacts`."""
    with closing(sqlite3.connect(file)) as database, database:
        places = database.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file://%'")
        for there in sorted({place.rpartition("/")[0] for (place,) in places}):
            earlier = Path(unquote(urlsplit(there).path))
            if earlier.name != artifacts.name or earlier.resolve() == artifacts.resolve():
                continue
            for table, column in PLACES:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (artifacts.as_uri(), len(there) + 1, len(there) + 1, f"{there}/"),
                )
            print(f"{artifacts.name}/ was moved from {earlier}: its runs are found here again")
