// The keys, and how to read the page.
import { Dialog } from "./dialogs.js";
import { html } from "./vendor/preact.js";

/** @type {[string, [string, string][]][]} */
const HELP = [
  [
    "Moves",
    [
      ["s →", "one step"],
      ["n ↓", "over the line's calls"],
      ["o", "out of the function"],
      ["c", "run to a breakpoint or the end"],
      ["b ←", "back one step"],
      ["N ↑", "back over calls"],
      ["O", "back to the caller"],
      ["C", "run back"],
      ["Home End", "first and last step"],
      ["m", "more"],
    ],
  ],
  [
    "Places",
    [
      ["g", "to a line, and its visits"],
      ["[ ]", "divergence before, next"],
      ["t", "code, steps"],
      ["/", "find in the steps"],
    ],
  ],
  [
    "Worlds",
    [
      ["e", "change a value: a branch"],
      ["R", "run for real"],
      ["a", "free run, re-anchored"],
      ["q", "quiz"],
      ["p", "another program"],
    ],
  ],
];

/** The keys, and how to read the page. */
export function Help({ page }) {
  return html`<${Dialog} page=${page} title="How to read this" wide=${true}>
    <p>
      <i class="predicted"><span class="sign">⇢</span>slanted</i> is what the model predicts.${" "}
      <span class="real">= upright</span> is what really happened. <span class="wrong">≠</span> is where they differ.
      Dots say how sure a value is: ●●● ●●○ ●○○.
    </p>
    <p>
      Predicting executes nothing. <b>Run for real</b> does, once, when you say so. <b>Re-anchored</b>, each step is
      predicted from the real ones before it: what is wrong there is wrong by itself.
    </p>
    <div class="keys-table">
      ${HELP.map(
        ([name, keys]) =>
          html`<section>
            <h3>${name}</h3>
            <dl>
              ${keys.map(
                ([key, what]) =>
                  html`<dt>${key.split(" ").map((each) => html`<kbd>${each}</kbd> `)}</dt>
                    <dd>${what}</dd>`,
              )}
            </dl>
          </section>`,
      )}
    </div>
    <p class="quiet">Click a line's number for a breakpoint; right-click it for a condition.</p><//
  >`;
}
