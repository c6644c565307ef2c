"""The episodes of a run in a browser: a list, and each of them as a story.

    app = make_stories(Run.open(Path("run")), rules_for("127.0.0.1", port=8765, token=new_token(), page=True))

What is shown is read anew for each request, so that a run can be watched while it is under way. The door is `serve.guard`;
an episode is found among the run's names, and nothing that a request says is used as a path.
"""

from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from foretrace.data.markup import Markup, tag
from foretrace.forager.runs import Run
from foretrace.forager.trajectory import Trajectory
from foretrace.serve.guard import Guard, Rules
from foretrace.serve.problem import Problem
from foretrace.web.refusals import HANDLERS
from foretrace.web.story import POLICY, badge, page, policy_of, story_html, verdict_of

_HEADERS = {"content-security-policy": f"{POLICY}; frame-ancestors 'none'", "cache-control": "no-store"}


def make_stories(run: Run, rules: Rules) -> Guard:
    """The application behind its door."""

    async def index(request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(index_html, run), headers=_HEADERS)

    async def story(request: Request) -> Response:
        name = request.path_params["episode"]
        if name not in run.names():
            raise Problem(404, f"there is no episode {name!r} in this run")
        return HTMLResponse(await run_in_threadpool(_story, run, name), headers=_HEADERS)

    routes = [Route("/", index), Route("/episodes/{episode}", story)]
    return Guard(Starlette(routes=routes, exception_handlers=HANDLERS), rules)


def index_html(run: Run) -> str:
    """The list of the episodes that are finished, those that are not solved among them."""
    found = list(run.trajectories())
    solved = sum(verdict_of(trajectory) == "resolved" for trajectory in found)
    names = ("verdict", "episode", "policy", "turns", "tokens", "seconds")
    head = tag("tr", *(tag("th", name) for name in names))
    body = tag(
        "main",
        tag("h1", run.folder.name or "a run"),
        tag("p", f"{len(found):,} episodes, {solved:,} solved", class_="facts"),
        tag("div", tag("table", head, *map(_row, found), class_="episodes"), class_="scroll"),
    )
    return page(f"{run.folder.name} · foretrace", body)


def _row(trajectory: Trajectory) -> Markup:
    header, result = trajectory.header, trajectory.result
    assert result is not None
    name = tag("a", header.task, href=f"/episodes/{quote(header.episode, safe='')}")
    numbers = (f"{result.turns:,}", f"{result.tokens:,}", f"{result.seconds:.1f}")
    verdict = tag("td", badge(verdict_of(trajectory)))
    return tag(
        "tr", verdict, tag("td", name, class_="name"), *(tag("td", text) for text in (policy_of(trajectory), *numbers))
    )


def _story(run: Run, name: str) -> str:
    trajectory = run.find(name)
    return story_html(trajectory, run.instances.get(trajectory.header.task), back="/")
