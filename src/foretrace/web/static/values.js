// Beside the program: what is so at this step, where it is called from, and each value, predicted and real.
import { Details, Glance, useAnswer } from "./details.js";
import { IconButton } from "./icons.js";
import { divergence, percent, short, SIGNS } from "./text.js";
import { useState, html } from "./vendor/preact.js";

/** All about the step that is shown. */
export function Inspector({ page }) {
  const { state } = page.view;
  return html`<aside class="panel inspector" aria-label="this step">
    <${Verdict} page=${page} />
    <${Stack} page=${page} />
    <${Values} page=${page} key=${state.position} />
    <${Watches} page=${page} />
    <${Next} page=${page} />
    <${Outside} page=${page} />
  </aside>`;
}

/** Whether the step is as it really is, in a sentence. */
function Verdict({ page }) {
  const { state, summary } = page.view;
  if (!summary.reality) {
    return html`<div class="verdict unknown" data-testid="verdict">
      <p>
        <i class="predicted"><span class="sign">⇢</span>predicted</i> Nothing was executed.
      </p>
    </div>`;
  }
  if (state.verdict === null) {
    return html`<div class="verdict unknown" data-testid="verdict"><p>Nothing real is known of this step.</p></div>`;
  }
  if (state.verdict === "right") {
    return html`<div class="verdict right" data-testid="verdict">
      <p><span class="sign real">=</span> As it really is.</p>
    </div>`;
  }
  const slips = state.wrong.some((found) => found.slip);
  return html`<div class="verdict apart" data-testid="verdict">
    ${state.wrong.slice(0, 4).map((found) => {
      const { what, predicted, real } = divergence(found);
      const ours = html`<i class="predicted">${short(predicted, 70)}</i>`;
      const theirs = html`<span class="real">${short(real, 70)}</span>`;
      return html`<p><span class="sign wrong">≠</span> <b>${what}</b> ${ours}, really ${theirs}</p>`;
    })}
    <p class="quiet">
      ${slips ? "The prediction goes wrong here by itself." : "This may only follow from what went wrong before."}
    </p>
  </div>`;
}

function Stack({ page }) {
  const { stack } = page.view.state;
  return html`<nav class="stack" aria-label="stack" data-testid="stack">
    ${stack
      .slice(0, 8)
      .map(
        (frame, index) =>
          html`${index > 0 && html`<span aria-hidden="true">◂</span>`}<button
              type="button"
              class="frame"
              aria-current=${index === 0 ? "true" : undefined}
              title=${`step ${frame.position}`}
              onClick=${() => page.act("seek", { position: frame.position })}
            >
              ${frame.function}<span class="quiet">:${frame.line}</span>
            </button>`,
      )}${stack.length > 8 && html`<span class="quiet">… ${stack.length - 8} more</span>`}
  </nav>`;
}

/** The table of values; one of them is unfolded. */
function Values({ page }) {
  const { state, summary } = page.view;
  const first =
    state.values.find((value) => value.verdict === "wrong" && value.new) ??
    state.values.find((value) => value.verdict === "wrong");
  const [chosen, choose] = useState(first?.name ?? null);
  const hasReal = Boolean(summary.reality);
  if (!state.values.length) return html`<p class="empty">No values here.</p>`;
  return html`<div class="values ${hasReal ? "compared" : ""}" role="group" aria-label="values" data-testid="values">
    <div class="head" aria-hidden="true">
      <span>name</span><span>predicted</span>${hasReal && html`<span>real</span>`}<span class="sure">sure</span>
    </div>
    ${state.values.map(
      (value) =>
        html`<${Row}
          key=${value.name}
          page=${page}
          value=${value}
          hasReal=${hasReal}
          isOpen=${chosen === value.name}
          toggle=${() => choose(chosen === value.name ? null : value.name)}
        />`,
    )}
  </div>`;
}

function nameOf(value, state) {
  return value.name || (state.event === "exception" ? "raises" : "returns");
}

/** A value in a row; where a mouse rests, what else it could be, and unfolded all about it. */
function Row({ page, value, hasReal, isOpen, toggle }) {
  const [isUnder, setUnder] = useState(false);
  const { state } = page.view;
  const apart = value.verdict && value.verdict !== "right";
  const name = nameOf(value, state);
  const kind = [apart && "apart", value.new && "new", isOpen && "open"].filter(Boolean).join(" ");
  return html`<div
    class="value ${kind}"
    data-testid=${`value-${value.name}`}
    onPointerEnter=${(event) => setUnder(event.pointerType === "mouse")}
    onPointerLeave=${() => setUnder(false)}
  >
    <button type="button" class="row" aria-expanded=${isOpen} aria-label=${spoken(value, name)} onClick=${toggle}>
      <span class="name">${name}${value.new && html`<span class="dot" title="new at this step"></span>`}</span>
      <i class="predicted">${predicted(value)}</i>
      ${hasReal && html`<span class="real">${real(value)}</span>`}
      <span class="sure"><${Dots} page=${page} value=${value} /></span>
    </button>
    ${isOpen && html`<${Details} page=${page} value=${value} />`}
    ${isUnder && !isOpen && html`<${Glance} page=${page} value=${value} />`}
  </div>`;
}

