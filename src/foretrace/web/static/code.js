// The program's text, and beside each line what it did when it last ran.
import { IconButton } from "./icons.js";
import { short, SIGNS } from "./text.js";
import { useEffect, useMemo, useRef, html } from "./vendor/preact.js";

/** The source with notes, breakpoints, and the lines that are about to run, predicted and real. */
export function Code({ page }) {
  const { source, view } = page;
  const { program } = source;
  const { state, summary, notes } = view;
  const lines = useMemo(() => program.source.replace(/\n$/, "").split("\n"), [program]);
  const beside = new Map(
    notes.filter((note) => !page.asking || note.position < state.position - 1).map((note) => [note.line, note]),
  );
  const points = new Map(summary.breakpoints.filter((each) => each.kind === "line").map((each) => [each.line, each]));
  const loops = new Map(state.loops.map((loop) => [loop.line, loop]));
  const active = new Set(state.stack.map((frame) => frame.line));
  const widest = Math.min(Math.max(...lines.map((line) => line.length)), 44);
  const list = useRef(null);
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [state.line, summary.position]);
  return html`<ol
    class="code"
    ref=${list}
    style=${{ "--code-width": `${widest}ch` }}
    data-testid="code"
    tabindex="0"
    aria-label="source"
  >
    ${lines.map((text, index) => {
      const line = index + 1;
      return html`<${Line}
        key=${line}
        page=${page}
        line=${line}
        text=${text}
        parts=${program.highlights[index] ?? []}
        note=${beside.get(line)}
        point=${points.get(line)}
        loop=${loops.get(line)}
        isCalling=${line !== state.line && active.has(line)}
      />`;
    })}
  </ol>`;
}

function Line({ page, line, text, parts, note, point, loop, isCalling }) {
  const { state } = page.view;
  const isHere = line === state.line;
  const isReal = !page.asking && state.real && state.real.line !== state.line && state.real.line === line;
  const kind = [isHere && "here", isReal && "really", isCalling && "calling", !note && "unrun"]
    .filter(Boolean)
    .join(" ");
  return html`<li class="line ${kind}" aria-current=${isHere ? "step" : undefined} data-line=${line}>
    <${Gutter} page=${page} line=${line} point=${point} />
    <span class="marker" aria-hidden="true">${isHere ? "⇢" : isReal ? "=" : ""}</span>
    <code>${highlighted(text, parts)}</code>
    <span class="note">
      ${loop && html`<${Pass} page=${page} loop=${loop} />`} ${note && html`<${Effects} note=${note} />`}
      ${isReal && html`<span class="wrong tag">really here</span>`}
      ${isHere && isUnsure(state.line_sure) && html`<span class="unsure" title=${UNSURE}>line ●○○</span>`}
    </span>
  </li>`;
}

const UNSURE = "the model is not sure that this line is next";
const isUnsure = (sure) => sure !== null && sure < 0.5;

function Gutter({ page, line, point }) {
  const toggle = () => (point ? page.act("unbreak", { number: point.number }) : page.act("break", { line }));
  const details = (event) => {
    event.preventDefault();
    page.open("break", { line, point });
  };
  const live = page.source.live;
  const says = point?.condition || point?.hits ? ` if ${point.condition || ""} ${point.hits || ""}` : "";
  return html`<button
    type="button"
    class="gutter"
    disabled=${!live}
    aria-pressed=${Boolean(point)}
    aria-label=${`breakpoint at line ${line}${says}`}
    title=${live ? `breakpoint${says}; right-click for a condition` : ""}
    data-testid=${`gutter-${line}`}
    onClick=${toggle}
    onContextMenu=${live && details}
  >
    ${point && html`<span class="point ${says ? "conditional" : ""}" aria-hidden="true"></span>`}${line}
  </button>`;
}

function highlighted(text, parts) {
  const found = [];
  let at = 0;
  for (const [first, last, kind] of parts) {
    found.push(text.slice(at, first), html`<span class=${`tok-${kind}`}>${text.slice(first, last)}</span>`);
    at = last;
  }
  return [...found, text.slice(at) || " "];
}

/** Which pass of a loop this is, and the ways to those beside it. */
function Pass({ page, loop }) {
  const go = (position) => () => page.act("seek", { position });
  return html`<span
    class="pass"
    title=${loop.odd ? `${loop.odd} of the passes went otherwise than most` : "pass of the loop"}
  >
    <${IconButton}
      icon="previous"
      hint="the pass before"
      disabled=${loop.previous === null}
      id="previous-pass"
      onClick=${go(loop.previous)} />
    pass ${loop.pass}/${Math.max(loop.passes, loop.pass)}${loop.is_odd ? " odd" : ""}
    <${IconButton}
      icon="next"
      hint="the next pass"
      disabled=${loop.next === null}
      id="next-pass"
      onClick=${go(loop.next)}
  /></span>`;
}

/** What a line did: predicted values, and the real ones where they are others. */
export function Effects({ note }) {
  return html`${note.effect.slice(0, 6).map((each) => html`<${EffectOf} effect=${each} leads=${note.leads} />`)}
  ${note.effect.length > 6 && html`<span class="quiet">+${note.effect.length - 6}</span>`}`;
}

function EffectOf({ effect, leads }) {
  const { name, before, after, real, verdict, dots } = effect;
  const verb = name || (leads === "exception" ? "raises" : "returns");
  const apart = verdict && verdict !== "right";
  const really = short(real ?? "nothing", 34);
  const was = before !== null && name ? `${short(before, 14)} → ` : "";
  return html`<span class="effect ${apart ? "apart" : ""}" title=${dots ? `how sure: ${dots}` : ""}>
    <i class="predicted"
      ><span class="sign">⇢</span
      >${name ? `${name} = ` : `${verb} `}${was}${after === null ? "unbound" : short(after, 34)}</i
    >
    ${apart && html`<span class="real"><span class="sign">${SIGNS[verdict]}</span>${really}</span>`}
    ${verdict === "right" && html`<span class="same" title="as it really is">=</span>`}
  </span>`;
}
