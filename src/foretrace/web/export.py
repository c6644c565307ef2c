"""A session as one HTML file: it opens from a disk, without a server, a network or anything installed.

    Path("letters.html").write_text(export_html(session))

It holds the page itself, and what the server would have answered: each step of each branch. The modules of the page stand
in it as `data:` addresses under the names by which they import each other, so what runs is what the server serves.
"""

import base64
import json
import re
import zlib
from html import escape
from importlib.resources import files
from typing import Any

from foretrace.debug import Branch, Session, pages
from foretrace.debug import view as debug_view
from foretrace.errors import UsageError
from foretrace.trace import Event
from foretrace.web.notes import note
from foretrace.web.outline import outline
from foretrace.web.running import Running
from foretrace.web.views import outside, program

MAX_STEPS = 5_000
"""Steps of all branches together that a file holds."""
MODULES = (
    "vendor/preact.js",
    "address.js",
    "text.js",
    "icons.js",
    "rows.js",
    "recorded.js",
    "dialogs.js",
    "toolbar.js",
    "code.js",
    "details.js",
    "help.js",
    "keys.js",
    "stops.js",
    "more.js",
    "values.js",
    "steps.js",
    "timeline.js",
    "quiz.js",
    "app.js",
    "main.js",
)
"""The modules of the page that a file needs."""
_IMPORT = re.compile(r"""(\bfrom|\bimport)\s*(["'])\./([\w./-]+)\2""")
_STYLE = re.compile(r'<link rel="stylesheet" href="static/([\w.]+)">')
_SCRIPT = re.compile(r'<script type="module".*?</script>')
_POLICY = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data:"


def export_html(session: Session) -> str:
    """The file's text.

    Raises:
        UsageError: the session has too many steps for one file.

    """
    data = {
        "program": program(session, Running(allowed=False)),
        "branch": session.branch.id,
        "position": session.position,
        "branches": [_branch(session, branch) for branch in _chosen(session)],
    }
    packed = base64.b64encode(zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 9)).decode()
    title = f"{session.path} ▸ {session.tree.root.prompt.call.entry} · foretrace"
    imports = json.dumps({"imports": {f"foretrace/{name}": _data(_module(name)) for name in MODULES}})
    head = (
        f'<meta http-equiv="content-security-policy" content="{_POLICY}">\n'
        f'<script type="importmap">{imports}</script>\n</head>'
    )
    tail = (
        f'<script type="text/plain" id="recorded">{packed}</script>\n'
        '<script type="module">import "foretrace/main.js";</script>'
    )
    page = _static("index.html").replace("<title>foretrace</title>", f"<title>{escape(title)}</title>")
    page = _STYLE.sub(lambda found: f"<style>\n{_static(found[1])}</style>", page)
    return _SCRIPT.sub(lambda _: tail, page.replace("</head>", head))


def file_name(session: Session) -> str:
    """A name for the file, of plain characters."""
    called = f"{session.path.rsplit('/')[-1].removesuffix('.py')}-{session.tree.root.prompt.call.entry}"
    stem = re.sub(r"\W+", "-", called, flags=re.ASCII)
    return f"{stem.strip('-')[:80] or 'session'}.html"


def _chosen(session: Session) -> list[Branch]:
    """All branches that fit, the one that is shown first of all."""
    if len(session.branch.timeline) > MAX_STEPS:
        raise UsageError(
            f"this branch has {len(session.branch.timeline):,} steps, and one file holds {MAX_STEPS:,}; "
            "save the session, or record fewer steps"
        )
    left, chosen = MAX_STEPS, set()
    for branch in sorted(session.branches, key=lambda branch: branch is not session.branch):
        left -= len(branch.timeline)
        if left >= 0:
            chosen.add(branch)
    return [branch for branch in session.branches if branch in chosen]


def _branch(session: Session, branch: Branch) -> dict[str, Any]:
    """What the server would say of a branch, at each of its steps."""
    shown, session.branch = session.branch, branch
    try:
        known = range(len(branch.timeline))
        return {
            "summary": debug_view.summary(session),
            "states": [debug_view.state(session, at) for at in known],
            "notes": [note(session.at(at)) if _has_note(branch, at) else None for at in known],
            "rows": [row for at in range(0, MAX_STEPS + 1, debug_view.MAX_COUNT) for row in pages.page(session, at)["rows"]],
            "outline": outline(session),
            "lane": pages.lane(session, width=600),
            "outside": outside(session),
        }
    finally:
        session.branch = shown


def _has_note(branch: Branch, position: int) -> bool:
    return branch.timeline.frames[position].event in (Event.CALL, Event.LINE)


def _static(name: str) -> str:
    return (files("foretrace.web") / "static" / name).read_text(encoding="utf-8")


def _module(name: str) -> str:
    """A module whose imports are by name, for in a `data:` address there is nothing beside it."""
    folder = name.rpartition("/")[0]
    prefix = f"foretrace/{folder}/" if folder else "foretrace/"
    return _IMPORT.sub(lambda found: f"{found[1]} {found[2]}{prefix}{found[3]}{found[2]}", _static(name))


def _data(text: str) -> str:
    return "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()
