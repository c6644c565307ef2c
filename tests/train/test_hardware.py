"""What a run computes on: names, peaks, memory."""

import json
import mmap

import pytest

torch = pytest.importorskip("torch")

from foretrace.train import hardware
from foretrace.train.hardware import datasheet_peak, describe, device_name, matmul_peak, memory

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 NVL", 836e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA GH200 480GB", 989e12),
        ("NVIDIA H20", 148e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA A10", 125e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA GeForce RTX 4090", 165e12),
        ("AMD Instinct MI300X", 1307e12),
        ("NVIDIA A10G", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("Tesla T4", None),
        ("AMD EPYC 9654", None),
    ],
)
def test_a_peak_is_known_for_the_very_device_or_not_at_all(name: str, peak: float | None) -> None:
    assert datasheet_peak(name, torch.bfloat16) == peak
    assert datasheet_peak(name, torch.float32) is None


def test_the_measured_peak_is_at_least_that_of_one_shape() -> None:
    peak = matmul_peak(CPU, torch.float32, shapes=[(64, 32, 16)], seconds=0.05)
    assert 1e8 < peak < 1e16


def test_a_description_is_json_and_keeps_the_higher_measurement() -> None:
    found = describe(CPU, torch.float32, shapes=[(64, 32, 16)])
    assert json.loads(json.dumps(found)) == found
    assert found["dtype"] == "float32"
    assert found["versions"]["torch"] == torch.__version__
    assert describe(CPU, torch.float32, known=found | {"measured_peak": 1e18})["measured_peak"] == 1e18
    other = found | {"measured_peak": 1e18, "threads": found["threads"] + 1}
    assert describe(CPU, torch.float32, known=other)["measured_peak"] < 1e18


def test_this_processor_has_a_name() -> None:
    assert device_name(CPU).strip()


def test_memory_counts_what_is_taken() -> None:
    before = memory(CPU)
    with mmap.mmap(-1, 64 << 20) as taken:  # from the system: the allocator might give what others have freed
        taken.write(b"x" * len(taken))
        after = memory(CPU)
    assert after.now - before.now > 48 << 20
    assert after.peak >= after.now


def test_memory_is_told_without_proc_too() -> None:
    here, elsewhere = memory(CPU), hardware._memory_elsewhere()
    assert elsewhere.now == pytest.approx(here.now, rel=0.2)
    assert elsewhere.peak >= 0.5 * here.peak
