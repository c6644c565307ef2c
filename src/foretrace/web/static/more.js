// What is done less often: moves back, leaving steps out, other futures and arguments, and what stops a run.
import { Dialog } from "./dialogs.js";
import { Filters } from "./stops.js";
import { useState, html } from "./vendor/preact.js";

const BACK = [
  ["back_over", "back over calls", "N"],
  ["back_out", "back to the caller", "O"],
  ["run_back", "run back", "C"],
];
const SKIPS = [
  ["line", "the line's calls"],
  ["loop", "the rest of the loop"],
  ["call", "the rest of the function"],
];
const TEMPERATURE = 0.8;

/** The dialog; a file that shows a session can only move. */
export function More({ page }) {
  const [seed, setSeed] = useState(1);
  const act = (verb, given) => (page.close(), page.act(verb, given));
  const button = (id, words, onClick) =>
    html`<button type="button" data-testid=${id} onClick=${onClick}>${words}</button>`;
  return html`<${Dialog} page=${page} title="More">
    <fieldset class="choices">
      <legend>go</legend>
      ${BACK.map(([verb, words, key]) => button(verb, html`${words} <kbd>${key}</kbd>`, () => act(verb)))}
    </fieldset>
    ${
      page.source.live &&
      html`<fieldset class="choices">
          <legend>have the model leave out, on a branch of its own</legend>
          ${SKIPS.map(([what, words]) => button(`skip-${what}`, words, () => act("skip", { what })))}
        </fieldset>
        <fieldset class="choices">
          <legend>draw anew, on a branch of its own</legend>
          <label class="field">
            seed
            <input
              type="number"
              value=${seed}
              data-testid="seed"
              onInput=${(event) => setSeed(Number(event.target.value))}
            />
          </label>
          ${button("sample", "what follows", () => act("sample", { seed, temperature: TEMPERATURE }))}
          ${button("reroll", "the arguments", () => act("reroll", { seed }))}
        </fieldset>
        <${Filters} page=${page} />`
    }<//
  >`;
}
