// The execution from its first step to its last: how surprised the model was, where it was wrong, and its branches.
import { plural } from "./text.js";
import { useEffect, useMemo, useRef, useState, html } from "./vendor/preact.js";

const HEIGHT = 34;
/** Nats of surprise as a share of the lane's height: how likely the model held something else. */
const height = (nats) => Math.max(1 - Math.exp(-nats), 0.06);

/** The lanes, and the tree of branches under them. */
export function Timeline({ page }) {
  const { source, view } = page;
  const { summary } = view;
  const [bars, setBars] = useState([]);
  const { branch, steps, reality, finish } = summary;
  useEffect(() => {
    let isOver = false;
    source.ask("lane", { width: 600 }).then(
      (found) => isOver || setBars(found),
      () => {},
    );
    return () => (isOver = true);
  }, [branch, steps, Boolean(finish), reality?.steps, reality?.scored]);
  const total = Math.max(steps, reality?.steps ?? 0, ...summary.branches.map((each) => each.steps));
  return html`<section class="panel timeline" aria-label="timeline">
    <${Slider} page=${page} total=${total}>
      <${Lane}
        name="predicted"
        bars=${bars}
        total=${total}
        of=${(bar) => bar.surprise}
        isWrong=${(bar) => bar.wrong > 0}
      />
      ${reality && html`<${RealLane} bars=${bars} total=${total} reality=${reality} />`}
    <//>
    <${Branches} page=${page} total=${total} />
  </section>`;
}

/** Takes one to a step, by pointer or keys. */
function Slider({ page, total, children }) {
  const { view, act } = page;
  const { position, steps } = view.summary;
  const at = ((position + 0.5) / total) * 100;
  const track = useRef(null);
  const wanted = useRef(null);
  const seek = async (event) => {
    const { left, width } = track.current.getBoundingClientRect();
    const under = Math.min(Math.max(Math.floor(((event.clientX - left) / width) * total), 0), steps - 1);
    if (wanted.current !== null) return void (wanted.current = under);
    for (wanted.current = under; ;) {
      const target = wanted.current;
      await act("seek", { position: target });
      if (wanted.current === target) break;
    }
    wanted.current = null;
  };
  const keys = (event) => {
    const moves = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
    const target = event.key === "Home" ? 0 : event.key === "End" ? steps - 1 : position + moves[event.key];
    if (Number.isNaN(target)) return;
    event.preventDefault();
    event.stopPropagation();
    act("seek", { position: Math.min(Math.max(target, 0), steps - 1) });
  };
  return html`<div class="lanes">
    <div class="names" aria-hidden="true">
      <i class="predicted">predicted</i>${view.summary.reality && html`<span class="real">real</span>`}
    </div>
    <div
      class="track"
      ref=${track}
      role="slider"
      tabindex="0"
      data-testid="timeline"
      aria-label="step"
      aria-valuemin="0"
      aria-valuemax=${steps - 1}
      aria-valuenow=${position}
      aria-valuetext=${`step ${position}, line ${view.state.line}`}
      onKeyDown=${keys}
      onPointerDown=${(event) => (event.currentTarget.setPointerCapture(event.pointerId), seek(event))}
      onPointerMove=${(event) => event.buttons && seek(event)}
    >
      ${children}<span class="cursor" style=${{ left: `${at}%` }}
        ><b style=${{ transform: `translateX(-${at}%)` }}>${position}</b></span
      >
    </div>
  </div>`;
}

/** One path for all bars of a kind: a thousand elements would be a thousand times the work. */
function path(bars, total, of) {
  return bars
    .map((bar) => {
      const x = (bar.start / total) * 1000;
      const width = (bar.steps / total) * 1000;
      const gap = Math.min(width * 0.22, 2);
      const tall = height(of(bar)) * HEIGHT;
      const [from, up, across] = [x + gap / 2, tall, width - gap].map((number) => number.toFixed(2));
      return `M${from} ${HEIGHT}v-${up}h${across}v${up}z`;
    })
    .join("");
}

function Lane({ name, bars, total, of, isWrong }) {
  const right = useMemo(
    () =>
      path(
        bars.filter((bar) => !isWrong(bar)),
        total,
        of,
      ),
    [bars, total],
  );
  const wrong = useMemo(() => path(bars.filter(isWrong), total, of), [bars, total]);
  return html`<svg class="lane ${name}" viewBox=${`0 0 1000 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
    <title>how little the model expected each step</title>
    <path d=${right} />
    <path class="wrong" d=${wrong} />
  </svg>`;
}

const spot = (bar, total) => ({ left: `${(bar.start / total) * 100}%`, width: `${(bar.steps / total) * 100}%` });

/** What really happens, with a mark at each place where the prediction goes wrong. */
function RealLane({ bars, total, reality }) {
  const scored = bars.filter((bar) => bar.real !== null && bar.real !== undefined);
  const surprise = useMemo(() => path(scored, total, (bar) => bar.real), [bars, total]);
  const first = reality.first?.step ?? null;
  return html`<div class="lane real" aria-hidden="true">
    <svg viewBox=${`0 0 1000 ${HEIGHT}`} preserveAspectRatio="none"><path d=${surprise} /></svg>
    <span class="rail" style=${{ width: `${(reality.steps / total) * 100}%` }}></span>
    ${bars.filter((bar) => bar.wrong > 0).map((bar) => html`<span class="scar" style=${spot(bar, total)}></span>`)}
    ${first !== null && html`<b class="mark wrong" style=${{ left: `${((first + 0.5) / total) * 100}%` }}>≠</b>`}
  </div>`;
}

/** Each branch as a line from where it leaves its parent. */
function Branches({ page, total }) {
  const { view, act } = page;
  const { branches, branch, reality } = view.summary;
  if (branches.length < 2) return null;
  return html`<div class="branches" role="group" aria-label="branches" data-testid="branches">
    ${branches.map((each) => {
      const isShown = each.id === branch;
      const rejoins = isShown && reality?.rejoins;
      const says =
        isShown && reality
          ? rejoins
            ? `rejoins reality at ${rejoins[0]} ✓`
            : reality.wrong
              ? plural(reality.wrong, "wrong step")
              : "as it really is ✓"
          : "";
      const left = (each.start / total) * 100;
      return html`<button
        type="button"
        class="branch ${isShown ? "shown" : ""}"
        aria-pressed=${isShown}
        data-testid=${`branch-${each.id}`}
        title=${`${each.label}, ${plural(each.steps, "step")}`}
        onClick=${() => act("select", { branch: each.id })}
      >
        <span class="name">${each.label}</span>
        <span class="rail"
          ><i
            style=${{ left: `${left}%`, width: `${Math.max(((each.steps - each.start) / total) * 100, 0.6)}%` }}
            class=${each.parent === null ? "" : "forked"}
          ></i
          >${says && html`<span class="says">${says}</span>`}</span
        >
      </button>`;
    })}
  </div>`;
}
