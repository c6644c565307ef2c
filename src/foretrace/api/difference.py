"""Two traces compared: what `trace.diff` finds, together with what it was found in.

difference = diff(predicted, real)
difference.first                        # Divergence(step=23, kind='value', variable='n', predicted='2', real='3', …)
difference.to_html("letters.html")      # one file that opens anywhere

It is a `Diff` like that of two traces from elsewhere. Importing this needs no NumPy.
"""

from dataclasses import dataclass, field
from pathlib import Path

from foretrace.trace import Diff, Trace
from foretrace.trace import diff as compare


@dataclass(frozen=True, kw_only=True)
class Difference(Diff):
    """All disagreements of two traces."""

    predicted: Trace = field(repr=False)
    real: Trace = field(repr=False)

    def to_html(self, path: Path | str) -> None:
        """Writes both, side by side, as one page without a server: it opens offline.

        Raises:
            UsageError: the traces are of different calls.

        """
        from foretrace.api.page import write_page

        write_page(Path(path), self.predicted, self.real)


def diff(predicted: Trace, real: Trace) -> Difference:
    """Compares two traces of the same call. Counts are of the real trace's lines and values."""
    found = compare(predicted, real)
    counts = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return Difference(**counts, predicted=predicted, real=real)
