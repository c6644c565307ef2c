// Another program: chosen, pasted, or dropped, with a call of one of its functions.
import { Dialog } from "./dialogs.js";
import { Live } from "./live.js";
import { keep } from "./opening.js";
import { makeEditor } from "./vendor/codemirror.js";
import { useEffect, useRef, useState, html } from "./vendor/preact.js";

/** An editor for Python; it is made once, and `text` set anew where it changed otherwise than by typing. */
function Editor({ text, onChange }) {
  const parent = useRef(null);
  const editor = useRef(null);
  useEffect(() => {
    editor.current = makeEditor(parent.current, text, { onChange, label: "Python source" });
    return () => editor.current.destroy();
  }, []);
  useEffect(() => {
    const { state } = editor.current;
    if (state.doc.toString() !== text)
      editor.current.dispatch({ changes: { from: 0, to: state.doc.length, insert: text } });
  }, [text]);
  return html`<div class="editor" ref=${parent} data-testid="editor"></div>`;
}

/** The dialog. */
export function OpenProgram({ page }) {
  const { program } = page.source;
  const [call, setCall] = useState({
    path: program.path,
    source: program.source,
    entry: program.entry,
    arguments: argumentsOf(page),
  });
  const [options, setOptions] = useState({ invent: false, grammar: false });
  const [found, setFound] = useState({ functions: [], missing: [], error: "" });
  const [examples, setExamples] = useState([]);
  const [error, setError] = useState("");
  const set = (change) => setCall((was) => ({ ...was, ...change }));
  useEffect(() => {
    const timer = setTimeout(
      () =>
        Live.inspect(call.source).then(
          (told) => {
            setFound(told);
            if (told.functions.length && !told.functions.some(({ name }) => name === call.entry))
              set({ entry: told.functions.at(-1).name });
          },
          () => {},
        ),
      250,
    );
    return () => clearTimeout(timer);
  }, [call.source]);
  useEffect(() => void Live.examples().then(setExamples, () => {}), []);
  const read = async (file) => file && set({ path: file.name, source: await file.text() });
  const open = async () => {
    try {
      const given = { ...call, arguments: options.invent ? null : call.arguments, grammar: options.grammar };
      const source = await Live.open(given);
      page.close();
      page.setSource(source);
      await keep(source);
    } catch (problem) {
      setError(problem.message);
    }
  };
  const wrong = error || found.error;
  const parameters = found.functions.find(({ name }) => name === call.entry)?.parameters ?? "";
  return html`<${Dialog} page=${page} title="Open a program" wide=${true} onSubmit=${open}>
    <div class="choices">
      ${examples.map((each) => html`<${Choice} example=${each} choose=${set} />`)}
      <label class="button"
        >a file …<input type="file" accept=".py,text/x-python" onChange=${(event) => read(event.target.files[0])}
      /></label>
    </div>
    <div
      onDragOver=${(event) => event.preventDefault()}
      onDrop=${(event) => (event.preventDefault(), read(event.dataTransfer.files[0]))}
    >
      <${Editor} text=${call.source} onChange=${(source) => set({ source })} />
    </div>
    <div class="call">
      <label class="field"
        >function<select
          value=${call.entry}
          data-testid="entry"
          onChange=${(event) => set({ entry: event.target.value })}
        >
          ${found.functions.map(({ name }) => html`<option>${name}</option>`)}
        </select></label
      >
      <label class="field grow"
        >arguments<input
          class="mono"
          value=${call.arguments}
          disabled=${options.invent}
          data-testid="arguments"
          placeholder=${parameters}
          spellcheck=${false}
          autocomplete="off"
          onInput=${(event) => set({ arguments: event.target.value })}
      /></label>
    </div>
    <label class="check"
      ><input
        type="checkbox"
        checked=${options.invent}
        data-testid="invent"
        onChange=${(event) => setOptions({ ...options, invent: event.target.checked })}
      />let the model invent the arguments</label
    >
    <label class="check"
      ><input
        type="checkbox"
        checked=${options.grammar}
        onChange=${(event) => setOptions({ ...options, grammar: event.target.checked })}
      />predict only lines that exist, in an order that control flow allows</label
    >
    ${
      found.missing.length > 0 &&
      html`<p class="quiet">
        ⚠ ${found.missing.join(", ")}: not installed here. The program can be predicted, and not run.
      </p>`
    }
    ${wrong && html`<p class="message bad" role="alert" data-testid="open-error">${wrong}</p>`}
    <footer>
      <button type="button" onClick=${page.close}>Cancel</button
      ><button type="submit" class="main" data-testid="open-program" disabled=${Boolean(found.error)}>Open</button>
    </footer><//
  >`;
}

function Choice({ example, choose }) {
  const { name, source, entry } = example;
  const take = () => choose({ path: `${name}.py`, source, entry, arguments: example.arguments });
  return html`<button type="button" data-testid=${`example-${name}`} onClick=${take}>${name}</button>`;
}

const argumentsOf = (page) =>
  Object.entries(page.source.first.summary.arguments)
    .map(([name, text]) => `${name}=${text}`)
    .join(", ");
