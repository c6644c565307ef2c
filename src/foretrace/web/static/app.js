// The page: what it shows, and what the keys and controls do to it.
import { writeAddress } from "./address.js";
import { Code } from "./code.js";
import { useKeys } from "./keys.js";
import { More } from "./more.js";
import { Break } from "./stops.js";
import { Budget, RunForReal, SetValue, Visits } from "./dialogs.js";
import { Help } from "./help.js";
import { Inspector } from "./values.js";
import { Quiz, isAsked } from "./quiz.js";
import { Steps } from "./steps.js";
import { Timeline } from "./timeline.js";
import { Header, Keys, Toolbar } from "./toolbar.js";
import { useCallback, useEffect, useRef, useState, html } from "./vendor/preact.js";

const MOST_WAITING = 8;
/** After these, the session is kept in the browser. */
const KEPT = new Set(["set", "pin", "sample", "reroll", "skip", "break", "unbreak"]);

/** After these, what follows is predicted at once, so that one sees where the new branch goes. */
const OPENS = new Set(["set", "pin", "sample", "reroll", "anchor"]);

/** A session of `source`, and every change of it: the view that is shown, and what is under way. */
function useSession(source, address) {
  const [view, setView] = useState(source.first);
  const [busy, setBusy] = useState(null);
  const [waiting, setWaiting] = useState(0);
  const [message, setMessage] = useState(null);
  const queue = useRef({ length: 0, last: Promise.resolve() });

  const perform = async (verb, given) => {
    const slow = setTimeout(() => setBusy((was) => was ?? { verb }), 150);
    try {
      const next = await source.act(verb, given, (progress) => setBusy({ verb, ...progress }));
      setMessage((was) => (was?.bad ? null : was));
      setView(next);
      if (source.live && OPENS.has(verb)) act("ahead");
      if (source.live && KEPT.has(verb)) import("./opening.js").then(({ keep }) => keep(source)).catch(() => {});
      return next;
    } catch (error) {
      setMessage({ text: error.message, bad: true });
      return null;
    } finally {
      clearTimeout(slow);
      setBusy(null);
      setWaiting(--queue.current.length);
    }
  };
  /** Does `verb` once those before it are done; so no key is lost that is pressed quickly. */
  const act = useCallback(
    (verb, given = {}) => {
      if (queue.current.length >= MOST_WAITING) return Promise.resolve(null);
      setWaiting(++queue.current.length);
      queue.current.last = queue.current.last.then(() => perform(verb, given));
      return queue.current.last;
    },
    [source],
  );

  useEffect(() => {
    (async () => {
      if (address.b && Number(address.b) !== source.first.summary.branch)
        await act("select", { branch: Number(address.b) });
      if (address.step) await act("seek", { position: Number(address.step) });
      else if (source.live && source.first.summary.reality && source.first.summary.steps === 1) await act("look");
      const { reality } = source.first.summary;
      if (source.live && reality && !reality.scored && reality.steps < 2000) await act("surprise");
    })();
  }, [source]);
  return { view, busy, waiting, message, setMessage, act };
}

/** The page as a whole. */
export function App({ source: first, address, notice = "" }) {
  const [source, setSource] = useState(first);
  return html`<${Debugger}
    key=${source.id}
    source=${source}
    address=${source === first ? address : {}}
    notice=${notice}
    setSource=${setSource}
  />`;
}

function Debugger({ source, address, notice, setSource }) {
  const session = useSession(source, address);
  const { view, act, setMessage } = session;
  const [tab, setTab] = useState(address.view === "steps" ? "steps" : "code");
  const [dialog, setDialog] = useState(null);
  const [quiz, setQuiz] = useState(address.quiz === "1" ? { you: 0, model: 0, asked: 0 } : null);
  const [answered, setAnswered] = useState(-1);
  const { summary, state } = view;
  const asking = Boolean(quiz) && isAsked(view) && answered !== summary.position;

  useEffect(() => notice && setMessage({ text: notice }), [notice]);
  useEffect(() => {
    const { branch, position } = summary;
    writeAddress({
      s: source.id,
      b: branch || "",
      step: position,
      view: tab === "steps" ? tab : "",
      quiz: quiz ? 1 : "",
    });
    document.title = `${source.program.path.split("/").pop()} ▸ ${source.program.entry} · foretrace`;
  }, [source, summary, tab, quiz]);

  const can = source.live && !summary.reality;
  const page = {
    source,
    ...session,
    tab,
    setTab,
    quiz,
    asking,
    open: (name, given = {}) => setDialog({ name, given }),
    toggleQuiz: () => setQuiz(quiz ? null : { you: 0, model: 0, asked: 0 }),
    answer: (score) => (setQuiz(score), setAnswered(summary.position)),
    toggleAnchor: () => act(summary.mode === "free-run" ? "anchor" : "free_run"),
    runForReal: () => (can ? setDialog({ name: "run", given: {} }) : null),
    setSource,
    setMessage,
  };
  useKeys(page);

  return html`<div
    class="page"
    data-testid="root"
    data-step=${summary.position}
    data-line=${state.line}
    data-verdict=${state.verdict ?? "unknown"}
    data-branch=${summary.branch}
    data-busy=${session.waiting > 0}
  >
    <${Header} page=${page} />
    <${Toolbar} page=${page} />
    <main class="work">
      <${Program} page=${page} />
      ${asking ? html`<${Quiz} page=${page} key=${summary.position} />` : html`<${Inspector} page=${page} />`}
    </main>
    ${!asking && html`<${Timeline} page=${page} />`}
    <${Keys} page=${page} />
    <${Message} page=${page} />
    <${Dialogs}
      page=${{ ...page, close: () => setDialog((shown) => (shown === dialog ? null : shown)) }}
      dialog=${dialog}
    />
  </div>`;
}

