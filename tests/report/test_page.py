import copy
import re

import numpy as np
import pytest
from html_page import Page

from astrocnn.errors import DataError
from astrocnn.report.page import write_report
from astrocnn.report.populations import shown_split


@pytest.fixture
def write(tmp_path):
    def make(run, **options):
        arguments = {
            "title": "A lens finder",
            "metrics": run.metrics,
            "predictions": run.predictions,
            "images": run.images,
            "history": run.history,
            "bands": ("g", "r", "i"),
            "pixel_scale_arcsec": 0.2,
        }
        path = write_report(tmp_path / "report.html", **(arguments | options))
        return path.read_text(encoding="utf-8")

    return make


def test_every_section_is_there_and_nothing_is_fetched(run, write):
    info = {
        "model": "resnet",
        "n_parameters": 11170753,
        "training_seconds": 252,
        "versions": {"torch": "2.15"},
    }
    text = write(run, run_info=info | {"command": "train.py a=1", "other": {"x": 1}})
    page = Page(text)
    expected = [
        "Figures of merit",
        "Performance",
        "Galleries",
        "Kinds of non-lens",
        "Training",
        "The run",
        "ROC",
    ]
    expected += [
        "Completeness map",
        "False positives by kind",
        "Reliability",
        "Distribution",
        "Confusion matrix",
    ]
    expected += ["Loss", "Validation", "Surest hits", "Misses", "False alarms", "Edge on"]
    assert set(expected) <= set(page.headings)
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    assert "http" not in text
    assert "<script" not in text
    assert "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    assert all(address[1:] in page.ids for address in page.addresses if address.startswith("#"))
    assert "11\u202f170\u202f753 parameters" in page.text
    assert "4 min 12 s" in page.text
    assert "torch 2.15" in page.text
    assert "4.8″ wide" in page.text
    assert len(text) < 3e6


def test_numbers_are_those_of_the_metrics(run, write):
    page = Page(write(run))
    summary = run.metrics["splits"]["test"]
    shown = page.text
    for population in (summary, summary["selections"]["clear"]):
        for key, figure in population["figures"].items():
            value = figure["value"]
            assert value is None or f"{value:.3f}" in shown, key
            if figure.get("low") is not None and key != "tpr0" and figure["high"] - figure["low"] >= 0.006:
                assert f"{figure['low']:.3f}–{figure['high']:.3f}" in shown, key
    for row in summary["confusion"]:
        assert all(str(count) in shown for count in row)
    assert "theta_E > 1.2, snr_arc > 20" in shown
    assert f"{summary['selections']['clear']['n_positive']} lens, 200 non-lens" in shown
    assert "of 200 negatives" in shown  # TPR0 and TPR10


def test_the_run_is_told_in_words_and_what_is_empty_is_left_out(run, write):
    info = {
        "title": "twice",
        "date": "2026-11-21T14:03:22+00:00",
        "git": None,
        "versions": {},
        "training_seconds": 7505,
    }
    page = Page(write(run, run_info=info))
    assert "21 November 2026, 14:03 UTC" in page.text
    assert "2 h 05 min" in page.text
    for word in ("twice", "Git state", "Versions"):
        assert word not in page.text


def test_none_and_nan_are_dashes(run, write):
    metrics = copy.deepcopy(run.metrics)
    figures = metrics["splits"]["test"]["figures"]
    figures["auroc"] = {"value": None, "low": None, "high": None, "note": "too few <objects>"}
    figures["brier"] = {"value": float("nan")}
    text = write(run, metrics=metrics)
    assert re.search(r"AUROC.{0,80}</th><td><b>–</b><small>too few &lt;objects&gt;</small>", text)
    assert re.search(r"Brier score.{0,90}</th><td><b>–</b></td>", text)
    assert "nan" not in Page(text).text.lower().replace("resnan", "")


