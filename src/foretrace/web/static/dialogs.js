// Questions that need an answer before something happens.
import { IconButton } from "./icons.js";
import { plural, short } from "./text.js";
import { useEffect, useLayoutEffect, useRef, useState, html } from "./vendor/preact.js";

/** A modal dialog; Escape and a click beside it close it. */
export function Dialog({ page, title, children, wide = false, onSubmit = null }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    element.current.showModal();
    (element.current.querySelector("[autofocus]") ?? element.current).focus();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    onSubmit?.();
  };
  return html`<dialog
    ref=${element}
    class=${wide ? "wide" : ""}
    aria-label=${title}
    data-testid="dialog"
    onClose=${page.close}
    onMouseDown=${(event) => event.target === element.current && element.current.close()}
  >
    <form onSubmit=${submit}>
      <header>
        <h2>${title}</h2>
        <${IconButton} icon="close" hint="close" onClick=${() => element.current.close()} />
      </header>
      ${children}
    </form>
  </dialog>`;
}

/** Is the program to be run? It is asked each time. */
export function RunForReal({ page }) {
  const { program } = page.source;
  const run = async () => {
    page.close();
    if (!(await page.act("run_for_real"))) return;
    await page.act("look");
    await page.act("surprise");
  };
  return html`<${Dialog} page=${page} title="Run for real?" onSubmit=${run}>
    <p>
      This runs <code>${program.path}</code> on this machine, in a child process with limits: ${program.run.terms}. The
      program can do what it was written to do.
    </p>
    <footer>
      <button type="button" onClick=${page.close}>Cancel</button
      ><button type="submit" class="main" data-testid="confirm-run" autofocus>Run it</button>
    </footer><//
  >`;
}

/** A value is changed, on a branch of its own. */
export function SetValue({ page, name }) {
  const { state } = page.view;
  const known = state.values.filter((value) => value.text !== null);
  const [which, setWhich] = useState(name);
  const [text, setText] = useState(known.find((value) => value.name === name)?.text ?? "");
  const choose = (chosen) => (setWhich(chosen), setText(known.find((value) => value.name === chosen)?.text ?? ""));
  const save = () => (page.close(), page.act("set", { name: which, text }));
  return html`<${Dialog} page=${page} title=${`Change a value at step ${state.position}`} onSubmit=${save}>
    <p class="quiet">What follows is predicted anew, on a branch of its own; the one before stays.</p>
    <label class="field"
      >value<select value=${which} onChange=${(event) => choose(event.target.value)} data-testid="set-name">
        ${known.map((value) => html`<option value=${value.name}>${value.name || "what it returns"}</option>`)}
      </select></label
    >
    <label class="field"
      >becomes<input
        class="mono"
        value=${text}
        data-testid="set-text"
        autofocus
        spellcheck=${false}
        autocomplete="off"
        onInput=${(event) => setText(event.target.value)}
    /></label>
    <p class="quiet">
      A Python value, or an expression over the values here, such as <code>${which || "n"} + 1</code>.
    </p>
    <footer>
      <button type="button" onClick=${page.close}>Cancel</button
      ><button type="submit" class="main" data-testid="set-save">Branch from here</button>
    </footer><//
  >`;
}

/** To one of the visits of a line. */
export function Visits({ page, line: first }) {
  const [line, setLine] = useState(first);
  const [found, setFound] = useState(null);
  const { source } = page;
  useEffect(() => {
    setFound(null);
    if (source.live && line > 0) source.ask("visits", { line, count: 200 }).then(setFound, () => {});
  }, [line]);
  const go = (given) => (page.close(), page.act("goto", given));
  return html`<${Dialog} page=${page} title="Go to a line" onSubmit=${() => go({ line })}>
    <label class="field"
      >line<input
        type="number"
        min="1"
        value=${line}
        data-testid="goto-line"
        autofocus
        onInput=${(event) => setLine(Number(event.target.value))}
    /></label>
    ${
      found &&
      html`<p class="quiet">${plural(found.visits, "visit")} so far; Enter goes to the next after this step.</p>`
    }
    <ul class="visits">
      ${found?.rows.map(
        (visit) =>
          html`<li>
            <button
              type="button"
              data-testid=${`visit-${visit.visit}`}
              onClick=${() => go({ line, visit: visit.visit })}
            >
              <span>visit ${visit.visit}</span><span class="quiet">step ${visit.position}</span
              ><i class="predicted"
                >${visit.effect
                  .slice(0, 2)
                  .map((each) => `${each.name} = ${short(each.after ?? "unbound", 30)}`)
                  .join(", ")}</i
              >
            </button>
          </li>`,
      )}
    </ul>
    <footer><button type="submit" class="main" data-testid="goto">Go</button></footer><//
  >`;
}

/** How much may be predicted. */
export function Budget({ page }) {
  const { summary } = page.view;
  const [tokens, setTokens] = useState(Math.max(summary.budget * 2, summary.spent));
  return html`<${Dialog} page=${page} title="Budget" onSubmit=${() => (page.close(), page.act("budget", { tokens }))}>
    <p>${plural(summary.spent, "token")} were predicted, of ${summary.budget.toLocaleString("en")} that may be.</p>
    <label class="field"
      >allow<input
        type="number"
        min=${summary.spent}
        step="1024"
        value=${tokens}
        data-testid="budget-tokens"
        autofocus
        onInput=${(event) => setTokens(Number(event.target.value))}
    /></label>
    <footer><button type="submit" class="main" data-testid="budget-save">Allow that</button></footer><//
  >`;
}
