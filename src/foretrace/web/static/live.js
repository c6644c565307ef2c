// Answers from the server: one session of it, by its id.

/** A refusal, with what the server says about it. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refusal(0, "the server does not answer. Is `foretrace web` still running?");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => null);
    throw new Refusal(answer.status, told?.error?.message ?? `the server answers ${answer.status}`);
  }
  return answer;
}

const post = (path, body) =>
  request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** Blocks of server-sent events as `[event, data]`. */
async function* serverEvents(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(block);
      yield [event, JSON.parse(data)];
    }
  }
}

/** @typedef {import("./types.js").Source} Source */
/** @implements {Source} */
export class Live {
  live = true;

  /** @param {{id: string, program: import("./types.js").Program, view: import("./types.js").View}} told */
  constructor({ id, program, view }) {
    this.id = id;
    this.program = program;
    this.first = view;
  }

  /** What the server begins with. */
  static start = async () => new Live(await (await request("api/start")).json());
  /** A session that is there. */
  static resume = async (id) => new Live(await (await request(`api/sessions/${encodeURIComponent(id)}`)).json());
  /** A new session of a call, or of a saved one. */
  static open = async (what) => new Live(await (await post("api/sessions", what)).json());
  /** Programs to choose from. */
  static examples = async () => (await request("api/examples")).json();
  /** What a source has in it. */
  static inspect = async (source) => (await post("api/inspect", { source })).json();

  get path() {
    return `api/sessions/${encodeURIComponent(this.id)}`;
  }

  /** @param {(progress: import("./types.js").Progress) => void} onProgress */
  async act(verb, given = {}, onProgress = () => {}) {
    for await (const [event, data] of serverEvents(await post(`${this.path}/do`, { verb, ...given }))) {
      if (event === "progress") onProgress(data);
      if (event === "error") throw new Refusal(400, data.message);
      if (event === "view") return data;
    }
    throw new Refusal(0, "the server ended before its answer did");
  }

  async ask(question, given = {}) {
    return (await request(`${this.path}/${question}?${new URLSearchParams(given)}`)).json();
  }

  /** The session as one file, in the browser's downloads. */
  async download() {
    const answer = await request(`${this.path}/export`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = /filename="(.*)"/.exec(answer.headers.get("content-disposition"))[1];
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  pause() {
    post(`${this.path}/pause`, {}).catch(() => {});
  }
}
