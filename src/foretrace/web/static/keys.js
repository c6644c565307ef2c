// What the keys do, wherever nothing is being typed.
import { useEffect, useRef } from "./vendor/preact.js";

const KEYS = {
  n: "over",
  s: "step",
  o: "out",
  b: "back",
  c: "run",
  N: "back_over",
  O: "back_out",
  C: "run_back",
  "]": "next_slip",
  "[": "previous_slip",
  ArrowRight: "step",
  ArrowLeft: "back",
  ArrowDown: "over",
  ArrowUp: "back_over",
};

/** Has the keys of the document work on `page`. */
export function useKeys(page) {
  const latest = useRef(page);
  latest.current = page;
  useEffect(() => {
    const listen = (event) => {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable='true'], dialog");
      const slider = event.key.startsWith("Arrow") && event.target.closest?.("[role=slider], [role=tablist]");
      if (typing || slider || event.ctrlKey || event.metaKey || event.altKey) return;
      if (press(latest.current, event.key)) event.preventDefault();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

/** Does what a key means; whether it means something. */
function press(page, key) {
  const { act, view, source } = page;
  if (KEYS[key]) act(KEYS[key]);
  else if (key === "Home") act("seek", { position: 0 });
  else if (key === "End") act("seek", { position: view.summary.steps - 1 });
  else if (key === "?") page.open("help");
  else if (key === "m") page.open("more");
  else if (key === "t") showSteps(page, "steps-list");
  else if (key === "g") page.open("visits", { line: view.state.line });
  else if (key === "a" && view.summary.reality) page.toggleAnchor();
  else if (key === "q") page.toggleQuiz();
  else if (key === "/") showSteps(page, "search");
  else if (!source.live) return false;
  else if (key === "e") page.open("set", { name: firstOfInterest(view.state) });
  else if (key === "R") page.runForReal();
  else if (key === "p") page.open("open");
  else return false;
  return true;
}

/** Shows the steps, or the code again, and goes to a part of them. */
function showSteps(page, id) {
  const found = document.getElementById(id);
  if (found) return void found.focus();
  page.setTab(page.tab === "code" || id === "search" ? "steps" : "code");
  setTimeout(() => document.getElementById(id)?.focus());
}

/** The value that a user most likely wants to change. */
function firstOfInterest(state) {
  const known = state.values.filter((value) => value.text !== null);
  const found = known.find((value) => value.verdict === "wrong") ?? known.find((value) => value.new) ?? known[0];
  return found?.name ?? "";
}
