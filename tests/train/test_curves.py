"""From records to pictures: what is read, grouped, smoothed, thinned and drawn."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretrace.errors import UsageError
from foretrace.train.axes import Axis, number, percent, smoothen, thin
from foretrace.train.curves import Panel, panels
from foretrace.train.figure import figure, page
from foretrace.train.history import read_runs

HOSTILE = "</style><script>alert(1)</script>"


def record(step: int, **values: Any) -> dict[str, Any]:
    return {"step": step, "tokens": step * 100, "seconds": step * 0.5, **values}


def write(folder: Path, records: list[dict[str, Any]], tail: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records) + tail)
    return folder


def run(folder: Path, points: int = 20, factor: float = 1.0) -> Path:
    """A run with most of what there is, in progress."""
    records = []
    for step in range(1, points + 1):
        loss = factor * (0.1 + 5 / step)
        kinds = {"source": loss / 2, "locals": loss * 2}
        records.append(record(step, loss=loss, lr=1e-3, mfu=0.4, mfu_datasheet=0.3, loss_by_kind=kinds))
        if step % 5 == 0:
            records.append(record(step, val_loss=loss, val_loss_by_kind=kinds, val_exact_trace=step / points))
    return write(folder, records, tail='{"step": 21, "lo')


def shown(drawn: list[Panel]) -> dict[str, list[tuple[str, str]]]:
    return {panel.title: [(s.run, s.part) for s in panel.series] for panel in drawn}


# -- Reading ---------------------------------------------------------------------------------------------


def test_a_run_in_progress_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    [found] = read_runs([run(tmp_path / "a")])
    assert found.name == "a"
    assert len(found.records) == 24


def test_stages_of_a_recipe_follow_each_other(tmp_path: Path) -> None:
    for stage, loss in (("sft", 1.0), ("pretrain", 3.0), ("midtrain", 2.0)):
        write(tmp_path / stage, [record(step, loss=loss) for step in (1, 2)])
    runs = read_runs([tmp_path])
    [panel] = panels(runs, x="step")
    [series] = panel.series
    assert series.x.tolist() == [1, 2, 3, 4, 5, 6]
    assert series.y.tolist() == [3, 3, 2, 2, 1, 1]
    assert [(mark.x, mark.what) for mark in panel.marks] == [(3, "midtrain"), (5, "sft")]


def test_a_resume_is_marked(tmp_path: Path) -> None:
    write(tmp_path, [record(1, loss=1.0), record(1, event="resumed"), record(2, loss=0.5)])
    [panel] = panels(read_runs([tmp_path]))
    assert [(mark.x, mark.what) for mark in panel.marks] == [(100, "resumed")]


def test_what_cannot_be_drawn_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run at .*missing"):
        read_runs([tmp_path / "missing"])
    with pytest.raises(UsageError, match="has no records yet"):
        read_runs([write(tmp_path / "new", [], tail='{"step"')])
    with pytest.raises(UsageError, match="nothing to draw against tokens in marks"):
        panels(read_runs([write(tmp_path / "marks", [record(1, event="resumed")])]))
    with pytest.raises(UsageError, match=r"no run has recorded 'los'\. Did you mean 'loss'"):
        panels(read_runs([run(tmp_path / "a")]), metrics=["los"])


# -- Panels ----------------------------------------------------------------------------------------------


def test_one_run_is_drawn_by_its_parts(tmp_path: Path) -> None:
    drawn = panels(read_runs([run(tmp_path / "a")]))
    assert shown(drawn) == {
        "Loss, nats a token": [("a", "training"), ("a", "held out")],
        "Loss by kind of token": [("a", "source"), ("a", "locals")],
        "Held-out loss by kind of token": [("a", "source"), ("a", "locals")],
        "Accuracy": [("a", "whole traces, held out")],
        "Learning rate": [("a", "")],
        "FLOPs used, share of the peak": [("a", "measured peak"), ("a", "datasheet peak")],
    }
    kinds = [[series.colour for series in panel.series] for panel in drawn if "kind" in panel.title]
    assert kinds == [[0, 1], [0, 1]]


def test_several_runs_are_compared_part_by_part(tmp_path: Path) -> None:
    old = write(tmp_path / "old", [record(1, loss=2.0, tokens_per_second=50.0), record(2, val_loss=1.0)])
    drawn = panels(read_runs([run(tmp_path / "a"), old]), metrics=["loss", "loss_by_kind"])
    assert shown(drawn) == {
        "Loss, nats a token · training": [("a", "training"), ("old", "training")],
        "Loss, nats a token · held out": [("a", "held out"), ("old", "held out")],
        "Loss by kind of token · source": [("a", "source")],
        "Loss by kind of token · locals": [("a", "locals")],
    }
    assert [series.colour for series in drawn[0].series] == [0, 1]


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [run(tmp_path / name / "sft") for name in "ab"]
    assert [found.name for found in read_runs(paths)] == [str(path) for path in paths]


def test_fields_nobody_knows_are_drawn_too(tmp_path: Path) -> None:
    write(tmp_path, [record(1, jepa_distance=0.5, note="x", done=True, loss_by_stage={"a": 1.0})])
    drawn = panels(read_runs([tmp_path]))
    assert {panel.title for panel in drawn} == {"jepa distance", "loss by stage"}


def test_a_field_stands_for_its_metric(tmp_path: Path) -> None:
    [panel] = panels(read_runs([run(tmp_path / "a")]), metrics=["val_loss"])
    assert panel.metric == "loss"


def test_what_is_no_number_is_a_gap(tmp_path: Path) -> None:
    values = [1.0, None, float("nan"), float("inf"), 2.0]
    write(tmp_path, [record(step, loss=value) for step, value in enumerate(values)])
    [panel] = panels(read_runs([tmp_path]))
    assert np.isnan(panel.series[0].y).tolist() == [False, True, True, True, False]


def test_only_what_is_measured_step_by_step_is_smoothed(tmp_path: Path) -> None:
    drawn = panels(read_runs([run(tmp_path / "a")]), metrics=["loss"], smooth=3)
    training, held_out = drawn[0].series
    assert held_out.raw is None
    assert training.raw is not None
    assert training.y[1] == pytest.approx(training.raw[:3].mean())
    write(tmp_path, [record(step, held_out={"pass@1": step / 10}) for step in range(5)])
    [panel] = panels(read_runs([tmp_path]), smooth=3)
    assert panel.series[0].y.tolist() == [0, 0.1, 0.2, 0.3, 0.4]


# -- Numbers ---------------------------------------------------------------------------------------------


def test_smoothing_is_a_mean_over_neighbours_and_keeps_gaps() -> None:
    y = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    np.testing.assert_allclose(smoothen(y, 3), [1.5, 1.5, np.nan, 4.5, 4.5])
    np.testing.assert_allclose(smoothen(y, 1), y)
    np.testing.assert_allclose(smoothen(y, 99), np.where(np.isnan(y), np.nan, 3.0))


def test_thinning_keeps_every_spike_and_the_order() -> None:
    x = np.arange(20_000.0)
    y = np.sin(x / 1000)
    y[[137, 12_345]], y[500:700] = [9.0, -9.0], np.nan
    fewer_x, fewer_y = thin(x, y, 300)
    assert len(fewer_x) <= 600
    assert (np.diff(fewer_x) > 0).all()
    assert {9.0, -9.0} <= set(fewer_y.tolist())
    assert np.isnan(fewer_y).any()
    np.testing.assert_array_equal(thin(x[:50], y[:50], 300)[1], y[:50])


@pytest.mark.parametrize(
    ("values", "ticks", "is_log"),
    [
        ([0.1, 9.0], (0.1, 0.3, 1.0, 3.0), True),
        ([1e-5, 1e5], None, True),
        ([0.0, 0.41], (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), False),
        ([7900.0, 8100.0], (7900.0, 7950.0, 8000.0, 8050.0, 8100.0), False),
        ([-3.0, 5.0], (-4.0, -2.0, 0.0, 2.0, 4.0, 6.0), False),
        ([0.9, 0.9], (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), False),
        ([0.0], None, False),
        ([-2.0], None, False),
        ([float("nan")], None, False),
        ([5e-324, 1.0], None, True),
        ([1e300, 1.5e300], None, False),
    ],
)
def test_axes_hold_their_numbers_between_round_ticks(
    values: list[float], ticks: tuple[float, ...] | None, is_log: bool
) -> None:
    axis = Axis.of(np.array(values))
    assert axis.is_log == is_log
    assert axis.ticks == (pytest.approx(ticks) if ticks else axis.ticks)
    assert 1 <= len(axis.ticks) <= 7
    places = axis.place(np.array([v for v in values if v == v]))
    assert ((places >= -1e-9) & (places <= 1 + 1e-9)).all()


def test_numbers_are_short() -> None:
    assert [number(v) for v in (0.0, 0.0034, 3e-5, 8012.3, 1.926e6, -0.5, 123.4)] == [
        *("0", "0.0034", "3e-5", "8,012", "1.93 M", "-0.5", "123"),
    ]
    assert [percent(v) for v in (0.0, 0.0034, 0.41, 1.0)] == ["0%", "0.34%", "41%", "100%"]


# -- Pictures --------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Elements in order, which must be closed in order; and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.names: list[str] = []
        self.paths: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.paths += [value or "" for name, value in attrs if name == "d"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(folder: Path) -> Path:
    steps = range(1, 4)
    return write(folder, [record(s, stage=HOSTILE * s, loss_by_source={HOSTILE: 1.0 + s, "b": 2.0}) for s in steps])


@pytest.mark.parametrize("draw", [figure, page])
def test_pictures_are_well_formed_whatever_the_names(tmp_path: Path, draw: Any) -> None:
    drawn = panels(read_runs([hostile(tmp_path / "<b>x"), run(tmp_path / "a")]), smooth=3)
    picture = Elements(draw(drawn, "seconds"))
    assert "script" not in picture.names
    assert HOSTILE in picture.text
    assert not any(word in path for path in picture.paths for word in ("nan", "inf"))


@pytest.mark.parametrize("points", [1, 2, 20, 20_000])
def test_pictures_stay_small_and_finite(tmp_path: Path, points: int) -> None:
    run(tmp_path, points)
    picture = figure(panels(read_runs([tmp_path]), smooth=9), "tokens")
    assert len(picture) < 300_000
    assert not re.search(r"nan|inf\b", picture)


def test_a_gap_interrupts_the_line_and_a_lonely_point_is_a_dot(tmp_path: Path) -> None:
    losses = [1.0, 2.0, None, 3.0, None, 2.0, 1.0]
    write(tmp_path, [record(step, loss=loss) for step, loss in enumerate(losses, 1)])
    paths = Elements(figure(panels(read_runs([tmp_path])), "step")).paths
    assert any(path.count("M") == 3 and path.count("L") == 2 for path in paths)
    assert any(path.count("h0") == 5 for path in paths)


def test_no_torch_is_needed(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = f"""
import sys; from pathlib import Path
from foretrace.train.curves import panels; from foretrace.train.figure import page; from foretrace.train.history import read_runs
page(panels(read_runs([Path({str(run(tmp_path / "a"))!r})])), "tokens"); sys.exit("torch" in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
