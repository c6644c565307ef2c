"""The tables of a report as texts, which the page and the Markdown share."""

from collections.abc import Sequence

from foretrace.evals.report.gather import Entry, Group
from foretrace.evals.summary import RULES, Summary

SHARES = ("unparsable", "truncated", "broken")
Rows = list[list[str]]


def overview(groups: Sequence[Group]) -> tuple[list[str], Rows]:
    """Names of columns, and a row for each part: no score stands alone."""
    head = ["benchmark", "model · style", *RULES, *SHARES, "n"]
    rows = []
    for group in groups:
        for entry in group.entries:
            summary = entry.summary
            passes = [found[1].text() for found in summary.passes.values()]
            shares = [f"{100 * getattr(summary, name).value:.1f} %" for name in SHARES]
            rows.append([group.title, entry.label, *passes, *shares, str(summary.settings["n"])])
    return head, rows


def scores(summary: Summary) -> tuple[list[str], Rows]:
    """pass@k under both rules."""
    ks = list(summary.passes["strict"])
    rows = [[f"pass@{k}", *(found[k].text() for found in summary.passes.values())] for k in ks]
    if summary.broken.hits:
        rows.append(["pass@1, were the broken wrong", *(f"{100 * value:.1f} %" for value in summary.at_least.values())])
    return ["", *summary.passes], rows


def settings_line(entry: Entry) -> str:
    """How answers were drawn and judged."""
    told = [f"{name} {value}" for name, value in entry.summary.settings.items()]
    used = entry.summary.used
    told.append(f"{used['tokens']:,.0f} tokens in {used['seconds']:,.0f} s, judged in {used['score_seconds']:,.0f} s")
    if used["cost"]:
        told.append(f"cost {used['cost']:,.2f}")
    return f"{', '.join(told)}; prompt: {entry.part.manifest['prompt_source'] or 'ours'}"


def data_lines(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """Models, versions, and of each benchmark its data: a name and what is said of it, each once."""
    found: dict[tuple[str, str], None] = {}
    for group in groups:
        for entry in group.entries:
            model, content = entry.run.model, entry.run.content
            size = f", {entry.parameters:,.0f} parameters" if entry.parameters else ""
            weights = f", weights {str(model['sha256'])[:16]}" if model.get("sha256") else ""
            found[entry.model, f"{model['kind']}{size}{weights}"] = None
            versions = ", ".join(f"{name} {value}" for name, value in content.get("versions", {}).items())
            found[f"run {entry.run.folder.name}", _versions(content, versions)] = None
    for group in groups:
        for entry in group.entries:
            manifest = entry.part.manifest
            files = [f"{f['name']} (sha256 {f['sha256'][:12]}, {f['rows']} rows, {f['licence']})" for f in manifest["files"]]
            made = f"{'; '.join(files) or 'made here'}; items {manifest['items_sha256'][:12]}. {manifest['source']}"
            found[group.title, made] = None
    return list(found)


def _versions(content: dict[str, object], versions: str) -> str:
    return f"foretrace {content.get('foretrace')}, Python {content.get('python')}, {content.get('platform')}; {versions}"


def sources(groups: Sequence[Group]) -> list[tuple[str, str, str]]:
    """Title, place and settings of each source of published numbers."""
    found = [source for group in groups for source in group.published.sources]
    return [(source.title, source.where, source.settings) for source in dict.fromkeys(found)]
