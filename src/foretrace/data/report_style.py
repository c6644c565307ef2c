"""How a report looks, by day and by night."""

from foretrace.data.markup import Markup

LIGHT = {
    "page": "#f5f6f8",
    "card": "#fff",
    "ink": "#1b212b",
    "soft": "#5d6776",
    "line": "#e2e6ec",
    "mark": "#2f6fd6",
    "gone": "#e08a3c",
    "k0": "#2f6fd6",
    "k1": "#1a9e77",
    "k2": "#d99a00",
    "k3": "#7a5bd0",
    "k4": "#d4504c",
    "k5": "#7d8794",
    "code": "#f2f4f8",
    "raised": "#b4480f",
}
"""Colours by day, as CSS variables; k0 to k5 tell kinds apart."""
DARK = {
    "page": "#0e1217",
    "card": "#171d25",
    "ink": "#e6eaf0",
    "soft": "#96a1b0",
    "line": "#2a323d",
    "mark": "#5b97f0",
    "gone": "#e39a55",
    "k0": "#5b97f0",
    "k1": "#38b88f",
    "k2": "#e0ab2e",
    "k3": "#a48cf0",
    "k4": "#ec7a75",
    "k5": "#8b96a5",
    "code": "#10151c",
    "raised": "#f0a35e",
}
"""The same by night."""


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


COLOURS = Markup(
    f":root {{ color-scheme: light dark; {_variables(LIGHT)} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}\n"
)
"""The rules that set them."""
STYLE = Markup(
    COLOURS
    + """* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 44px 0 14px; letter-spacing: -.01em; }
h3 { font-size: 14px; margin: 0 0 12px; font-weight: 600; }
p { margin: 8px 0; } .card > p.soft { font-size: 13px; } .soft, figcaption { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 24px; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 14px 16px; } .tile b { display: block; font-size: 24px; line-height: 1.25; letter-spacing: -.02em; }
.tile span { color: var(--soft); font-size: 13px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 16px;
  align-items: start; }
.card { padding: 18px 20px; min-width: 0; } .card.wide { margin-top: 16px; }
svg.plot { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 11.5px; font-variant-numeric: tabular-nums; white-space: pre; }
svg text.name { fill: var(--ink); }
svg .grid { stroke: var(--line); } svg .median { stroke: var(--ink); stroke-dasharray: 3 3; opacity: .65; }
.mark { fill: var(--mark); } rect.mark:hover, rect.gone:hover { filter: brightness(1.15); } .gone { fill: var(--gone); }
.link { fill: var(--mark); opacity: .13; }
.k0 { fill: var(--k0); background: var(--k0); } .k1 { fill: var(--k1); background: var(--k1); }
.k2 { fill: var(--k2); background: var(--k2); } .k3 { fill: var(--k3); background: var(--k3); }
.k4 { fill: var(--k4); background: var(--k4); } .k5 { fill: var(--k5); background: var(--k5); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; margin: 10px 0 0; }
.legend b { font-weight: 600; } .swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px;
  margin-right: 7px; }
h2 + .card.wide { margin-top: 0; } .grid + .grid { margin-top: 16px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { text-align: right; color: var(--soft); font-weight: 500; padding: 3px 10px 5px 0;
  border-bottom: 1px solid var(--line); }
td { text-align: right; padding: 3px 10px 3px 0; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; max-width: 260px; overflow: hidden; text-overflow: ellipsis; }
th:last-child, td:last-child { padding-right: 0; }
td.bar { width: 34%; min-width: 70px; } svg.bar { display: block; width: 100%; height: 10px; }
tr.reason td { color: var(--soft); } tr.reason td:first-child { padding-left: 16px; }
tr.sum td { font-weight: 600; border-top: 1px solid var(--line); }
details { margin-top: 10px; } summary { cursor: pointer; color: var(--soft); font-size: 13px; }
pre, code, td.code { font: 12.5px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--code); border-radius: 8px; padding: 12px 14px; margin: 8px 0; overflow: auto;
  max-height: 520px; tab-size: 4; }
pre i { display: inline-block; width: 2.6em; color: var(--soft); font-style: normal; user-select: none; opacity: .8; }
.example { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 20px; align-items: start; }
.example > * { min-width: 0; }
@media (max-width: 860px) { .example { grid-template-columns: minmax(0, 1fr); } }
.steps td { text-align: left; vertical-align: top; } .steps th { text-align: left; }
.steps td.number { color: var(--soft); width: 3em; } .steps td.code { white-space: pre; }
.steps td.effect { white-space: pre-wrap; overflow-wrap: anywhere; }
.steps tr.raised td.effect, .raises { color: var(--raised); }
.call { font-weight: 600; overflow-wrap: anywhere; margin: 0 0 4px; } .facts { color: var(--soft);
  font-size: 13px; margin: 0 0 12px; }
.keys td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
  .keys td:first-child { color: var(--soft); width: 220px; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
@media print { .card, .tile { break-inside: avoid; } pre { max-height: none; } }
"""
)
