import copy
import io

from rich.console import Console

from astrocnn.report.terminal import print_summary, summary_table


def printed(metrics, path=None, width=140):
    console = Console(width=width, file=io.StringIO())
    print_summary(metrics, path, console=console)
    return console.file.getvalue()


def test_figures_with_intervals_and_the_number_of_negatives(run):
    text = printed(run.metrics, "/runs/[x]/report.html")
    figures = run.metrics["splits"]["test"]["figures"]
    auroc = figures["auroc"]
    assert f"{auroc['value']:.3f} [{auroc['low']:.3f}–{auroc['high']:.3f}]" in text
    assert f"{figures['tpr0']['value']:.3f} (200 negatives)" in text
    line = next(line for line in text.splitlines() if "TPR10" in line)
    assert line.count("(200 negatives)") == 2  # all, and the selection
    assert "theta_E > 1.2, snr_arc > 20" in text
    assert "/runs/[x]/report.html" in text


def test_a_figure_that_is_null_is_a_dash(run):
    line = next(line for line in printed(run.metrics).splitlines() if "FPR 0.1 %" in line)
    assert line.count("–") == 2


def test_square_brackets_in_names_are_not_markup(run):
    metrics = copy.deepcopy(run.metrics)
    summary = metrics["splits"]["test"]
    summary["classes"] = ["[red]no[/red]", "[bold"]
    summary["selections"]["[blue]s"] = summary["selections"].pop("clear")
    text = printed(metrics)
    assert "[red]no[/red]" in text
    assert "[blue]s" in text


def test_multiclass_has_one_column(multiclass):
    table = summary_table(multiclass.metrics)
    assert len(table.columns) == 2
    assert "Balanced accuracy" in printed(multiclass.metrics)
