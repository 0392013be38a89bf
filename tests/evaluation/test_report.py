"""The page on a result. The oracle is a parser of HTML, and the files that the page is made of."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pandas as pd
import pytest
from conftest import ROOT, compose, copy_conf, run_stages
from sklearn.metrics import precision_score, recall_score

from pipeline import config
from pipeline.commands import summary
from pipeline.evaluation import report
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
    copy_conf(folder)
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
    tags = [tag for tag, _ in parsed.tags]
    assert not {*tags} & {"link", "iframe", "i", "img"}
    assert [attributes.get("type") for tag, attributes in parsed.tags if tag == "script"] == ["application/json", None]
    links = [attributes[key] for _, attributes in parsed.tags for key in ("src", "href") if key in attributes]
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"url\(|https?:|@import", html)
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


def test_every_picture_has_one_caption_and_every_table_a_caption_and_headers(page):
    html, _ = page
    parsed = Page(html)
    count = [tag for tag, _ in parsed.tags]
    pictures = [attributes for tag, attributes in parsed.tags if tag == "svg"]
    assert len(pictures) > 10
    assert all(attributes["aria-hidden"] == "true" for attributes in pictures)  # a caption says what is in it, once
    figures = re.findall(r"<figure.*?</figure>", html, re.DOTALL)
    assert all(figure.count("<figcaption>") == 1 and "<svg" in figure for figure in figures)
    assert sum(figure.count("<svg") for figure in figures) == len(pictures)
    assert count.count("table") == count.count("caption") > 3
    assert all("scope" in attributes for tag, attributes in parsed.tags if tag == "th")
    assert ("html", {"lang": "en"}) in parsed.tags


def test_the_page_has_one_title_sections_that_the_menu_names_labels_and_both_colour_schemes(page):
    html, _ = page
    parsed = Page(html)
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("h1") == 1
    names = [attributes["href"][1:] for tag, attributes in parsed.tags if tag == "a"]
    headings = [attributes["id"] for tag, attributes in parsed.tags if tag == "h2"]
    assert names == ["main", *headings]
    inputs = {attributes["id"] for tag, attributes in parsed.tags if tag in ("input", "select")}
    assert inputs == {attributes["for"] for tag, attributes in parsed.tags if tag == "label"} >= {"threshold", "column"}
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "prefers-color-scheme: dark" in html
    assert not re.search(r'(fill|stroke)="#', html)  # colours are those of the page
    assert len(html) < 1_500_000


def test_the_verdict_comes_first_and_has_the_counts_of_the_predictions(page):
    html, root = page
    rows = formats.load_csv(root / paths.PREDICTIONS)
    label = formats.load_csv(root / paths.EFFECTS)["class"][0]
    is_positive, flagged = (rows[side] == label for side in ("actual", "predicted"))
    found, alarms = (is_positive & flagged).sum(), flagged.sum()
    sentence = f"Finds {found} of the {is_positive.sum()} rows with sex<b> = {label}; {alarms - found} of the {alarms}"
    text = Page(html).text
    assert sentence in text
    assert text.index("Flags rows from a probability of") < text.index(sentence) < text.index("ROC AUC")
    card = (root / paths.CARD).read_text(encoding="utf-8")
    assert card.index("Finds") < card.index("## How good it is")


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the script of the page")
def test_the_script_gives_the_counts_of_the_predictions_at_the_threshold_in_force_and_at_others(page, tmp_path):
    html, root = page
    numbers = json.loads(re.search(r'id="numbers">(.*?)</script>', html)[1])
    start = int(re.search(r'id="threshold" min="0" max="\d+" value="(\d+)"', html)[1])
    label = formats.load_csv(root / paths.EFFECTS)["class"][0]
    rows = formats.load_csv(root / paths.PREDICTIONS)
    is_positive = rows["actual"] == label
    places = [start, 0, len(numbers["threshold"]) // 2]
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[0]
    program = f"{script}\nconsole.log(JSON.stringify({places}.map((k) => decided({json.dumps(numbers)}, k, 1, 5))))"
    (tmp_path / "page.js").write_text(program, encoding="utf-8")
    ran = subprocess.run(["node", tmp_path / "page.js"], capture_output=True, text=True, check=True)
    for k, of in zip(places, json.loads(ran.stdout), strict=True):
        flagged = rows[f"probability_{label}"] >= numbers["threshold"][k]
        assert k != start or (flagged == (rows["predicted"] == label)).all()
        assert of["hits"] == (flagged & is_positive).sum()
        assert of["alarms"] == (flagged & ~is_positive).sum()
        assert of["recall"] == pytest.approx(recall_score(is_positive, flagged))
        assert of["precision"] == pytest.approx(precision_score(is_positive, flagged))
        assert of["cost"] == pytest.approx(((flagged & ~is_positive) + 5 * (~flagged & is_positive)).mean())


def test_the_origin_is_added_to_the_page_and_the_card_and_can_be_left_out(page):
    _, root = page
    for name in (paths.REPORT, paths.CARD):
        text = (root / name).read_text(encoding="utf-8")
        made = report.with_origin(root / name, "123abc", "python -m pipeline reproduce 1", ["train.lambda = 0.1 <b>"])
        assert "123abc" in made
        assert "0.1 <b>" in (Page(made).text if name == paths.REPORT else made)
        assert report.without_origin(made) == report.without_origin(text) != made


def test_the_same_result_gives_the_same_page(page):
    html, root = page
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root.parent)
        run_stages("report")
    assert (root / paths.REPORT).read_text(encoding="utf-8") == html
