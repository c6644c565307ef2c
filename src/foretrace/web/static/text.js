// Words and numbers as the page writes them.

/** The sign of a verdict: shape first, colour second. */
export const SIGNS = { right: "=", wrong: "≠", ghost: "≠", missing: "≠" };

/** How the kinds of steps are marked. */
export const EVENTS = { call: "→ ", return: "← ", exception: "⚠ ", line: "" };

/** `text` with at most `length` characters. */
export const short = (text, length = 60) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** 0.423 → `42%`; almost nothing and almost all are not rounded away. */
export function percent(share) {
  if (share > 0 && share < 0.01) return "<1%";
  if (share < 1 && share > 0.99) return ">99%";
  return `${Math.round(share * 100)}%`;
}

/** 81920 → `81.9k`. */
export function count(number) {
  if (number < 10_000) return String(number);
  return number < 1_000_000 ? `${+(number / 1e3).toFixed(1)}k` : `${+(number / 1e6).toFixed(1)}M`;
}

/** `1 step`, `2 steps`. */
export const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** A call as in source: `f(word='strawberry')`. */
export function callText(entry, given) {
  return `${entry}(${Object.entries(given)
    .map(([name, text]) => `${name}=${short(text, 40)}`)
    .join(", ")})`;
}

/** What a step is, for people. */
export function describe(state) {
  const value = state.values[0]?.text ?? "";
  if (state.event === "call") return `${state.function} is called`;
  if (state.event === "return") return `${state.function} returns ${short(value, 48)}`;
  if (state.event === "exception") return `raises ${short(value, 48)}`;
  return `line ${state.line} is about to run`;
}

/** `line n = 0` → `n = 0`, `return return n` → `← return n`. */
const stepText = (text) => text.replace(/^(call|line|return|exception) /, (_, event) => EVENTS[event]);

/** What is wrong at a step: what of it, and how it is predicted and really. */
export function divergence({ kind, variable, predicted, real }) {
  const texts = (none) => ({ predicted: stepText(predicted ?? none), real: stepText(real ?? none) });
  if (kind === "value") return { what: variable, predicted: predicted ?? "unbound", real: real ?? "unbound" };
  if (kind === "line") return { what: "next", ...texts("the end") };
  if (kind === "length") return { what: "goes on", ...texts("it has ended") };
  if (kind === "ghost") return { what: "no such line", ...texts("nothing") };
  return { what: kind, ...texts("nothing") };
}

const REASONS = {
  breakpoint: "stopped at a breakpoint",
  "data breakpoint": "stopped: a value changed",
  exception: "stopped: an exception is predicted",
  divergence: "stopped: the prediction goes wrong here",
  "low confidence": "stopped: a value is unsure",
  pause: "paused",
  budget: "the budget is used up",
  context: "the model's context is full",
  format: "what came next was no frame",
};

/** Why a move ended, where that is worth saying. */
export function reason(stop) {
  const text = REASONS[stop.reason];
  return text && (stop.detail ? `${text}: ${stop.detail}` : text);
}
