// One value unfolded.
import { IconButton } from "./icons.js";
import { percent, short } from "./text.js";
import { useEffect, useState, html } from "./vendor/preact.js";

/** Other values that the model held possible; null while that is not known. */
function useOthers(page, value) {
  const isAsked = page.source.live && !value.given && value.text !== null;
  return useAnswer(page, "alternatives", { name: value.name }, isAsked);
}

/** How sure a value is and what else it could be, over the rows below it. */
export function Glance({ page, value }) {
  const others = useOthers(page, value);
  if (value.given || !(value.dots || others?.length)) return null;
  return html`<div class="glance" data-testid="glance"><${Sure} page=${page} value=${value} others=${others} /></div>`;
}

/** All of it, what else it could be, and what can be done with it. */
export function Details({ page, value }) {
  const { source } = page;
  const others = useOthers(page, value);
  const long = [value.text, value.verdict === "right" ? null : value.real].filter((text) => text && text.length > 40);
  return html`<div class="details">
    ${long.map((text, index) => html`<pre class=${index ? "real" : "predicted"}>${text}</pre>`)}
    <${Sure} page=${page} value=${value} others=${others} />
    ${source.live && html`<${Actions} page=${page} value=${value} />`}
  </div>`;
}

/** What can be done with a value. */
function Actions({ page, value }) {
  const { source, view, act } = page;
  const { name } = value;
  const who = async () => {
    const { position } = await source.ask("set_by", { name: name });
    if (position === null) page.setMessage({ text: `${name || "it"} was given by the call` });
    else if (await act("seek", { position }))
      page.setMessage({ text: `the line of step ${position} gave ${name || "it"} this value` });
  };
  const isPredicted = value.text !== null;
  const pinnable = isPredicted && value.real !== null && value.verdict === "wrong";
  const edit = () => page.open("set", { name });
  const watch = () => act("break_on_change", { name, function: view.state.function });
  const button = (icon, id, hint, onClick, words) =>
    html`<${IconButton} icon=${icon} id=${id} hint=${hint} onClick=${onClick}>${words}<//>`;
  return html`<div class="do">
    ${isPredicted && button("edit", "edit", "change it, and predict what follows", edit, "edit")}
    ${pinnable && button("pin", "pin", "set it to what it really is", () => act("pin", { name }), "pin real")}
    ${isPredicted && button("who", "who", "go to the step that set it", who, "who set this?")}
    ${name && button("pause", "break-on-change", "stop a run when it changes", watch, "stop on change")}
  </div>`;
}

function Sure({ page, value, others }) {
  const { meaning, calibrated } = page.source.program.confidence;
  return html`<dl class="held">
    ${
      value.dots &&
      !value.given &&
      html`<dt class="dots">${value.dots}</dt>
        <dd>
          ${calibrated && value.sure !== null ? `${percent(value.sure)} sure` : ""}${" "}
          <span class="quiet">values marked so were ${meaning[value.dots] ?? "not measured"}</span>
        </dd>`
    }
    ${
      others?.length > 0 &&
      html`<dt class="quiet">or</dt>
        <dd data-testid="alternatives" title="other values that the model held possible, likeliest first">
          ${others.map((each) => html`<i class="predicted other">${short(each.text, 24)}</i>`)}
        </dd>`
    }
  </dl>`;
}

/** The answer to a question about this step, once it is there; it is asked when the step has stood for a moment. */
export function useAnswer(page, question, given, isAsked) {
  const [answer, setAnswer] = useState(null);
  const { summary } = page.view;
  useEffect(() => {
    setAnswer(null);
    if (!isAsked) return undefined;
    let isOver = false;
    const timer = setTimeout(() => {
      page.source.ask(question, given).then(
        (found) => isOver || setAnswer(found),
        () => {},
      );
    }, 120);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [question, given.name, summary.position, summary.branch, isAsked]);
  return answer;
}
