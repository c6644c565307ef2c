// What stands above the program: whose it is, the moves, where one is, and how it compares with reality.
import { recall, remember } from "./address.js";
import { IconButton } from "./icons.js";
import { callText, count, describe, plural, reason } from "./text.js";
import { useEffect, useState, html } from "./vendor/preact.js";

const THEMES = ["", "light", "dark"];

/** Name, program, model, and what can be done with the whole. */
export function Header({ page }) {
  const { source, view } = page;
  const { program } = source;
  const name = program.path.split("/").pop();
  const save = () => source.download().catch((error) => page.setMessage({ text: error.message, bad: true }));
  return html`<header class="header">
    <a class="logo" href="#" onClick=${(event) => event.preventDefault()} aria-label="foretrace">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <path class="ahead" d="M3 11h4m4 0h4m4 0h6M22 6l6 5-6 5" />
        <path class="behind" d="M3 23h26" />
      </svg>
      <b>foretrace</b></a
    >
    <button
      type="button"
      class="title"
      data-testid="program"
      disabled=${!source.live}
      title="open another program"
      onClick=${() => page.open("open")}
    >
      <span class="file">${name}</span><span class="at" aria-hidden="true">▸</span
      ><span class="call">${callText(program.entry, view.summary.arguments)}</span>
    </button>
    <div class="facts">
      <span class="chip" data-testid="model" title="what predicts">${program.model}</span>
      <${Calibrated} program=${program} outside=${view.outside} />
      ${source.live ? html`<${Spent} page=${page} />` : html`<span class="chip">recorded</span>`}
    </div>
    <nav class="actions" aria-label="session">
      ${
        source.live &&
        html`<${IconButton} icon="open" hint="open a program" keys="p" id="open" onClick=${() => page.open("open")} />
          <${Share} page=${page} />
          <${IconButton} icon="save" hint="save as one HTML file" id="export" onClick=${save} />`
      }
      <${IconButton}
        icon="quiz"
        hint="quiz: predict it yourself"
        keys="q"
        id="quiz"
        aria-pressed=${Boolean(page.quiz)}
        onClick=${page.toggleQuiz}
      />
      <${Theme} />
      <${IconButton} icon="help" hint="help" keys="?" id="help" onClick=${() => page.open("help")} />
    </nav>
  </header>`;
}

function Calibrated({ program, outside }) {
  const { calibrated } = program.confidence;
  const title = outside.length
    ? `Less sure here: ${outside.join(" ")}`
    : "how sure a value is was measured against real runs";
  if (!calibrated)
    return html`<span class="chip quiet" title="the dots only rank this model's values">uncalibrated</span>`;
  return html`<span class="chip ${outside.length ? "warn" : "good"}" title=${title}
    >calibrated ${outside.length ? "⚠" : "✓"}</span
  >`;
}

function Spent({ page }) {
  const { spent, budget } = page.view.summary;
  const share = Math.min(spent / Math.max(budget, 1), 1);
  const isOver = spent >= budget && !page.view.summary.finish;
  return html`<button
    type="button"
    class="budget ${isOver ? "over" : ""}"
    data-testid="budget"
    title="tokens predicted, of the budget; click to change it"
    onClick=${() => page.open("budget")}
  >
    <span>${isOver ? "⚠ used up: " : ""}${count(spent)} / ${count(budget)} tok</span
    ><span class="bar" aria-hidden="true"><i style=${{ width: `${share * 100}%` }}></i></span>
  </button>`;
}

function Share({ page }) {
  const share = async () => {
    const { link } = await import("./opening.js");
    const address = await link(page.source);
    const copied = await navigator.clipboard?.writeText(address).then(
      () => true,
      () => false,
    );
    page.setMessage({ text: copied ? "a link to this session is in the clipboard" : `the link: ${address}` });
  };
  return html`<${IconButton} icon="share" hint="copy a link to this session" id="share" onClick=${share} />`;
}

function Theme() {
  const [theme, setTheme] = useState(() => recall("theme") ?? "");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    remember("theme", theme);
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  return html`<${IconButton}
    icon="theme"
    hint=${`theme: ${theme || "as the system"}; change to ${next || "as the system"}`}
    id="theme"
    onClick=${() => setTheme(next)}
  />`;
}

