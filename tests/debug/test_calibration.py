"""Calibrations as a whole: what they are worth, their file, and which weights they belong to."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from calibrated import ERR, calibration, cases, oracle

from foretrace.debug.calibration.domain import Domain, constructs_of
from foretrace.debug.calibration.features import Mode, Part, names
from foretrace.debug.calibration.make import KEYS, calibrate, measure_on
from foretrace.debug.calibration.maps import MARKS
from foretrace.debug.calibration.samples import collect
from foretrace.debug.calibration.stored import FILE, Calibration
from foretrace.debug.calibration.text import text, text_elsewhere
from foretrace.engine.load import fingerprint, folder_of
from foretrace.errors import CheckpointError, UsageError
from foretrace.trace import Event

ANCHORED, FREE = (Part.VALUE, Mode.ANCHORED), (Part.VALUE, Mode.FREE)


# -- what it is worth ---------------------------------------------------------------------------------


def test_what_is_shown_comes_true_as_often_as_it_says() -> None:
    """The oracle's doubts are shares of nothing: 0.95 on average where it is right, 0.5 where it is wrong."""
    found = calibration().measured[ANCHORED]
    assert found.before.ece.value > 0.03
    assert found.after.ece.value < 0.02
    assert found.after.log_loss.value < found.before.log_loss.value
    assert found.groups["dots"][MARKS[2]].right.value > 0.97
    assert found.groups["dots"][MARKS[0]].right.value < 0.4


def test_two_thirds_are_fitted_on_and_one_is_measured() -> None:
    basis = calibration().basis
    assert (basis.programs, basis.test_programs) == (100, 50)
    assert (basis.first, basis.last) == (cases()[0].name, cases()[-1].name)
    assert all(found.after.programs <= 50 for found in calibration().measured.values())


def test_samples_are_labelled_by_reality() -> None:
    """Re-anchored, a frame is wrong only if the oracle errs in it; alone, also what follows from that."""
    samples = collect(oracle(cases()), cases())
    lines = [sample for sample in samples if sample.part is Part.LINE]
    anchored = [sample.right for sample in lines if sample.mode is Mode.ANCHORED]
    assert 1 - ERR < sum(anchored) / len(anchored) < 1
    values = {mode: [s.right for s in samples if s.part is Part.VALUE and s.mode is mode] for mode in Mode}
    assert all(0 < sum(rights) < len(rights) for rights in values.values())
    shares = {mode: sum(rights) / len(rights) for mode, rights in values.items()}
    assert shares[Mode.FREE] < shares[Mode.ANCHORED]


def test_a_predictor_without_errors_is_always_right() -> None:
    samples = collect(oracle(cases(20), err=0.0), cases(20))
    assert all(sample.right for sample in samples)
    steps = sum(len(case.real) - 1 for case in cases(20))
    assert sum(s.part is Part.LINE and s.mode is Mode.ANCHORED for s in samples) == steps
    assert max(sample.depth for sample in samples) == max(f.depth for case in cases(20) for f in case.real.frames[1:])


def test_samples_do_not_depend_on_how_many_are_made_at_a_time() -> None:
    one, many = (collect(oracle(cases(20)), cases(20), workers=workers) for workers in (1, 4))
    assert one == many


def test_features_are_named() -> None:
    for sample in collect(oracle(cases(5)), cases(5)):
        assert len(sample.features) == len(names(sample.part, sample.mode))


def test_raising_programs_are_among_them() -> None:
    """Whether an exception is real is a question about a line."""
    raising = [case for case in cases() if case.real.exception]
    assert raising
    samples = collect(oracle(raising, err=0.0), raising)
    assert any(sample.kind == Event.EXCEPTION and sample.right for sample in samples)


def test_it_can_be_measured_on_other_programs() -> None:
    """On those that it was measured on anyway, the same comes out."""
    tested = [case for number, case in enumerate(cases()) if number % 3 == 0]
    progress: list[tuple[int, int]] = []
    elsewhere = measure_on(oracle(cases()), calibration(), tested, progress=lambda *at: progress.append(at))
    assert progress == [(number + 1, 50) for number in range(50)]
    for key in KEYS:
        assert elsewhere[key].after.right.value == pytest.approx(calibration().measured[key].after.right.value, abs=0.03)
    assert "on CRUXEval: 50 programs, nothing fitted" in text_elsewhere("CRUXEval", calibration(), elsewhere)


