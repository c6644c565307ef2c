"""Losses by source and kind, and what a window of steps did: exact sums, on one rank and on two."""

import math
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import distributed as dist
from torch import multiprocessing

from foretrace.data.kinds import Kind
from foretrace.train.meter import StepMeter
from foretrace.train.metrics import KINDS, LossTable

CPU = torch.device("cpu")


def tokens(count: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """nll, weights, kinds, sources and hits of `count` tokens; some weigh nothing."""
    random = torch.Generator().manual_seed(seed)
    nll = torch.rand(count, generator=random) * 5
    weights = torch.rand(count, generator=random) * (torch.rand(count, generator=random) > 0.2)
    kinds = torch.randint(1, len(Kind), (count,), generator=random, dtype=torch.uint8)
    sources = torch.randint(0, 3, (count,), generator=random)
    return nll, weights, kinds, sources, torch.rand(count, generator=random) > 0.5


def weighted(values: torch.Tensor, weights: torch.Tensor) -> float:
    return float((values.double() * weights.double()).sum() / weights.double().sum())


def test_means_are_weighted_by_source_and_by_kind() -> None:
    nll, weights, kinds, sources, hits = tokens(5000)
    table = LossTable(("a", "b", "c"))
    for part in torch.arange(5000).split(1234):  # as rows come
        table.add(nll[part], weights[part], kinds[part], sources[part], hits[part])
    record = table.read()
    assert record["loss"] == pytest.approx(weighted(nll, weights), rel=1e-9)
    assert record["token_accuracy"] == pytest.approx(weighted(hits, weights), rel=1e-9)
    assert record["loss_by_source"] == pytest.approx(
        {name: weighted(nll[sources == i], weights[sources == i]) for i, name in enumerate("abc")}
    )
    assert record["loss_by_kind"] == pytest.approx(
        {k.name.lower(): weighted(nll[kinds == k], weights[kinds == k]) for k in Kind if k is not Kind.PROMPT}
    )


def test_reading_begins_anew_and_prefixes_names() -> None:
    table = LossTable(("a",))
    one, zeros = torch.ones(1), torch.zeros(1, dtype=torch.int64)
    table.add(3 * one, one, zeros + Kind.VALUE, zeros)
    table.read()
    table.add(2 * one, 0.5 * one, zeros + Kind.LOCALS, zeros)
    record = table.read("val_")
    assert record == {"val_loss": 2.0, "val_loss_by_source": {"a": 2.0}, "val_loss_by_kind": {"locals": 2.0}}


def test_nothing_that_counts_is_no_number() -> None:
    table = LossTable(("a", "b"))
    nothing = torch.zeros(4, dtype=torch.int64)
    table.add(torch.ones(4), torch.zeros(4), nothing, nothing)
    record = table.read()
    assert math.isnan(record["loss"])
    assert record["loss_by_source"] == record["loss_by_kind"] == {}


def test_kinds_have_the_names_that_plots_show() -> None:
    assert KINDS == ("prompt", "text", "event", "source", "locals", "value", "action", "observation")


def measured(meter: StepMeter, steps: int = 3) -> None:
    for number in range(steps):
        with meter.step():
            with meter.waiting():
                pass
            meter.losses.add(*tokens(50, number))
            meter.count(tokens=60, flops=6e9)
            meter.note(grad_norm=torch.tensor(float(number)), lr=0.1 * number)


def test_a_window_of_steps() -> None:
    meter = StepMeter("abc", CPU, measured_peak=1e12, datasheet_peak=4e12)
    measured(meter)
    record = meter.read()
    assert record["mfu"] == pytest.approx(4 * record["mfu_datasheet"])
    assert "tokens_per_second_per_device" not in record
    assert record["mfu"] * 1e12 / record["tokens_per_second"] == pytest.approx(6e9 / 60)  # both over the same seconds
    assert (record["grad_norm"], record["grad_norm_max"], record["lr"]) == (1.0, 2.0, 0.2)
    assert 0 < record["data_share"] < 1
    assert record["step_seconds"] > 0
    assert 0 < record["memory_gb"] <= record["memory_peak_gb"]


def test_a_window_forgets_the_one_before() -> None:
    meter, fresh = StepMeter("abc", CPU), StepMeter("abc", CPU)
    measured(meter, 5)
    meter.read()
    measured(meter)
    measured(fresh)
    window, only = meter.read(), fresh.read()
    for name in ("loss", "loss_by_source", "loss_by_kind", "token_accuracy", "grad_norm", "grad_norm_max"):
        assert window[name] == only[name], name
    assert "mfu" not in window  # without a peak there is no share of it


def test_what_happens_between_steps_takes_no_time() -> None:
    meter, marks = StepMeter("abc", CPU), [time.perf_counter()]
    for _ in range(2):
        with meter.step():
            meter.count(tokens=1, flops=0.0)
        marks.append(time.perf_counter())
        sum(range(100_000))  # such as a validation
        marks.append(time.perf_counter())
    between = marks[2] - marks[1] + marks[4] - marks[3]
    seconds = 2 / meter.read()["tokens_per_second"]
    assert 0 < seconds <= marks[4] - marks[0] - between


def test_a_step_that_fails_leaves_the_clock_in_order() -> None:
    meter = StepMeter("abc", CPU)
    with pytest.raises(ZeroDivisionError), meter.step():
        _ = 1 / 0
    measured(meter)
    assert meter.read()["step_seconds"] >= 0


def _rank(rank: int, file: str, out: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    meter = StepMeter("abc", CPU, measured_peak=1e12, devices=4)
    for number in range(rank, 6, 2):
        with meter.step():
            meter.losses.add(*tokens(50, number))
            meter.count(tokens=60, flops=6e9)
    torch.save(meter.read(), f"{out}{rank}")
    dist.destroy_process_group()


def test_ranks_add_up(tmp_path: Path) -> None:
    multiprocessing.spawn(_rank, (str(tmp_path / "init"), str(tmp_path / "out")), nprocs=2)
    records = [torch.load(tmp_path / f"out{rank}") for rank in range(2)]
    assert records[0] == records[1]
    alone = StepMeter("abc", CPU)
    measured(alone, 6)
    expected = alone.read()
    for name in ("loss", "loss_by_source", "loss_by_kind", "token_accuracy"):
        assert records[0][name] == pytest.approx(expected[name], rel=1e-12), name
    record = records[0]
    assert record["tokens_per_second_per_device"] == pytest.approx(record["tokens_per_second"] / 4)
    assert record["mfu"] * 4 * 1e12 / record["tokens_per_second"] == pytest.approx(1e8)
