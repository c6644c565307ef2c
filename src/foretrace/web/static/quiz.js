// Predict it yourself: after each step, what is new is asked before it is shown; then learner, model and reality stand
// beside each other.
import { short } from "./text.js";
import { useState, html } from "./vendor/preact.js";

const MOST = 4;

/** What a step asks: the line that runs next, if it was a matter of choice, and each new value. */
function questions({ state }) {
  const values = state.values.filter(
    (value) => value.new && !value.given && (value.text !== null || value.real !== null),
  );
  return values.slice(0, MOST).map(({ name, text, real }) => ({
    name: name || state.event,
    label: name || "what it " + (state.event === "exception" ? "raises" : "returns"),
    model: text,
    real,
  }));
}

/** Whether a view has something to ask. */
export const isAsked = (view) => view.summary.position > 0 && questions(view).length > 0;

/** Values are the same if Python would write them the same, but for quotes and spaces. */
const plain = (text) => (text ?? "").trim().replaceAll('"', "'").replaceAll(/\s+/g, " ");
const same = (one, other) => plain(one) === plain(other);

export function Quiz({ page }) {
  const { view, quiz } = page;
  const { state, notes } = view;
  const asked = questions(view);
  const [answers, setAnswers] = useState(asked.map(() => ""));
  const [isOpen, setOpen] = useState(false);
  const hasReal = Boolean(view.summary.reality);
  const truth = (question) => (hasReal ? question.real : question.model);
  const ran = notes.filter((note) => note.position < state.position).at(-1);
  const source = ran && page.source.program.source.split("\n")[ran.line - 1].trim();
  const submit = (event) => {
    event.preventDefault();
    if (isOpen) return page.answer(score());
    return setOpen(true);
  };
  const score = () => ({
    you: quiz.you + asked.filter((question, index) => same(answers[index], truth(question))).length,
    model: quiz.model + asked.filter((question) => same(question.model, truth(question))).length,
    asked: quiz.asked + asked.length,
  });
  return html`<aside class="panel inspector quiz" aria-label="quiz" data-testid="quiz-card">
    <form onSubmit=${submit}>
      <h2>What do you predict?</h2>
      ${state.event === "call" && html`<p><code>${state.function}</code> is called. With what?</p>`}
      ${state.event !== "call" && ran && html`<p>Line ${ran.line} has run: <code>${source}</code></p>`}
      ${asked.map(
        (question, index) =>
          html`<div class="question">
            <label class="field"
              ><code>${question.label}</code>
              <input
                class="mono"
                autofocus=${index === 0}
                readonly=${isOpen}
                value=${answers[index]}
                data-testid=${`quiz-${question.name}`}
                autocomplete="off"
                spellcheck=${false}
                placeholder="as Python would write it"
                onInput=${(event) => setAnswers(answers.with(index, event.target.value))}
            /></label>
            ${isOpen && html`<${Revealed} question=${question} answer=${answers[index]} hasReal=${hasReal} />`}
          </div>`,
      )}
      <footer>
        <button type="submit" class="main" data-testid="quiz-submit">${isOpen ? "Go on" : "Reveal"}</button>
        <span class="quiet" data-testid="quiz-score">you ${quiz.you} · model ${quiz.model} · of ${quiz.asked}</span>
      </footer>
    </form>
  </aside>`;
}

function Revealed({ question, answer, hasReal }) {
  const truth = hasReal ? question.real : question.model;
  const mark = (text) => {
    const isRight = same(text, truth);
    return html`<span class=${isRight ? "same" : "wrong"}>${isRight ? "✓" : "≠"}</span>`;
  };
  return html`<dl class="revealed">
    <dt>you</dt>
    <dd>${answer ? short(answer, 60) : html`<span class="quiet">nothing</span>`} ${mark(answer)}</dd>
    <dt>model</dt>
    <dd><i class="predicted">${short(question.model ?? "nothing", 60)}</i> ${hasReal && mark(question.model)}</dd>
    ${
      hasReal &&
      html`<dt>really</dt>
        <dd class="real">${short(question.real ?? "nothing", 60)}</dd>`
    }
  </dl>`;
}