def test_too_few_programs_are_refused() -> None:
    with pytest.raises(UsageError, match="too little to fit"):
        calibrate(oracle(cases(20)), cases(20))


def test_the_text_says_what_was_measured() -> None:
    told = text(calibration())
    found = calibration().measured[FREE]
    assert f"{found.after.ece.text()}" in told
    assert all(dots in told for dots in MARKS)
    assert "type str" in told
    assert "step 1–2" in told


# -- the file -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with weights and their calibration."""
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)) * 100_000)
    replace(calibration(), weights=fingerprint(tmp_path)).write(tmp_path / FILE)
    return tmp_path


def test_a_calibration_survives_its_file(folder: Path) -> None:
    found = Calibration.load(folder)
    assert found is not None
    assert found.basis == calibration().basis
    assert found.domain == calibration().domain
    assert found.measured[FREE].after.ece.value == pytest.approx(calibration().measured[FREE].after.ece.value, abs=1e-5)
    again = folder / "again.json"
    found.write(again)
    assert again.read_bytes() == (folder / FILE).read_bytes()


def test_the_file_is_small_and_can_be_read(folder: Path) -> None:
    content = (folder / FILE).read_text()
    assert len(content) < 40_000
    assert max(map(len, content.split("\n"))) < 4000
    assert '"weights": {' in content


def test_no_file_no_calibration(tmp_path: Path) -> None:
    assert Calibration.load(tmp_path) is None


def test_a_stale_calibration_is_refused(folder: Path) -> None:
    weights = bytearray((folder / "model.safetensors").read_bytes())
    for at in range(0, len(weights), 1000):  # as training does, all over the file
        weights[at] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(CheckpointError, match="fitted on other weights") as error:
        Calibration.load(folder)
    assert f"foretrace calibrate {folder}" in str(error.value)


def test_fingerprints_tell_folders_of_several_files_apart(folder: Path) -> None:
    before = fingerprint(folder)
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"1")
    assert fingerprint(folder) != before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values | {"v": 2}, "version 2"),
        (lambda values: {name: value for name, value in values.items() if name != "maps"}, "no calibration"),
        (lambda values: values | {"maps": []}, "no calibration"),
        (lambda values: json.loads(json.dumps(values).replace('"score"', '"mood"')), "other features"),
    ],
)
def test_damaged_files_are_refused(folder: Path, change: object, said: str) -> None:
    assert callable(change)
    file = folder / FILE
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(CheckpointError, match=said):
        Calibration.load(folder)
    file.write_text('{"v": 1, "mod')
    with pytest.raises(CheckpointError, match="no calibration"):
        Calibration.load(folder)


def test_folders_by_the_names_of_models(tmp_path: Path) -> None:
    packaged = folder_of("tiny")
    assert packaged is not None
    assert (packaged / "config.json").is_file()
    assert folder_of(str(tmp_path)) == folder_of(f"torch:{tmp_path},dtype=bfloat16") == tmp_path
    assert folder_of("http://localhost:8000/v1") is None
    assert folder_of("oracle:err=0.1") is None


# -- what it knows ------------------------------------------------------------------------------------


def test_constructs_are_statements_methods_and_built_in_functions() -> None:
    found = constructs_of("def f(s):\n    for c in s.upper():\n        print(len(c), own(c))\n")
    assert {"FunctionDef", "For", ".upper", "print", "len"} <= found
    assert not {"own", "c", "upper"} & found


def test_programs_like_those_are_inside_and_others_are_not() -> None:
    domain = calibration().domain
    inside = sum(not domain.strange_source(case.source) for case in cases())
    assert 0.6 * len(cases()) < inside < len(cases())
    source = "class C:\n    def f(self):\n        with open('x') as file:\n            return file.read()\n"
    [said] = domain.strange_source(source)
    assert all(name in said for name in (".read", "ClassDef", "With", "open"))
    assert "lines" in domain.strange_source("def f(x):\n" + "    x += 1\n" * 500 + "    return x\n")[0]
    assert domain.strange_source("def f(:") == ["it does not parse"]


def test_what_one_of_a_hundred_exceeds_is_outside() -> None:
    few = cases(100)
    domain = Domain.of(few)
    longest = sorted(len(case.real) for case in few)
    assert domain.steps in longest[-2:]
    assert all(a <= b for a, b in pairwise(longest))
