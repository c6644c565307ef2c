"""What `foretrace web RUN` does: the episodes of a run in a browser, each of them as a story.

serve_stories(Path("run"), Serving())
"""

from pathlib import Path

from foretrace.cli.web_serving import Browser, Made, Rules, Serving, serve_page
from foretrace.errors import UsageError
from foretrace.forager.runs import Run


def serve_stories(folder: Path, serving: Serving, *, export: Path | None = None) -> None:
    """Serves a run. Raises as `serve_page` does.

    Raises:
        UsageError: the folder is no run, or it should be one file.

    """
    run = Run.open(folder)
    if export is not None:
        raise UsageError(f"an episode is one file, and a run is not: foretrace forage show {folder} EPISODE --html {export}")

    def make(rules: Rules) -> Made:
        from foretrace.web.stories import make_stories

        return make_stories(run, rules()), lambda: None

    serve_page(serving, make, f"{len(run.names()):,} episodes of {folder}", _visit)


def _visit(page: bytes, browser: Browser, url: str) -> str:
    text = page.decode()
    if "<h1>" not in text:
        raise ValueError("the list is not there")
    return f"{text.count('/episodes/')} episodes"
