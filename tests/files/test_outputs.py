import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import contents

from pipeline.files import formats, paths, stored


def write(root: Path, **files: str) -> None:
    """One run of a stage `train` that writes `files` in its folder and one metrics file."""
    with paths.replaced("train", root) as fresh:
        for name, text in files.items():
            formats.save_text(text, fresh / "train" / name)
        formats.save_text("{}", fresh / "train.json")


def test_a_table_comes_back_as_it_was_and_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "a": [1.5, None],
            "b": pd.Series(["x", None], dtype="str"),
            "c": pd.to_datetime(["2024-01-01", None]).astype("datetime64[us]"),
        }
    )
    stored.save_table(frame, tmp_path / "deep" / "one.parquet")
    stored.save_table(frame.set_index(pd.Index([7, 8])), tmp_path / "two.parquet")
    pd.testing.assert_frame_equal(stored.load_table(tmp_path / "deep" / "one.parquet"), frame)
    on_disk = stored.StoredTable(tmp_path / "deep" / "one.parquet")
    pd.testing.assert_frame_equal(stored.in_memory(on_disk.take(np.array([1]))), frame.iloc[1:].reset_index(drop=True))
    assert (len(on_disk), on_disk.drop(columns="b").columns.tolist()) == (2, ["a", "c"])
    assert on_disk.select_dtypes("datetime").columns.tolist() == ["c"]
    assert (tmp_path / "deep" / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_noise_in_the_last_digit_changes_no_byte_of_a_written_number(tmp_path: Path) -> None:
    value = 0.1234567
    for name, noise in (("one", 0.0), ("two", 1e-14)):
        formats.save_json({"a": [value + noise]}, tmp_path / f"{name}.json")
        formats.save_csv(pd.DataFrame({"a": [value + noise]}), tmp_path / f"{name}.csv")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert json.loads((tmp_path / "one.json").read_text()) == {"a": [value]}


def test_significant_digits_are_counted_from_the_first_that_is_not_zero() -> None:
    rounded = formats.significant(np.array([[123456.0, -0.000123456], [0.0, np.nan]]), 3)
    np.testing.assert_array_equal(rounded, [[123000.0, -0.000123], [0.0, np.nan]])


def test_a_column_of_the_report_may_be_called_as_a_number_or_as_a_missing_value(tmp_path: Path) -> None:
    formats.save_csv(pd.DataFrame({"column": ["NA", "2024"], "reason": ["x", None]}), tmp_path / "columns.csv")
    read = formats.load_columns(tmp_path / "columns.csv")
    assert read["column"].tolist() == ["NA", "2024"]
    assert read["reason"].isna().tolist() == [False, True]


def test_a_run_replaces_all_files_of_the_run_before_and_no_others(tmp_path: Path) -> None:
    write(tmp_path, one="1", two="1")
    formats.save_text("from the user", tmp_path / "train" / "stray.txt")
    formats.save_text("of another stage", tmp_path / "split" / "rows.txt")
    write(tmp_path, one="2")
    assert contents(tmp_path) == {"train/one": b"2", "train.json": b"{}", "split/rows.txt": b"of another stage"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_run_that_stops_half_way_leaves_the_earlier_files_and_no_folder_of_its_own(
    tmp_path: Path, error: type[BaseException]
) -> None:
    write(tmp_path, one="1")
    with pytest.raises(error), paths.replaced("train", tmp_path) as fresh:
        formats.save_text("half", fresh / "train" / "one")
        raise error
    assert contents(tmp_path) == {"train/one": b"1", "train.json": b"{}"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["train", "train.json"]


def test_a_folder_that_a_killed_run_left_does_not_reach_the_next_run(tmp_path: Path) -> None:
    with paths.replaced("train", tmp_path) as fresh:
        formats.save_text("1", fresh / "train" / "one")
    formats.save_text("half", fresh / "train" / "left.txt")
    write(tmp_path, one="1")
    assert contents(tmp_path) == {"train/one": b"1", "train.json": b"{}"}


def test_classes_and_groups_called_as_numbers_come_back_as_strings(tmp_path: Path) -> None:
    written = pd.DataFrame({"class": ["0", "1"], "first": ["0.5", "(missing)"], "effect": [0.25, -1.0]})
    formats.save_csv(written, tmp_path / "pairs.csv")
    pd.testing.assert_frame_equal(formats.load_csv(tmp_path / "pairs.csv"), written.astype({"class": "str"}))