/** The moves, where one is, the divergences, the mode, and reality. */
export function Toolbar({ page }) {
  const { act, view } = page;
  const { summary, state } = view;
  const move = (verb, icon, hint, keys, label) =>
    html`<${IconButton}
      icon=${icon}
      hint=${hint}
      keys=${keys}
      id=${verb}
      class=${label ? "move main" : "move"}
      onClick=${() => act(verb)}
      >${label}<//
    >`;
  return html`<div class="toolbar" role="toolbar" aria-label="moves">
    <div class="moves">
      <${IconButton}
        icon="start"
        hint="to the first step"
        keys="Home"
        id="start"
        class="move"
        onClick=${() => act("seek", { position: 0 })}
      />
      ${move("back", "back", "back one step", "b", "back")} ${move("step", "step", "one step", "s", "step")}
      ${move("over", "over", "over the line's calls", "n", "over")}
      ${move("out", "out", "out of this function", "o", "out")}
      ${move("run", "run", "run to a breakpoint or the end", "c", "run")}
      <${IconButton} icon="more" hint="more" keys="m" id="more" class="move" onClick=${() => page.open("more")} />
    </div>
    <p class="where" data-testid="where" aria-live="polite">
      <b>step ${summary.position}</b><span class="of">/ ${summary.steps - 1}${summary.finish ? "" : "+"}</span>
      <span class="what">${reason(summary.stop) ?? describe(state)}</span>
    </p>
    <${Slips} page=${page} />
    <${Reality} page=${page} />
  </div>`;
}

function Slips({ page }) {
  const { reality } = page.view.summary;
  if (!reality || page.asking) return null;
  if (!reality.slips)
    return html`<p class="slips agree" data-testid="slips"><span aria-hidden="true">=</span> no divergence</p>`;
  return html`<div class="slips" data-testid="slips">
    <span class="wrong"><span aria-hidden="true">≠</span> ${plural(reality.slips, "divergence")}</span>
    <${IconButton}
      icon="previous"
      hint="the divergence before"
      keys="["
      id="previous_slip"
      onClick=${() => page.act("previous_slip")}
    />
    <${IconButton}
      icon="next"
      hint="the next divergence"
      keys="]"
      id="next_slip"
      onClick=${() => page.act("next_slip")}
    />
  </div>`;
}

function Reality({ page }) {
  const { source, view, act } = page;
  const { summary } = view;
  if (summary.reality) {
    const anchored = summary.mode !== "free-run";
    const hasMode = source.live || summary.branches.some((branch) => branch.kind === "anchor");
    return (
      hasMode &&
      html`<div class="switch" role="group" aria-label="what the steps are predicted from">
        <button
          type="button"
          aria-pressed=${!anchored}
          data-testid="free_run"
          title="from its own predictions, mistakes and all"
          onClick=${() => anchored && act("free_run")}
        >
          free run
        </button>
        <button
          type="button"
          aria-pressed=${anchored}
          data-testid="anchor"
          title="each step from the real ones before it  (a)"
          onClick=${() => anchored || act("anchor")}
        >
          re-anchored
        </button>
      </div>`
    );
  }
  if (!source.live) return null;
  const { obstacle } = source.program.run;
  return html`<${IconButton}
    icon="play"
    hint=${obstacle || "run for real and compare"}
    keys="R"
    id="run_for_real"
    class="real-run"
    disabled=${Boolean(obstacle)}
    onClick=${page.runForReal}
    >Run for real<//
  >`;
}

/** The line of keys at the foot of the page. */
export function Keys({ page }) {
  const keys = [
    ["n", "over"],
    ["s", "step"],
    ["o", "out"],
    ["b", "back"],
    ["c", "run"],
    ["g", "go to a line"],
    ["[ ]", "divergence"],
  ];
  if (page.source.live) keys.push(["e", "edit"], ["R", "run for real"]);
  return html`<footer class="keys" aria-hidden="true">
    ${[...keys, ["t", "steps"], ["?", "help"]].map(([key, what]) => html`<span><kbd>${key}</kbd>${what}</span>`)}<span
      class="promise"
      >${page.view.summary.reality ? "reality: recorded" : "nothing was executed"}</span
    >
  </footer>`;
}
