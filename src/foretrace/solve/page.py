"""A receipt as a page: what was asked, what was kept and why, each candidate with its checks, each prediction step by step.

    Path("receipt.html").write_text(receipt_html(receipt))

Plain HTML, as `web/story.py` makes it. Everywhere a mark tells what ran (✓ ✗) from what was only predicted (⇢). On a server,
`replay` is where the debugger opens the trace behind a prediction.
"""

from collections.abc import Callable
from dataclasses import dataclass

from foretrace.data.markup import Markup, join, tag
from foretrace.solve.receipt import Receipt, Verdict
from foretrace.solve.types import Candidate, Cell, Check, Foreseen, Ran, Standing
from foretrace.web.story import page

_KINDS = {Verdict.VERIFIED: "good", Verdict.FAILED: "bad", Verdict.NOTHING: "bad"}

Replay = Callable[[int, int], str]
"""The address of a prediction's trace, by the numbers of its candidate and its check; empty if there is none."""


def receipt_html(receipt: Receipt, replay: Replay = lambda candidate, check: "") -> str:
    """The page."""
    order = sorted(range(len(receipt.candidates)), key=lambda n: n != receipt.chosen)
    body = tag(
        "main",
        _head(receipt),
        tag("section", tag("h2", "What was asked"), tag("pre", receipt.statement.strip(), class_="said")),
        tag("section", tag("h2", "What was written"), *(_candidate(receipt, n, replay) for n in order)),
        tag(
            "footer",
            tag("p", f"by {receipt.writer} · world model {receipt.predictor or 'none'} · foretrace {receipt.foretrace}"),
            tag(
                "p",
                "⇢ is what the world model says would happen; nothing ran for it. ✓ and ✗ are what happened in the sandbox.",
            ),
        ),
    )
    return page(f"{receipt.entry or 'program'} · receipt · foretrace", body)


def _head(receipt: Receipt) -> Markup:
    (held, ran), (believed, only) = receipt.counts(Standing.VERIFIED), receipt.counts(Standing.PREDICTED)
    right, known = receipt.agreement
    spent = receipt.spent
    tiles = [
        ("verified by running", f"{held}/{ran}"),
        ("predicted only", f"{believed}/{only}"),
        ("model and reality agree", f"{right}/{known}" if known else "–"),
        ("candidates", f"{len(receipt.candidates)}"),
        ("runs", f"{spent['runs']:,}"),
        ("tokens written", f"{spent['written']:,}"),
        ("tokens predicted", f"{spent['predicted']:,}"),
        ("seconds", f"{spent['seconds']:.1f}"),
    ]
    badge = tag("span", receipt.verdict, class_=f"badge {_KINDS.get(receipt.verdict, 'open')}")
    notes = [*receipt.notes, f"the budget of {spent['stopped']} ran out" if spent["stopped"] else ""]
    return tag(
        "header",
        tag("h1", receipt.entry or "a program", " ", badge),
        tag(
            "p",
            f"chosen by: {receipt.select}" + (f" · sandbox {receipt.isolation}" if receipt.isolation else ""),
            class_="facts",
        ),
        tag(
            "div", *(tag("div", tag("b", value), tag("span", name), class_="tile") for name, value in tiles), class_="tiles"
        ),
        *(tag("p", note, class_="facts") for note in notes if note),
    )


def _candidate(receipt: Receipt, number: int, replay: Replay) -> Markup:
    candidate = receipt.candidates[number]
    is_kept = number == receipt.chosen
    rows = [
        _Row(check, cell, replay(number, at)).markup()
        for at, (check, cell) in enumerate(zip(receipt.checks, candidate.cells, strict=True))
    ]
    head = tag("tr", *(tag("th", name) for name in ("check", "from", "⇢ predicted", "what happened", "rests on")))
    table = tag("div", tag("table", head, *rows, class_="episodes"), class_="scroll") if rows else join()
    title = f"Candidate {number + 1}" + (", kept" if is_kept else "")
    parts = tag("p", _facts(candidate), class_="facts"), tag("pre", candidate.source), table
    return (
        tag("div", tag("h3", title), *parts)
        if is_kept
        else tag("details", tag("summary", f"{title}: {_summary(candidate)}"), *parts)
    )


def _facts(candidate: Candidate) -> str:
    turn = "at first" if candidate.repairs is None else f"turn {candidate.turn}, to repair candidate {candidate.repairs + 1}"
    return f"written {candidate.votes} time{'s' if candidate.votes > 1 else ''}, {turn}"


def _summary(candidate: Candidate) -> str:
    failed = sum(cell.passed is False for cell in candidate.cells)
    return f"checks that do not hold: {failed}" if failed else "nothing known against it"


@dataclass(frozen=True, slots=True)
class _Row:
    """One check of a candidate."""

    check: Check
    cell: Cell
    address: str

    def markup(self) -> Markup:
        told = join(_foreseen(self.cell.foreseen), *([" ", tag("a", "replay", href=self.address)] if self.address else []))
        basis = "run; nothing expected" if self.cell.ran is not None and self.cell.ran.passed is None else self.cell.standing
        cells = [self.check.told, self.check.origin, told, _ran(self.cell.ran), basis]
        return tag("tr", tag("td", cells[0], class_="name"), *(tag("td", cell) for cell in cells[1:]))


def _foreseen(foreseen: Foreseen | None) -> str:
    if foreseen is None:
        return ""
    if foreseen.why:
        return f"({foreseen.why})"
    sure = "" if foreseen.sure is None else f" · {foreseen.sure:.0%} sure"
    passes = "" if foreseen.passes is None else f" · passes {foreseen.passes:.0%}"
    return f"⇢ {foreseen.value or foreseen.raises}{sure}{passes}"


def _ran(ran: Ran | None) -> str:
    if ran is None:
        return ""
    mark = {True: "✓ ", False: "✗ ", None: "= "}[ran.passed]
    return mark + (ran.error or ran.value)