/** A row in words. */
function spoken({ text, verdict, real, dots, new: isNew }, name) {
  const really = { right: "as it really is", null: "" }[verdict] ?? `really ${real ?? "nothing"}`;
  const sure = { "●●●": "sure", "●●○": "fairly sure", "●○○": "unsure" }[dots] ?? "";
  return [`${name}: predicted ${text ?? "nothing"}`, really, sure, isNew && "new"].filter(Boolean).join(", ");
}

const nothing = () => html`<span class="quiet">nothing</span>`;

function predicted({ text }) {
  return text === null ? nothing() : html`<span class="sign">⇢</span>${short(text, 120)}`;
}

function real(value) {
  if (value.verdict === null) return html`<span class="quiet">unknown</span>`;
  if (value.verdict === "right") return html`<span class="same">=</span>`;
  return html`<span class="sign">${SIGNS[value.verdict]}</span
    >${value.real === null ? nothing() : short(value.real, 120)}`;
}

function Dots({ page, value }) {
  if (value.given) return html`<span class="quiet" title="given, not predicted">given</span>`;
  if (!value.dots) return null;
  const meaning = page.source.program.confidence.meaning[value.dots] ?? "";
  const text = value.sure === null ? meaning : `${percent(value.sure)} sure; values marked ${value.dots}: ${meaning}`;
  return html`<span class="dots" title=${text} aria-label=${text}>${value.dots}</span>`;
}

/** Expressions that are shown at each step. */
function Watches({ page }) {
  const { state } = page.view;
  const [text, setText] = useState("");
  if (!page.source.live && !state.watches.length) return null;
  const add = (event) => {
    event.preventDefault();
    if (text.trim()) page.act("watch", { expression: text }).then((view) => view && setText(""));
  };
  return html`<section class="watches" aria-label="watches">
    ${state.watches.map(
      (watch) =>
        html`<div class="watch">
          <code>${watch.expression}</code>
          ${watch.error && html`<span class="quiet" title=${watch.error}>${short(watch.error, 60)}</span>`}
          ${!watch.error && html`<i class="predicted"><span class="sign">⇢</span>${short(watch.value, 80)}</i>`}
          <${IconButton}
            icon="close"
            hint=${`stop watching ${watch.expression}`}
            class="small"
            onClick=${() => page.act("unwatch", { expression: watch.expression })}
          />
        </div>`,
    )}
    ${
      page.source.live &&
      html`<form onSubmit=${add}>
        <input
          data-testid="watch"
          value=${text}
          placeholder="watch an expression, such as n > 2"
          aria-label="expression to watch"
          autocomplete="off"
          spellcheck=${false}
          onInput=${(event) => setText(event.target.value)}
        />
      </form>`
    }
  </section>`;
}

const NEXT = { line: "a line", call: "a call", return: "a return", exception: "an exception", null: "the end" };
const WORTH_SAYING = 0.02;
const WORTH_WARNING = 0.05;

/** What the model expects next, likeliest first: may it raise? Its own odds are not measured, and so not shown. */
function Next({ page }) {
  const { source, view } = page;
  const isEnd = view.summary.finish && view.summary.position === view.summary.steps - 1;
  const likely = useAnswer(page, "events", {}, source.live && !isEnd);
  if (!likely?.length) return null;
  const [first, ...others] = likely.filter((each) => each.probability >= WORTH_SAYING).map((each) => NEXT[each.event]);
  const raises = likely.some((each) => each.event === "exception" && each.probability >= WORTH_WARNING);
  return html`<p class="next" data-testid="next">
    <span class="quiet">the model expects</span>
    <span>${first ?? "nothing it knows"}</span>
    ${others.length > 0 && html`<span class="quiet">or perhaps ${others.join(", ")}</span>`}
    ${raises && html`<strong class="wrong">⚠ may raise</strong>`}
  </p>`;
}

function Outside({ page }) {
  const { outside } = page.view;
  return outside.length ? html`<p class="outside quiet">⚠ ${outside.join(" ")}</p>` : null;
}