def test_hostile_text_is_only_text(run, write):
    evil = "<script>alert(1)</script>\"'&"
    predictions = run.predictions.copy()
    predictions["id"] = [f"{evil}{i}" for i in range(len(predictions))]
    metrics = copy.deepcopy(run.metrics)
    summary = metrics["splits"]["test"]
    summary["classes"] = ["<i>no</i>", evil]
    summary["selections"][evil] = summary["selections"].pop("clear")
    info = {"model": evil, evil: evil, "versions": {evil: evil}, "command": evil}
    text = write(
        run, title=evil, predictions=predictions, metrics=metrics, run_info=info, bands=("<u>", "r", "i")
    )
    page = Page(text)
    assert "<script" not in text
    assert "<i>no" not in text
    assert "<u>" not in text
    assert evil in page.text
    assert f"{evil}1" in page.text  # an id, whole


def test_only_the_shown_split_and_labelled_objects_enter(run, write):
    predictions = run.predictions.copy()
    predictions["split"] = np.where(np.arange(len(predictions)) % 4 < 2, "test", "train")
    predictions["label"][2::4] = -1
    asked = []

    def images(rows):
        asked.extend(rows.tolist())
        return run.images(rows)

    write(run, predictions=predictions, images=images)
    kept = np.asarray(predictions["index"])[(predictions["split"] == "test") & (predictions["label"] >= 0)]
    assert asked
    assert set(asked) <= set(kept.tolist())


def test_no_misses_and_no_false_alarms_at_all(run, write):
    predictions = run.predictions.copy()
    predictions["p"] = np.where(predictions["label"] == 1, 1.0, 0.0)
    metrics = copy.deepcopy(run.metrics)
    metrics["splits"]["test"]["threshold_fpr"]["threshold"] = 0.5
    page = Page(write(run, predictions=predictions, metrics=metrics))
    assert "No lens is below the threshold." in page.text
    assert "No non-lens is above the threshold." in page.text
    assert "> 0.999" in page.text


def test_what_is_not_known_is_left_out(run, write):
    metrics = copy.deepcopy(run.metrics)
    summary = metrics["splits"]["test"]
    for key in ("selections", "false_positives", "completeness"):
        del summary[key]
    predictions = run.predictions["id", "index", "label", "p"]
    page = Page(
        write(run, metrics=metrics, predictions=predictions, history={}, bands=None, pixel_scale_arcsec=None)
    )
    for heading in (
        "Kinds of non-lens",
        "Training",
        "The run",
        "Completeness map",
        "False positives by kind",
    ):
        assert heading not in page.headings
    assert "ROC" in page.headings
    assert "wide" not in page.text


def test_multiclass_page(multiclass, write):
    text = write(multiclass, bands=None)
    page = Page(text)
    assert "ROC of each class" in page.headings
    assert "Most confident mistakes" in page.headings
    assert "merger, surest" in page.headings
    assert "Misses" not in page.headings
    assert "taken for" in page.text
    summary = multiclass.metrics["splits"]["test"]
    for name, recall in summary["recall"].items():
        assert re.search(rf"Recall, {name}.{{0,60}}<b>{recall['value']:.3f}</b>", text)


@pytest.mark.parametrize("n_bands", [1, 2, 5])
def test_any_number_of_bands(run, write, n_bands):
    page = Page(write(run, images=lambda rows: run.images(rows, n_bands=n_bands), bands=None))
    assert ("One band, in grey" if n_bands == 1 else f"{n_bands} bands in colour") in page.text


def test_a_kind_for_every_object_does_not_flood_the_page(run, write):
    metrics = copy.deepcopy(run.metrics)
    predictions = run.predictions.copy()
    predictions["kind"] = [f"kind {i}" for i in range(len(predictions))]
    metrics["splits"]["test"]["false_positives"] = {
        f"kind {i}": {"n": 1, "fpr": {"value": 0.0, "low": 0.0, "high": 0.8}} for i in range(0, 400, 2)
    }
    assert len(write(run, metrics=metrics, predictions=predictions)) < 3e6


def test_the_same_inputs_give_the_same_page(run, write):
    assert write(run) == write(run)


def test_missing_column_and_missing_split(run, write):
    with pytest.raises(DataError, match="lack the columns p"):
        write(run, predictions=run.predictions["id", "index", "label"])
    with pytest.raises(DataError, match="no split"):
        write(run, metrics={"splits": {}})


def test_the_test_split_is_shown_where_there_is_one():
    assert shown_split({"splits": {"train": {}, "test": {"n": 1}}}) == ("test", {"n": 1})
    assert shown_split({"splits": {"mine": {"n": 2}}})[0] == "mine"
