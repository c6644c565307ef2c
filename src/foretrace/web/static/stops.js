// What stops a run: breakpoints at lines and on values, and what a prediction can do.
import { Dialog } from "./dialogs.js";
import { IconButton } from "./icons.js";
import { useState, html } from "./vendor/preact.js";

/** Where a run stops at a line, and when; and what else stops it. */
export function Break({ page, line, point = null }) {
  const [condition, setCondition] = useState(point?.condition ?? "");
  const [hits, setHits] = useState(point?.hits ?? "");
  const save = async () => {
    page.close();
    if (point) await page.act("unbreak", { number: point.number });
    await page.act("break", { line, condition, hits });
  };
  const remove = () => (page.close(), page.act("unbreak", { number: point.number }));
  return html`<${Dialog} page=${page} title=${`Breakpoint at line ${line}`} onSubmit=${save}>
    <label class="field"
      >only if<input
        class="mono"
        value=${condition}
        data-testid="break-condition"
        autofocus
        spellcheck=${false}
        placeholder="n > 2"
        onInput=${(event) => setCondition(event.target.value)}
    /></label>
    <label class="field"
      >at visit<input
        class="mono"
        value=${hits}
        data-testid="break-hits"
        spellcheck=${false}
        placeholder="3, >= 3, % 3"
        onInput=${(event) => setHits(event.target.value)}
    /></label>
    <${Filters} page=${page} />
    <footer>
      ${point && html`<button type="button" onClick=${remove}>Remove</button>`}
      <button type="submit" class="main" data-testid="break-save">Stop there</button>
    </footer><//
  >`;
}

/** What else stops a run, and the breakpoints on values. */
export function Filters({ page }) {
  const { filters, breakpoints } = page.view.summary;
  const set = (change) => page.act("filters", { ...filters, ...change });
  const box = (name, words) =>
    html`<label class="check"
      ><input
        type="checkbox"
        checked=${filters[name]}
        onChange=${(event) => set({ [name]: event.target.checked })}
      />${words}</label
    >`;
  return html`<fieldset>
    <legend>stop a run also</legend>
    ${box("exception", "where an exception is predicted")}${box("divergence", "where the prediction goes wrong")}
    <label class="check"
      ><input
        type="checkbox"
        checked=${filters.confidence !== null}
        onChange=${(event) => set({ confidence: event.target.checked ? 0.5 : null })}
      />where a new value is less than half sure</label
    >
    ${breakpoints
      .filter((each) => each.kind === "data")
      .map(
        (each) =>
          html`<p class="data">
            when <code>${each.name}</code> changes in <code>${each.function}</code>
            <${IconButton}
              icon="close"
              hint="remove"
              class="small"
              onClick=${() => page.act("unbreak", { number: each.number })}
            />
          </p>`,
      )}
  </fieldset>`;
}
