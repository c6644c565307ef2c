// Answers from the file that the page stands in: the same as the server's, of what was known when it was exported.

/** The session in this file, or null if there is none. */
export async function recordedSession() {
  const element = document.getElementById("recorded");
  if (!element) return null;
  const packed = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Recorded(await new Response(stream).json());
}

/** @typedef {import("./types.js").Source} Source */
/** @implements {Source} */
export class Recorded {
  live = false;
  id = "";

  constructor({ program, branches, branch, position }) {
    this.program = program;
    this.branches = new Map(branches.map((each) => [each.summary.branch, each]));
    this.number = branch;
    this.first = this.#stand(position, "goto");
  }

  get branch() {
    return this.branches.get(this.number);
  }

  async act(verb, given = {}) {
    if (verb === "select" || verb === "free_run" || verb === "anchor") return this.#select(verb, given);
    const known = this.branch.states.length;
    const [position, reason] = this.#target(verb, given);
    if (position === null) throw new Error(`a file cannot ${verb.replaceAll("_", " ")}: it shows what is in it`);
    if (position < 0) return this.#stand(0, "entry");
    return position < known ? this.#stand(position, reason) : this.#stand(known - 1, "end");
  }

  async ask(question, given = {}) {
    const { rows, outline, lane } = this.branch;
    const start = Number(given.start ?? 0);
    if (question === "page") {
      const total = rows.length;
      return { rows: rows.slice(start, start + Number(given.count ?? 500)), known: this.branch.states.length, total };
    }
    if (question === "outline") return outline;
    if (question === "lane") return lane;
    if (question === "search") return { hits: this.#search(given.text), next: null };
    return [];
  }

  pause() {}

  #select(verb, given) {
    const all = [...this.branches.values()].map((each) => each.summary);
    const own = all.find((each) => each.branch === this.number);
    const parent = own.branches.find((each) => each.id === this.number)?.parent;
    const found = {
      select: all.find((each) => each.branch === given.branch),
      anchor: all.find((each) => each.mode === "re-anchored"),
      free_run: all.find((each) => each.branch === parent) ?? all.find((each) => each.mode !== "re-anchored"),
    }[verb];
    if (!found) throw new Error("that branch is not in this file");
    const at = this.#position;
    this.number = found.branch;
    return this.#stand(Math.min(at, this.branch.states.length - 1), "goto");
  }

  /** Where a move ends, and why. */
  #target(verb, given) {
    const { states, rows } = this.branch;
    const at = this.#position;
    const here = states[at];
    const left = here.event === "return" || (here.event === "exception" && (states[at + 1]?.depth ?? 0) < here.depth);
    const forward = (holds) => states.findIndex((state, position) => position > at && holds(state, position));
    const backward = (holds) => states.findLastIndex((state, position) => position < at && holds(state, position));
    const end = states.length;
    const orEnd = (position) => (position < 0 ? end : position);
    const caller = here.stack[1]?.position ?? -1;
    switch (verb) {
      case "step":
        return [at + 1, "step"];
      case "back":
        return [at - 1, "step"];
      case "over":
        return [orEnd(forward((state) => state.depth < here.depth + (left ? 0 : 1))), "step"];
      case "out":
        return [orEnd(forward((state) => state.depth < here.depth)), "step"];
      case "back_over":
        return [
          Math.max(
            caller,
            backward((state) => state.depth <= here.depth),
          ),
          "step",
        ];
      case "back_out":
        return [caller, "step"];
      case "run":
        return [end, "end"];
      case "run_back":
        return [-1, "entry"];
      case "seek":
        return [given.position, "goto"];
      case "goto":
        return [orEnd(forward((state) => state.line === given.line)), "goto"];
      case "next_slip":
        return [orEnd(forward((_, position) => rows[position].slip)), "step"];
      case "previous_slip":
        return [backward((_, position) => rows[position].slip), "step"];
      case "look":
        return [at, "goto"];
      default:
        return [null, ""];
    }
  }

  #position = 0;

  #stand(position, reason) {
    const { summary, states, notes, outside } = this.branch;
    this.#position = position;
    const last = new Map();
    for (const note of notes.slice(0, position + 1)) {
      if (note) {
        const visit = (last.get(note.line)?.visit ?? 0) + 1;
        last.delete(note.line);
        last.set(note.line, { ...note, visit });
      }
    }
    const stop = { reason, position, detail: summary.finish?.detail ?? "", breakpoints: [] };
    return { summary: { ...summary, position, stop }, state: states[position], notes: [...last.values()], outside };
  }

  #search(text) {
    const wanted = text.toLowerCase();
    const says = (row) =>
      row.source.toLowerCase().includes(wanted) ||
      row.values.some(({ name, text }) => `${name} = ${text ?? ""}`.toLowerCase().includes(wanted));
    return this.branch.rows.filter(says).map(({ position, line }) => ({ position, line, where: [] }));
  }
}
