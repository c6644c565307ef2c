// All steps in one list, however many: only the rows in sight are drawn, and a page of them fetched when it is needed.
import { Icon, IconButton } from "./icons.js";
import { foldKey, Rows } from "./rows.js";
import { EVENTS, plural, short, SIGNS } from "./text.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState, html } from "./vendor/preact.js";

const PAGE = 500;
const AROUND = 12;

/** What tells one state of the branch's steps from another. */
const versionOf = ({ branch, steps, finish, reality }) =>
  [branch, steps, Boolean(finish), reality?.steps, reality?.wrong, reality?.scored].join();

/** Pages of steps by their number; `wanted` rows are fetched if they are not there. */
function usePages(page, version) {
  const [, redraw] = useState(0);
  const pages = useRef({ version: "", rows: new Map() });
  if (pages.current.version !== version) pages.current = { version, rows: new Map() };
  return (position) => {
    const { rows } = pages.current;
    const number = Math.floor(position / PAGE);
    if (!rows.has(number)) {
      rows.set(number, null);
      page.source.ask("page", { start: number * PAGE, count: PAGE }).then(
        (found) => (rows.set(number, found.rows), redraw((count) => count + 1)),
        () => rows.delete(number),
      );
    }
    return rows.get(number)?.[position % PAGE];
  };
}

/** The list of steps, with search. */
export function Steps({ page, title = null }) {
  const { summary } = page.view;
  const version = versionOf(summary);
  const [folds, setFolds] = useState([]);
  const [opened, setOpened] = useState(new Set());
  const [total, setTotal] = useState(summary.steps);
  const [hits, setHits] = useState(null);
  const rowAt = usePages(page, version);
  useEffect(() => {
    let isOver = false;
    Promise.all([page.source.ask("outline"), page.source.ask("page", { start: 0, count: 0 })]).then(
      ([outline, { total }]) => {
        if (!isOver) (setFolds(outline), setTotal(total));
      },
      () => {},
    );
    return () => (isOver = true);
  }, [version]);
  const shown = page.asking ? Math.max(summary.position - 1, 1) : Math.max(total, summary.steps);
  const rows = useMemo(() => new Rows(shown, folds, opened), [shown, folds, opened]);
  useEffect(() => {
    const fold = rows.hiding(summary.position);
    if (fold) setOpened(new Set(opened).add(foldKey(fold)));
  }, [summary.position, rows]);
  const toggle = (fold) => setOpened(new Set(opened).add(foldKey(fold)));
  const foldAll = () => setOpened(new Set());
  const openAll = () => setOpened(new Set(folds.map(foldKey)));
  return html`<div class="steps">
    <div class="tabs">${title}<${Search} page=${page} hits=${hits} setHits=${setHits} /></div>
    ${
      folds.length > 0 &&
      html`<p class="folds quiet">
        ${rows.closed.length ? `${plural(rows.closed.length, "fold")} of passes alike` : "all passes are shown"}
        <button type="button" class="link" data-testid="open-folds" onClick=${openAll}>show all steps</button>
        <button type="button" class="link" data-testid="close-folds" onClick=${foldAll}>fold again</button>
      </p>`
    }
    <${List} page=${page} rows=${rows} rowAt=${rowAt} toggle=${toggle} hits=${hits} />
  </div>`;
}

