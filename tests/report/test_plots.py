import threading

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.metrics import roc_curve

from astrocnn.report.curves import losses, one_vs_rest, roc, schedule, split_history
from astrocnn.report.scores import confusion, histogram, reliability
from astrocnn.report.style import draw, svg
from astrocnn.report.truth import completeness, false_positives


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_roc_has_a_logarithmic_axis_and_the_curve_of_the_metrics(run):
    summary = run.metrics["splits"]["test"]
    figure = draw(roc, summary["roc"], n_negative=200, operating_fpr=0.01)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    line = next(line for line in axes.lines if line.get_label() == "ROC")
    fpr, tpr = np.array(summary["roc"]["fpr"]), np.array(summary["roc"]["tpr"])
    np.testing.assert_array_equal(line.get_xdata(), fpr[fpr > 0])
    np.testing.assert_array_equal(line.get_ydata(), tpr[fpr > 0])
    point = next(line for line in axes.lines if "operating" in str(line.get_label()))
    assert point.get_xdata()[0] == 0.01
    assert point.get_ydata()[0] == pytest.approx(np.interp(0.01, fpr, tpr))
    assert len(axes.collections) == 1  # the band


def test_one_vs_rest_agrees_with_scikit_learn(multiclass):
    table = multiclass.predictions
    p = np.stack([table[f"p_{k}"] for k in range(3)], axis=1)
    label = np.asarray(table["label"])
    (axes,) = draw(one_vs_rest, p, label, ["a", "b", "c"]).axes
    for k, name in enumerate("abc"):
        line = next(line for line in axes.lines if line.get_label() == name)
        fpr, tpr, _ = roc_curve(label == k, p[:, k], drop_intermediate=False)
        assert set(zip(line.get_xdata(), line.get_ydata(), strict=True)) <= set(zip(fpr, tpr, strict=True))
        assert line.get_ydata()[-1] == 1


def test_completeness_map_puts_each_number_at_its_place():
    grid = {
        "x": {"name": "theta_E", "edges": [0.5, 1.0, 2.0, 3.0]},
        "y": {"name": "snr_arc", "edges": [10, 20, 2000]},
        "value": [[0.1, 0.2], [0.3, None], [0.5, 0.6]],  # one row per bin of x
        "n": [[11, 12], [13, 0], [15, 16]],
        "fpr": 0.01,
    }
    (axes,) = draw(completeness, grid).axes
    placed = {text.get_position(): text.get_text() for text in axes.texts}
    assert placed == {
        (0.5, 0.5): "0.10\n(11)",
        (0.5, 1.5): "0.20\n(12)",
        (1.5, 0.5): "0.30\n(13)",
        (2.5, 0.5): "0.50\n(15)",
        (2.5, 1.5): "0.60\n(16)",
    }
    assert axes.get_xlabel() == "Einstein radius (arcsec)"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["10", "20", "2\u202f000"]


def test_false_positives_are_sorted_with_the_worst_on_top():
    kinds = {
        "ring": {"n": 10, "fpr": {"value": 0.4, "low": 0.2, "high": 0.6}},
        "edge_on": {"n": 20, "fpr": {"value": 0.1, "low": 0.0, "high": 0.2}},
    }
    (axes,) = draw(false_positives, kinds, whole_fpr=0.2).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["edge on (20)", "ring (10)"]
    assert [line.get_xdata()[0] for line in axes.lines[:2]] == [0.1, 0.4]


def test_reliability_skips_empty_bins():
    diagram = {
        "edges": [0, 0.5, 0.75, 1],
        "mean_p": [0.2, None, 0.9],
        "fraction": [0.1, None, 1.0],
        "n": [10, 0, 30],
    }
    top, bottom = draw(reliability, diagram, panels=(3, 1)).axes
    points = next(line for line in top.lines if line.get_label() == "this set")
    assert points.get_xdata().tolist() == [0.2, 0.9]
    assert [bar.get_height() for bar in bottom.patches] == [10, 0, 30]


def test_confusion_rows_are_true_classes():
    (axes,) = draw(confusion, [[90, 10], [5, 15]], ["no", "yes"]).axes
    placed = {text.get_position(): text.get_text() for text in axes.texts}
    assert placed[(1.5, 0.5)] == "10\n10.0 %"  # predicted yes, is no
    assert placed[(0.5, 1.5)] == "5\n25.0 %"


def test_histogram_counts_everything():
    scores = [np.array([0.01, 0.02, 1.0]), np.array([0.0, 0.99])]
    (axes,) = draw(histogram, scores, ["no", "yes"], threshold=0.5).axes
    totals = [patch.get_data().values.sum() for patch in axes.patches]
    assert totals == [3, 3, 2, 2]
    assert axes.get_yscale() == "log"


def test_history_is_sorted_into_panels(run):
    loss, figures, rate = split_history(run.history)
    assert set(loss) == {"train/loss", "val/loss"}
    assert set(figures) == {"val/auroc"}
    assert len(rate) == 1  # both parameter groups have the same rate
    (axes,) = draw(losses, loss).axes
    assert "validation" in [line.get_label() for line in axes.lines]
    top, bottom = draw(schedule, figures, rate, panels=(2, 1)).axes
    np.testing.assert_array_equal(top.lines[0].get_ydata(), run.history["val/auroc"][1])
    assert bottom.get_ylabel() == "Learning rate"


@pytest.mark.parametrize("values", [[np.nan, 1.0, 2.0], [1.0], [1e-9, 1e3, 1.0], [-1.0, 0.0, 5.0]])
def test_strange_losses_are_drawn(values):
    steps = np.arange(len(values))
    figure = draw(losses, {"train/loss": (steps, np.array(values)), "val/loss": (steps, np.array(values))})
    assert svg(figure, name="x", description="x").startswith("<svg")


def test_drawing_changes_no_setting_and_works_in_threads(run):
    before = dict(mpl.rcParams)
    results = []

    def work(number):
        figure = draw(roc, run.metrics["splits"]["test"]["roc"], n_negative=200, operating_fpr=0.01)
        results.append(svg(figure, name="same", description="ROC"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1  # the same bytes
    assert dict(mpl.rcParams) == before


def test_svg_ids_begin_with_the_name_and_colours_are_variables(run):
    figure = draw(roc, run.metrics["splits"]["test"]["roc"], n_negative=200, operating_fpr=0.01)
    text = svg(figure, name="plot-7", description='a "quoted" <thing>')
    assert "var(--c0)" in text
    assert "#0a6aa8" not in text
    assert "<style" not in text
    assert "http" not in text
    assert 'id="plot-7-' in text
    assert text.count(' id="') == text.count(' id="plot-7-')
    assert "&quot;quoted&quot; &lt;thing&gt;" in text


def test_names_that_fonts_and_mathematics_do_not_know():
    names = ["椭圆星系", "$\\frac{1}{", "a" * 200]
    figure = draw(confusion, np.eye(3, dtype=int) * 5, names)
    text = svg(figure, name="x", description="x")
    assert "椭圆星系" in text
    assert "$\\frac{1}{" in text
