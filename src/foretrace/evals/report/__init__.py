"""What came of runs, to be read and shown: a page with plots, Markdown, or the picture beside published numbers alone.

    write_report([Run.open(Path("runs/tiny"))], Path("report.html"))      # or .md, or .svg: the picture

Modules: gather (what is said), page and markdown (how), landscape and intervals (plots), labels (names beside dots).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from foretrace.errors import UsageError
from foretrace.evals.folder import Run

HTML, MARKDOWN, PICTURE = (".html", ".htm"), (".md", ".markdown"), (".svg",)


def write_report(runs: Sequence[Run], file: Path, *, sizes: Mapping[str, float] | None = None) -> None:
    """Writes a report of runs; the end of the file's name tells which.

    Args:
        runs: of one model or of several.
        file: `.html`, one page that needs nothing beside it; `.md`; or `.svg`, the picture of the first benchmark of which
            numbers are published.
        sizes: parameters of models, by name, that their runs do not know.

    Raises:
        UsageError: the name ends otherwise; nothing is measured; or there is no picture.
        FormatError: a run is damaged.

    """
    from foretrace.evals.report.gather import gather

    kind = file.suffix.lower()
    if kind not in HTML + MARKDOWN + PICTURE:
        raise UsageError(f"{file}: a report is an .html, an .md or an .svg; which one, the end of its name says")
    groups = gather(runs, sizes=sizes or {})
    if kind in HTML:
        from foretrace.evals.report.page import page

        text = page(groups)
    elif kind in MARKDOWN:
        from foretrace.evals.report.markdown import markdown

        text = markdown(groups)
    else:
        pictures = [picture for group in groups if (picture := group.picture())]
        if not pictures:
            names = ", ".join(group.benchmark for group in groups)
            raise UsageError(f"no numbers are published of {names}: there is no picture to draw; write an .html or .md")
        text = pictures[0]
    file.write_text(text, encoding="utf-8")
