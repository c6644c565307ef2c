"""What a calibration is worth, in a terminal.

print(text(calibration))
"""

from collections.abc import Mapping

from foretrace.debug.calibration.features import Mode, Part
from foretrace.debug.calibration.report import Measured
from foretrace.debug.calibration.scores import Scores
from foretrace.debug.calibration.stored import Calibration, Key

_NAME = 22


def text(calibration: Calibration) -> str:
    """All that was measured."""
    basis = calibration.basis
    title = (
        f"{calibration.model}: fitted on {basis.programs:,} programs, measured on {basis.test_programs:,} others; "
        "95 % intervals over programs"
    )
    return "\n".join([title, "", *_summary(calibration.measured), "", *_ways(calibration), *_details(calibration.measured)])


def text_elsewhere(name: str, calibration: Calibration, measured: Mapping[Key, Measured]) -> str:
    """What it is worth on other programs."""
    programs = max(found.after.programs for found in measured.values())
    title = f"{calibration.model} on {name}: {programs:,} programs, nothing fitted; 95 % intervals over programs"
    return "\n".join([title, "", *_summary(measured), *_details(measured)])


def _summary(measured: Mapping[Key, Measured]) -> list[str]:
    """A line each for values and lines, re-anchored and free-running."""
    lines = [
        f"  {'':<{_NAME}}{'samples':>9}{'right':>8}{'raw says':>10}{'shown':>8}   {'ECE raw':<8}  {'ECE shown':<24}"
        f"{'Brier':<15}{'log loss':<15}AUROC"
    ]
    for (part, mode), found in measured.items():
        before, after = found.before, found.after
        lines.append(
            f"  {f'{part}s, {mode}':<{_NAME}}{after.count:>9,}{after.right.value:>8.1%}{before.sure:>10.1%}"
            f"{after.sure:>8.1%}   {before.ece.value:<8.3f}→ {after.ece.text():<24}"
            f"{_change(before, after, 'brier'):<15}{_change(before, after, 'log_loss'):<15}{_change(before, after, 'auroc')}"
        )
    return lines


def _change(before: Scores, after: Scores, what: str) -> str:
    return f"{getattr(before, what).value:.3f} → {getattr(after, what).value:.3f}"


def _ways(calibration: Calibration) -> list[str]:
    """Calibration errors and log losses of all ways to fit."""
    ways = list(next(iter(calibration.measured.values())).ways)
    lines = [f"  {'ECE / log loss':<{_NAME}}" + "".join(f"{way:>22}" for way in ways)]
    for (part, mode), found in calibration.measured.items():
        cells = [f"{found.ways[way].ece.value:.3f} / {found.ways[way].log_loss.value:.3f}" for way in ways]
        chosen = [cell + (" ✓" if way == found.way else "  ") for way, cell in zip(ways, cells, strict=True)]
        lines.append(f"  {f'{part}s, {mode}':<{_NAME}}" + "".join(f"{cell:>22}" for cell in chosen))
    return lines


def _details(measured: Mapping[Key, Measured]) -> list[str]:
    """Of values: what the dots mean, and the errors by type, step and depth."""
    lines = []
    for mode in Mode:
        head = f"{'right':<22}{'raw says':>8}{'shown':>8}   {'ECE raw':<8}  {'ECE shown':<24}samples"
        lines += ["", f"  {f'values, {mode}':<{_NAME}}{head}"]
        for by, groups in measured[Part.VALUE, mode].groups.items():
            for name, group in groups.items():
                right = f"{group.right.value:>6.1%} [{100 * group.right.low:.1f}, {100 * group.right.high:.1f}]"
                lines.append(
                    f"    {f'{by} {name}':<{_NAME - 2}}{right:<22}{group.raw:>8.1%}{group.sure:>8.1%}   "
                    f"{group.raw_ece.value:<8.3f}→ {group.ece.text():<24}{group.count:,}"
                )
    return lines
