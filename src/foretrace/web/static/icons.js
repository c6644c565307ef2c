// Pictures of the controls, drawn with strokes so that they look alike everywhere.
import { html } from "./vendor/preact.js";

const PATHS = {
  start: "M5 4v12M16 5l-8 5 8 5z",
  back: "M15 5l-8 5 8 5z",
  step: "M5 5l8 5-8 5z",
  over: "M3 12a6 6 0 0 1 11-2M14 5v5h-5M8 15h.01",
  out: "M10 15V5M6 9l4-4 4 4M5 17h10",
  run: "M4 5l6 5-6 5zM11 5l6 5-6 5z",
  pause: "M7 5v10M13 5v10",
  previous: "M12 5l-5 5 5 5",
  next: "M8 5l5 5-5 5",
  open: "M3 15V5h5l2 2h7v8z",
  share: "M8 11l4-4M7 8l-2 2a3 3 0 0 0 4 5l2-2M13 12l2-2a3 3 0 0 0-4-5L9 7",
  save: "M10 4v8M6 9l4 4 4-4M4 16h12",
  theme: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.9-1.1 1.8M10 15h.01",
  play: "M6 4l10 6-10 6z",
  edit: "M4 16l1-4 8-8 3 3-8 8zM11 6l3 3",
  pin: "M10 17v-5M6 12h8l-2-3V4H8v5z",
  who: "M16 6v3a3 3 0 0 1-3 3H4M7 9l-3 3 3 3",
  watch: "M10 6a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  close: "M5 5l10 10M15 5L5 15",
  add: "M10 4v12M4 10h12",
  quiz: "M4 5h12v9H9l-4 3v-3H4zM8 8h4M8 11h2",
  dice: "M4 4h12v12H4zM8 8h.01M12 12h.01M10 10h.01",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM13 13l4 4",
  more: "M4 10h.01M10 10h.01M16 10h.01",
};
const SOLID = new Set(["back", "step", "run", "play", "start"]);

/** An icon; what it means is said by the control around it. */
export function Icon({ name }) {
  return html`<svg class=${`icon ${SOLID.has(name) ? "solid" : ""}`} viewBox="0 0 20 20" aria-hidden="true">
    <path d=${PATHS[name]} />
  </svg>`;
}

/** A button with an icon and, perhaps, words; `hint` is its name and tooltip, `keys` how a keyboard does the same. */
export function IconButton({ icon, hint, keys = "", children = null, id = "", ...rest }) {
  const title = keys ? `${hint}  (${keys})` : hint;
  return html`<button
    type="button"
    data-testid=${id}
    title=${title}
    aria-label=${hint}
    aria-keyshortcuts=${keys || undefined}
    ...${rest}
  >
    <${Icon} name=${icon} />${children && html`<span class="label">${children}</span>`}
  </button>`;
}