const WIDE = matchMedia("(min-width: 821px) and (min-height: 640px)");

/** Whether there is room for the source and its steps at the same time. */
function useWide() {
  const [isWide, setWide] = useState(WIDE.matches);
  useEffect(() => {
    const listen = () => setWide(WIDE.matches);
    WIDE.addEventListener("change", listen);
    return () => WIDE.removeEventListener("change", listen);
  }, []);
  return isWide;
}

/** The source and its steps: one below the other, or one of them where there is little room. */
function Program({ page }) {
  const { summary } = page.view;
  const count = html`<span class="count">${summary.steps.toLocaleString("en")}${summary.finish ? "" : "+"}</span>`;
  const legend = html`<span class="legend" aria-hidden="true"
    ><i class="predicted"><span class="sign">⇢</span>predicted</i
    ><span class="real"><span class="sign">=</span>real</span
    ><span class="wrong mono"><span class="sign">≠</span>apart</span></span
  >`;
  if (useWide()) {
    return html`<div class="left">
      <section class="panel program" aria-label="source">
        <div class="tabs">
          <h2 class="tab">Code</h2>
          ${legend}
        </div>
        <${Code} page=${page} />
      </section>
      <section class="panel program all" aria-label="steps">
        <${Steps} page=${page} title=${html`<h2 class="tab">Steps ${count}</h2>`} />
      </section>
    </div>`;
  }
  return html`<section class="panel program" aria-label="program">
    <div class="tabs" role="tablist" aria-label="program view">
      <${Tab} page=${page} name="code">Code<//><${Tab} page=${page} name="steps">Steps ${count}<//>${legend}
    </div>
    ${page.tab === "code" ? html`<${Code} page=${page} />` : html`<${Steps} page=${page} />`}
  </section>`;
}

function Tab({ page, name, children }) {
  const chosen = page.tab === name;
  return html`<button
    type="button"
    role="tab"
    aria-selected=${chosen}
    class="tab"
    data-testid=${`tab-${name}`}
    onClick=${() => page.setTab(name)}
  >
    ${children}
  </button>`;
}

function Message({ page }) {
  const { message, setMessage, busy } = page;
  useEffect(() => {
    if (!message || message.bad) return undefined;
    const timer = setTimeout(() => setMessage(null), 6000);
    return () => clearTimeout(timer);
  }, [message]);
  return html`<div class="messages">
    <div role="status" aria-live="polite">
      ${
        busy &&
        html`<p class="message">
          <span class="spinner" aria-hidden="true"></span
          >${busy.verb === "run_for_real" ? "running for real" : "predicting"} …${" "}
          ${busy.steps ? `${busy.steps.toLocaleString("en")} steps` : ""}
          <button type="button" class="link" data-testid="pause" onClick=${() => page.source.pause()}>pause</button>
        </p>`
      }
      ${message && !message.bad && html`<p class="message">${message.text}</p>`}
    </div>
    <div role="alert">
      ${
        message?.bad &&
        html`<p class="message bad" data-testid="error">
          ${message.text}
          <button type="button" class="link" onClick=${() => setMessage(null)}>close</button>
        </p>`
      }
    </div>
  </div>`;
}

function Dialogs({ page, dialog }) {
  const [OpenProgram, setOpenProgram] = useState(null);
  const wanted = dialog?.name === "open";
  useEffect(() => {
    if (wanted && !OpenProgram) import("./program.js").then((module) => setOpenProgram(() => module.OpenProgram));
  }, [wanted]);
  const kinds = {
    help: Help,
    run: RunForReal,
    set: SetValue,
    break: Break,
    visits: Visits,
    budget: Budget,
    more: More,
    open: OpenProgram,
  };
  const Kind = dialog && kinds[dialog.name];
  return Kind ? html`<${Kind} key=${dialog} page=${page} ...${dialog.given} />` : null;
}
