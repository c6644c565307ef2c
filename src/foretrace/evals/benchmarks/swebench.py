"""SWE-bench Verified: real issues of real repositories (Jimenez et al. 2024, arXiv:2310.06770; Chowdhury et al. 2024).

    find_benchmark("swebench-verified")                   # resolved or not: by the official harness, Docker and its images
    find_benchmark("swebench-verified-localisation")      # without them: whether the right files are changed

A number of the second is none of the first. A model that is asked here sees the issue and no code: what is meant is to score
files of predictions that agents made (`--model completions:predictions.jsonl`).
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from foretrace.evals.files import DataFile
from foretrace.evals.scorers import harness, localisation
from foretrace.evals.scorers.patch import read_patch, write_patch
from foretrace.evals.types import Benchmark, Item, Options, Question, Sampling, Style
from foretrace.forager.patches import patch_of

VERIFIED = DataFile(
    name="swebench_verified_test.parquet",
    sha256="9cf3c8d406a3878dffdec80e1933b2601d00fd5868aabbe6f268c0a29484f21a",
    rows=500,
    licence="MIT; the patches have the licences of twelve BSD, MIT and Apache projects",
    source="SWE-bench/SWE-bench at 9fa5614: data/SWE-bench_Verified/test.parquet, under this name",
)
WRONG = patch_of("foretrace.txt", None, "This solves nothing.\n")
"""A patch that always applies, and never helps."""
_PROMPT = """\
The repository {repo} at commit {commit} has this issue:

<issue>
{issue}
</issue>

Write the change of its source files that resolves it, as one patch for `git apply`, with paths from the root of the \
repository:

```diff
diff --git a/path/to/file.py b/path/to/file.py
--- a/path/to/file.py
+++ b/path/to/file.py
@@ -1,3 +1,3 @@
...
```
"""


def patch_style(ask: Callable[[Item], tuple[str, str, str]], source: str) -> Style:
    """Asks for a patch. `ask` gives an item's repository, commit and issue."""

    def question(item: Item) -> Question:
        repo, commit, issue = ask(item)
        prompt = _PROMPT.format(repo=repo, commit=commit or "HEAD", issue=issue.strip())
        return Question(text=f"{prompt}\nThe patch:\n\n", chat=prompt, stop=("\n```\n\n",))

    return Style(ask=question, read=read_patch, write=write_patch, sampling=Sampling(max_tokens=8_192), source=source)


def clone_of(repo: str, paths: Iterable[str]) -> str:
    """The git folder of a repository, `django/django`, below one of the paths; empty if there is none.

    It may be called `django__django` or `django`, and be bare (`django.git`) or not.
    """
    owner, _, name = repo.partition("/")
    for place in map(Path, paths):
        for called in (f"{owner}__{name}", name):
            for folder in (place / called / ".git", place / f"{called}.git", place / called):
                if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
                    return str(folder.resolve())
    return ""


def _load(options: Options) -> list[Item]:
    return [
        Item(
            id=row["instance_id"],
            row=row,
            places={"clone": clone_of(row["repo"], options.paths)},
            controls={"gold": row["patch"], "wrong": WRONG},
            tags={"repo": row["repo"], "difficulty": row["difficulty"]},
        )
        for row in VERIFIED.read(options.paths)
    ]


_STYLES = {
    "patch": patch_style(
        lambda item: (item.row["repo"], item.row["base_commit"], item.row["problem_statement"]),
        "ours; it shows no code: score what an agent made, --model completions:predictions.jsonl",
    )
}
_SOURCE = "Jimenez et al. 2024 (arXiv:2310.06770), the 500 of OpenAI's Verified subset; MIT"

RESOLVED = Benchmark(
    name="swebench-verified",
    title="SWE-bench Verified",
    about="issues of real repositories that a patch resolves, by the official harness",
    files=(VERIFIED,),
    load=_load,
    styles=_STYLES,
    scorer=harness.harness_scorer,
    isolation="containers of the harness",
    measures=("fail to pass", "pass to pass"),
    source=_SOURCE,
    note="numbers from before version 5 of the harness are not strictly comparable",
)

LOCALISATION = Benchmark(
    name="swebench-verified-localisation",
    title="SWE-bench Verified, localisation only",
    about="whether a patch can be read, applies, and changes the right files; NOT whether anything is resolved",
    files=(VERIFIED,),
    load=_load,
    styles=_STYLES,
    scorer=localisation.localisation_scorer,
    isolation="an environment for git",
    measures=localisation.MEASURES,
    source=_SOURCE,
    note="this is not the share of resolved issues: no test was run",
)
