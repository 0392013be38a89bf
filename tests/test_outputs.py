import pandas as pd
from pipeline.tables import storage


def test_a_table_comes_back_as_it_was_and_the_same_table_gives_the_same_bytes(tmp_path):
    frame = pd.DataFrame(
        {
            "a": [1.5, None],
            "b": pd.Series(["x", None], dtype="str"),
            "c": pd.to_datetime(["2024-01-01", None]).astype("datetime64[us]"),
        }
    )
    storage.save(frame, tmp_path / "deep" / "one.parquet")
    storage.save(frame.set_index(pd.Index([7, 8])), tmp_path / "two.parquet")
    pd.testing.assert_frame_equal(storage.load(tmp_path / "deep" / "one.parquet"), frame)
    assert (tmp_path / "deep" / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
