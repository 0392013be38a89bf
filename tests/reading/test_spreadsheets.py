"""What a spreadsheet shows is what is read: merged cells, formulas, and the sheet that has the target."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.reading import Options, read

openpyxl = pytest.importorskip("openpyxl")


def saved(path, rows, merged=()):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for area in merged:
        book.active.merge_cells(area)
    book.save(path)
    return path


def test_durations_times_and_dates_of_a_workbook_are_what_their_formats_say(tmp_path):
    book, hour = openpyxl.Workbook(), 1 / 24
    formats = {"short": "[h]:mm", "long": "[hh]:mm:ss", "time": "h:mm", "month": "mmm-yy", "stamp": "d/m/yy h:mm"}
    book.active.append([*formats, "y"])
    for k in range(1, 5):
        day = 44_000 + 31 * k  # 2020-06-18 is 44000
        book.active.append([8 * hour * k / 4, 30 * hour * k, 2 * hour * k, day, day + hour, "ab"[k % 2]])
        for cell, number_format in zip(book.active[k + 1], formats.values(), strict=False):
            cell.number_format = number_format
    book.save(tmp_path / "t.xlsx")
    with pytest.warns(UserWarning, match=r"column '(short|long)': numbers with units, h"):
        frame, cells = read(tmp_path / "t.xlsx", target="y")
    np.testing.assert_allclose(frame["short"], [2, 4, 6, 8])
    np.testing.assert_allclose(frame["long"], [30, 60, 90, 120])
    assert frame["time"].dt.hour.tolist() == [2, 4, 6, 8]
    assert frame["month"].dt.month.tolist() == [7, 8, 9, 10]
    assert frame["stamp"].dt.hour.tolist() == [1] * 4
    assert cells.units == {"short": "h", "long": "h"}


def test_a_sheet_that_describes_the_columns_is_not_the_table(tmp_path):
    path = saved(tmp_path / "t.xlsx", [["column", "meaning"], ["a", "size"], ["y", "class"], ["b", "weight"]])
    book = openpyxl.load_workbook(path)
    sheet = book.create_sheet("Data")
    for row in [["a", "b", "y"], *([k, k * k, "no"] for k in range(5))]:
        sheet.append(row)
    book.save(path)
    with pytest.warns(UserWarning, match="'Data', which has a cell 'y', is read, not 'Sheet'"):
        assert len(read(path, target="y").frame) == 5


def test_merged_cells_are_filled_down_with_a_warning_that_counts_them(tmp_path):
    rows = [
        ["region", "a", "y"],
        ["north", 1, "no"],
        [None, 2, "yes"],
        [None, 3, "no"],
        ["south", 4, "yes"],
        [None, 5, "no"],
    ]
    path = saved(tmp_path / "t.xlsx", rows, ["A2:A4", "A5:A6", "C5:C6"])
    with pytest.warns(UserWarning, match=r"filled .*: column A 'region' \(3 cells\), column C 'y' \(1 cells\)"):
        frame = read(path, target="y").frame
    assert frame["region"].tolist() == ["north"] * 3 + ["south"] * 2
    assert frame["y"].tolist() == ["no", "yes", "no", "yes", "yes"]


def test_a_header_that_is_merged_gives_each_of_its_columns_its_name_and_a_title_stays_a_title(tmp_path):
    rows = [["Survey of 2024", None, None], ["size", None, "y"], [1, 2, "no"], [3, 4, "yes"]]
    path = saved(tmp_path / "t.xlsx", rows, ["A1:C1", "A2:B2"])
    with pytest.warns(UserWarning):
        frame = read(path, target="y").frame
    assert frame.to_dict("list") == {"size": [1, 3], "size_2": [2, 4], "y": ["no", "yes"]}


def test_a_header_of_two_rows_whose_cells_are_merged_down_is_read(tmp_path):
    rows = [
        ["id", "May", None, "y", "June", None],
        [None, "cost", "gain", None, "cost", "days"],
        ["a", 1, 2, "no", 5, 6],
    ]
    path = saved(tmp_path / "t.xlsx", rows, ["A1:A2", "B1:C1", "D1:D2", "E1:F1"])
    with pytest.warns(UserWarning):
        assert read(path, target="y").frame.columns.tolist() == ["id", "May cost", "gain", "y", "June cost", "days"]


def test_merged_cells_of_excel_97_and_opendocument(tmp_path):
    pytest.importorskip("odf")
    from odf import opendocument, table, text

    book = opendocument.OpenDocumentSpreadsheet()
    sheet = table.Table(name="one")
    for cells in [["region", "y"], ["north", "no"], [None, "yes"], [None, "no"], ["south", "yes"]]:
        row = table.TableRow()
        for cell in cells:
            spans = {"numberrowsspanned": 3} if cell == "north" else {}
            element = table.TableCell(valuetype="string", **spans) if cell else table.CoveredTableCell()
            if cell:
                element.addElement(text.P(text=cell))
            row.addElement(element)
        sheet.addElement(row)
    book.spreadsheet.addElement(sheet)
    book.save(str(tmp_path / "t.ods"))
    with pytest.warns(UserWarning, match=r"column A 'region' \(2 cells\)"):
        assert read(tmp_path / "t.ods").frame["region"].tolist() == ["north"] * 3 + ["south"]


def test_formulas_that_were_never_calculated_are_named_with_the_way_out(tmp_path):
    path = saved(tmp_path / "t.xlsx", [["a", "twice", "y"], [1, "=2*A2", "no"], [2, "=2*A3", "yes"]])
    with pytest.warns(UserWarning, match=r"never calculated .*: column B 'twice' \(2 cells\). Open .* and save it"):
        assert read(path).frame["twice"].isna().all()


@pytest.mark.parametrize("suffix", ["xlsx", "ods"])
def test_the_sheet_with_the_target_is_read_where_the_first_has_notes(tmp_path, suffix):
    pytest.importorskip("odf")
    path = tmp_path / f"t.{suffix}"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"About": ["made by hand"]}).to_excel(book, sheet_name="Notes", index=False)
        pd.DataFrame({"a": [1, 2], "y": ["no", "yes"]}).to_excel(book, sheet_name="Rows", index=False, startrow=2)
    with pytest.warns(
        UserWarning, match=r"2 sheets: 'Rows', which has a cell 'y', is read, not 'Notes'.*data.sheet=Notes"
    ):
        assert read(path, target="y").frame["a"].tolist() == [1, 2]
    with pytest.raises(UserError, match="no column 'y'"):
        read(path, Options(sheet="Notes"), target="y")
