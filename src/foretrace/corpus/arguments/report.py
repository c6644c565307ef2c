"""How well arguments were found for many functions: `report.add(exploration)`, then `report.figures()`."""

from dataclasses import dataclass

from foretrace.corpus.arguments.explore import Exploration


@dataclass(slots=True)
class Report:
    """Sums over functions."""

    functions: int = 0
    successes: int = 0
    """Functions with at least one non-trivial successful call."""
    coverage: float = 0.0
    calls: int = 0
    raising: int = 0
    tries: int = 0
    timeouts: int = 0

    def add(self, found: Exploration | None) -> None:
        """Adds a function; None: it could not be explored at all."""
        self.functions += 1
        if found is not None:
            self.successes += found.has_success
            self.coverage += found.coverage
            self.calls += len(found.calls)
            self.raising += sum(call.outcome == "raised" for call in found.calls)
            self.tries += found.tries
            self.timeouts += found.timeouts

    def merge(self, other: "Report") -> None:
        """Adds the sums of another report."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def figures(self) -> dict[str, float]:
        """Shares and means."""
        count = self.functions or 1
        return {
            "functions": self.functions,
            "with_success": round(self.successes / count, 4),
            "mean_coverage": round(self.coverage / count, 4),
            "calls_per_function": round(self.calls / count, 2),
            "raising_share": round(self.raising / (self.calls or 1), 4),
            "tries_per_function": round(self.tries / count, 1),
            "timeouts": self.timeouts,
        }
