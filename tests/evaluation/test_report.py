"""The page on a result. The oracle is a parser of HTML, and the files that the page is made of."""

import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest
from conftest import ROOT, compose, run_stages

from pipeline import config
from pipeline.commands import summary
from pipeline.files import formats, paths
from pipeline.tracking import records

pytestmark = pytest.mark.slow

EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a table whose target, classes and categories look like HTML."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "data").mkdir()
    table = pd.read_csv(ROOT / "tests" / "data" / "penguins.csv").dropna(subset="sex")
    table["island"] = table["island"].replace("Dream", EVIL)
    table["sex"] = table["sex"].replace("male", "a & b <i>")
    table.rename(columns={"sex": "sex<b>"}).to_csv(folder / "data" / "my.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        compose(
            "data=table", "data.path=data/my.csv", "data.target='sex<b>'", "train.features=curves", "decision=floor"
        )
        run_stages("load", "split", "train", "evaluate", "report")
        yield (paths.ROOT / paths.REPORT).read_text(encoding="utf-8"), paths.ROOT.absolute()


def test_names_of_the_table_are_text_and_nothing_is_loaded_from_elsewhere(page):
    html, _ = page
    parsed = Page(html)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "link", "iframe", "i", "b"}
    links = [attributes[key] for _, attributes in parsed.tags for key in ("src", "href") if key in attributes]
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)
    assert "url(" not in html
    assert EVIL in parsed.text
    assert "a & b <i>" in parsed.text


def test_the_page_has_the_scores_columns_settings_and_warnings_of_the_files(page):
    html, root = page
    text = Page(html).text
    scores = paths.main_result(root).load_metrics()["test"]
    assert f"log-loss {scores['log_loss']:.3f} [" in text
    columns = formats.load_columns(root / paths.COLUMNS)
    assert all(reason in text for reason in columns["reason"])
    assert "train.features curves" in text
    for line in formats.load_json(root / paths.EVALUATION_WARNINGS)["warnings"]:
        assert " ".join(line.split()) in text


def test_the_rule_of_the_decision_and_each_threshold_stand_beside_the_scores_wherever_these_are_shown(page, capsys):
    html, root = page
    rule = "recall of at least decision.recall = 0.9."
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root.parent)
        metrics = paths.main_result().load_metrics()
        paths.one_vs_rest().save_metrics(metrics)
        summary.main()
        record = records.main_record(config.load())
    printed = capsys.readouterr().out
    assert rule in printed
    assert rule in record.description
    assert rule in Page(html).text
    (row,) = re.findall(r"threshold</th>(.*)</tr>", html)
    for name, logged in {"test": "test/", "prior": "reference/prior/", "black_box": "reference/black box/"}.items():
        threshold = metrics[name]["threshold"]
        assert record.metrics[f"{logged}threshold"] == threshold
        assert f">{threshold:.3f}<" in row
        assert f"{threshold:.4f}" in printed


def test_every_picture_has_a_text_and_every_table_a_caption_and_headers(page):
    parsed = Page(page[0])
    images = [attributes for tag, attributes in parsed.tags if tag == "img"]
    assert len(images) >= 7
    assert all(attributes["alt"] for attributes in images)
    count = [tag for tag, _ in parsed.tags]
    assert count.count("table") == count.count("caption") > 3
    assert all("scope" in attributes for tag, attributes in parsed.tags if tag == "th")
    assert ("html", {"lang": "en"}) in parsed.tags


def test_the_same_result_gives_the_same_page(page):
    html, root = page
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root.parent)
        run_stages("report")
    assert (root / paths.REPORT).read_text(encoding="utf-8") == html