/** The rows in sight. */
function List({ page, rows, rowAt, toggle, hits }) {
  const { summary } = page.view;
  const box = useRef(null);
  const [sight, setSight] = useState({ top: 0, height: 600, each: 26 });
  const look = () => {
    const { scrollTop, clientHeight } = box.current;
    const each = parseFloat(getComputedStyle(box.current).getPropertyValue("--row")) || 26;
    setSight({ top: scrollTop, height: clientHeight, each });
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const here = rows.of(summary.position);
  useLayoutEffect(() => {
    const { each } = sight;
    const { scrollTop, clientHeight } = box.current;
    if (here * each < scrollTop || (here + 1) * each > scrollTop + clientHeight) {
      box.current.scrollTop = Math.max(here * each - clientHeight / 2, 0);
      look();
    }
  }, [here, summary.branch, rows.length]);
  const first = Math.max(Math.floor(sight.top / sight.each) - AROUND, 0);
  const last = Math.min(first + Math.ceil(sight.height / sight.each) + 2 * AROUND, rows.length);
  const marked = new Set(hits?.positions);
  const drawn = [];
  for (let row = first; row < last; row++) {
    const { position, fold } = rows.at(row);
    drawn.push(
      fold
        ? html`<${FoldRow} key=${foldKey(fold)} fold=${fold} row=${row} toggle=${toggle} />`
        : html`<${StepRow}
            key=${position}
            page=${page}
            position=${position}
            row=${row}
            step=${rowAt(position)}
            effects=${effectsOf(rowAt, position, summary.mode)}
            isFound=${marked.has(position)}
          />`,
    );
  }
  return html`<div
    class="list"
    id="steps-list"
    ref=${box}
    onScroll=${look}
    data-testid="steps"
    role="group"
    aria-label="steps"
    tabindex="0"
  >
    <div class="sizer" style=${{ height: `calc(${rows.length} * var(--row))`, "--digits": String(rows.total).length }}>
      ${drawn}
    </div>
  </div>`;
}

const place = (row) => ({ transform: `translateY(calc(${row} * var(--row)))` });

function FoldRow({ fold, row, toggle }) {
  const says = `passes ${fold.first}–${fold.last} of ${fold.passes}, ${plural(fold.end - fold.start, "step")}`;
  return html`<button
    type="button"
    class="step fold"
    style=${place(row)}
    data-testid="fold"
    title="show them"
    onClick=${() => toggle(fold)}
  >
    <span class="number">⋯</span><span class="lineno">${fold.line}</span
    ><span>${says}${fold.odd ? `; ${fold.odd} odd elsewhere` : ", all alike"}</span>
  </button>`;
}

/** What the line of a step does, predicted and real: it stands in its scope's next frame. Of a call: its arguments. */
function effectsOf(rowAt, position, mode) {
  const step = rowAt(position);
  if (mode !== "free-run" && step?.kinds?.some((kind) => kind !== "value")) return []; // another line did it
  if (!step || step.verdict === "missing" || step.event === "call") return step?.values ?? [];
  if (step.event !== "line") return step.values.filter((value) => !value.name);
  const after = step.after === null ? null : rowAt(step.after);
  const changed = new Map(step.effect.map((effect) => [effect.name, effect]));
  return (after?.values ?? [])
    .filter((value) => changed.has(value.name))
    .map((value) => ({ ...value, before: changed.get(value.name).before }));
}

function StepRow({ page, position, row, step, effects, isFound }) {
  const isHere = position === page.view.summary.position;
  if (!step)
    return html`<div class="step loading" style=${place(row)}>
      <span class="number">${position}</span><span class="quiet">…</span>
    </div>`;
  const apart = step.verdict && step.verdict !== "right";
  const elsewhere = apart && (step.kinds ?? ["missing"]).some((kind) => kind !== "value");
  const known = step.verdict !== "missing";
  return html`<button
    type="button"
    disabled=${!known}
    style=${place(row)}
    aria-current=${isHere ? "step" : undefined}
    data-position=${position}
    class="step ${elsewhere ? "apart" : ""} ${isHere ? "here" : ""} ${isFound ? "found" : ""}"
    onClick=${() => page.act("seek", { position })}
  >
    <span class="number">${position}</span><span class="lineno">${step.line || "?"}</span>
    <span class="sign ${apart ? "wrong" : "same"}">${step.verdict ? SIGNS[step.verdict] : ""}</span>
    <span class="what" style=${{ "--depth": step.depth }}
      ><code>${EVENTS[step.event]}${step.source.trim()}</code>
      ${effects.slice(0, 4).map((value) => html`<${Shown} value=${value} />`)}</span
    >
  </button>`;
}

function Shown({ value }) {
  const apart = value.verdict && value.verdict !== "right";
  const name = value.name ? `${value.name} = ` : "";
  const real = (value.text === null ? name : "") + short(value.real ?? "nothing", 30);
  const predicted = value.text !== null && `${name}${short(value.text, 30)}`;
  return html`<span class="effect ${apart ? "apart" : ""}"
    >${predicted && html`<i class="predicted"><span class="sign">⇢</span>${predicted}</i>`}
    ${apart && html`<span class="real"><span class="sign">≠</span>${real}</span>`}</span
  >`;
}

/** Looks for a text in all steps, a part of them after the other. */
function Search({ page, hits, setHits }) {
  const [text, setText] = useState("");
  const { source, view, act } = page;
  const run = useRef(0);
  const search = async (wanted) => {
    const mine = ++run.current;
    setHits(null);
    if (!wanted.trim()) return;
    const positions = [];
    for (let start = 0; start !== null && positions.length < 1000;) {
      const found = await source.ask("search", { text: wanted, start });
      if (mine !== run.current) return;
      positions.push(...found.hits.map((hit) => hit.position));
      setHits({ positions: [...positions], isOver: found.next === null });
      start = found.next;
    }
  };
  const go = (direction) => {
    const at = view.summary.position;
    const { positions } = hits ?? { positions: [] };
    const found =
      direction > 0
        ? (positions.find((each) => each > at) ?? positions[0])
        : (positions.findLast((each) => each < at) ?? positions.at(-1));
    if (found !== undefined) act("seek", { position: found });
  };
  const submit = (event) => {
    event.preventDefault();
    go(1);
  };
  return html`<form class="search" role="search" onSubmit=${submit}>
    <${Icon} name="search" /><input
      id="search"
      data-testid="search"
      type="search"
      placeholder="find a line or a value"
      aria-label="find in the steps"
      autocomplete="off"
      spellcheck=${false}
      value=${text}
      onInput=${(event) => (setText(event.target.value), search(event.target.value))}
      onKeyDown=${(event) => event.key === "Enter" && event.shiftKey && (event.preventDefault(), go(-1))}
    />
    <span class="quiet" role="status" data-testid="hits"
      >${hits && `${hits.positions.length}${hits.isOver ? "" : "+"} found`}</span
    >
    <${IconButton} icon="previous" hint="the hit before" disabled=${!hits?.positions.length} onClick=${() => go(-1)} />
    <${IconButton} icon="next" hint="the next hit" disabled=${!hits?.positions.length} onClick=${() => go(1)} />
  </form>`;
}
