import numpy as np
import pytest
from pytorch_lightning.loggers import CSVLogger

from astrocnn.report.history import read_history


def write(folder, attempt, rows):
    """As a run does: Lightning's own logger, one folder an attempt."""
    logger = CSVLogger(folder, name="logs", version=f"attempt-{attempt}")
    for step, values in rows:
        logger.log_metrics(values, step=step)
        logger.save()
    return folder / "logs" / f"attempt-{attempt}" / "metrics.csv"


def test_curves_of_one_attempt(tmp_path):
    write(
        tmp_path, 0, [(0, {"train/loss": 1.0}), (1, {"train/loss": 0.5}), (1, {"val/loss": 0.7, "epoch": 0})]
    )
    history = read_history(tmp_path)
    steps, values = history["train/loss"]
    assert steps.tolist() == [0, 1]
    assert values.tolist() == [1.0, 0.5]
    assert history["val/loss"][0].tolist() == [1]


def test_the_latest_attempt_wins_where_steps_repeat(tmp_path):
    write(tmp_path, 1, [(step, {"loss": 100.0 + step}) for step in range(6)])
    write(tmp_path, 2, [(step, {"loss": 200.0 + step}) for step in range(4, 8)])
    write(tmp_path, 10, [(step, {"loss": 1000.0 + step}) for step in (7, 8)])  # 10 is after 2
    steps, values = read_history(tmp_path)["loss"]
    assert steps.tolist() == list(range(9))
    np.testing.assert_array_equal(values, [100, 101, 102, 103, 204, 205, 206, 1007, 1008])


def test_a_row_that_a_kill_cut_short_is_left_out(tmp_path):
    path = write(tmp_path, 0, [(0, {"loss": 0.25, "other": 1.5}), (1, {"loss": 0.125, "other": 2.5})])
    whole = path.read_bytes()
    for cut in range(1, 9):
        path.write_bytes(whole[:-cut])
        steps, values = read_history(tmp_path)["other"]
        assert steps.tolist() in ([0], [0, 1])
        assert set(values.tolist()) <= {1.5, 2.5}
        loss = read_history(tmp_path)["loss"][1].tolist()
        assert loss in ([0.25], [0.25, 0.125])


def test_nothing_logged(tmp_path):
    assert read_history(tmp_path) == {}
    (tmp_path / "logs" / "attempt-0").mkdir(parents=True)
    (tmp_path / "logs" / "attempt-0" / "metrics.csv").write_text("")
    assert read_history(tmp_path) == {}


@pytest.mark.parametrize("word", ["nan", "inf"])
def test_a_diverged_loss_stays_visible(tmp_path, word):
    write(tmp_path, 0, [(0, {"loss": 1.0}), (1, {"loss": float(word)})])
    assert not np.isfinite(read_history(tmp_path)["loss"][1][1])
