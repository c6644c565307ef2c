// Tells VS Code how to start foretrace's debug adapter, and debugs the function at the cursor where nothing is configured.
'use strict';

const vscode = require('vscode');

const DEFINITION = /^(\s*)(?:async\s+)?(def|class)\s+(\w+)/;

/** The function of a module, or the method of a class, that a line of Python source is in; empty if it is in none. */
function functionAt(lines, line) {
  let at = line;
  while (at > 0 && !lines[at].trim()) at--;
  let indent = lines[at].search(/\S/) + (DEFINITION.test(lines[at]) ? 1 : 0);
  const around = [];
  for (; at >= 0 && indent > 0; at--) {
    const found = DEFINITION.exec(lines[at]);
    if (!found || found[1].length >= indent) continue;
    around.unshift({ kind: found[2], name: found[3] });
    indent = found[1].length;
  }
  const entered = around.findIndex((each) => each.kind === 'def'); // what is defined within it cannot be called
  return around.slice(0, entered + 1).map((each) => each.name).join('.');
}

/** Fills in what launch.json does not say. */
async function resolve(folder, config) {
  if (config.type) return config;
  const editor = vscode.window.activeTextEditor;
  if (!editor || editor.document.languageId !== 'python') return null;
  const name = functionAt(editor.document.getText().split(/\r?\n/), editor.selection.active.line);
  const prompt = `Arguments of ${name}, as in a call, such as: 'banana', k=[1]`;
  const args = name && (await vscode.window.showInputBox({ prompt, ignoreFocusOut: true }));
  if (args === undefined || !name) return undefined;
  const program = editor.document.uri.fsPath;
  return { type: 'foretrace', request: 'launch', name: `Predict ${name}`, program, function: name, args };
}

/** A server that runs already, or one that is started. */
function describe(session) {
  const { port } = session.configuration;
  if (port) return new vscode.DebugAdapterServer(port, '127.0.0.1');
  const [command, ...args] = vscode.workspace.getConfiguration('foretrace').get('command');
  return new vscode.DebugAdapterExecutable(command, args);
}

/** Says what to do where the adapter cannot be started, which VS Code itself may not tell. */
function track() {
  return {
    onError: (error) =>
      vscode.window.showErrorMessage(`foretrace: ${error.message}. Set "foretrace.command" to where it is installed.`),
  };
}

function activate(context) {
  context.subscriptions.push(
    vscode.debug.registerDebugAdapterTrackerFactory('foretrace', { createDebugAdapterTracker: track }),
    vscode.debug.registerDebugConfigurationProvider('foretrace', { resolveDebugConfiguration: resolve }),
    vscode.debug.registerDebugAdapterDescriptorFactory('foretrace', { createDebugAdapterDescriptor: describe }),
  );
}

module.exports = { activate, functionAt };
