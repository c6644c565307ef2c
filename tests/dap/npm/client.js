// What the rows have in common: starting, moving, looking.
'use strict';

const assert = require('assert');

const EDITOR = {
  adapterID: 'foretrace',
  linesStartAt1: true,
  columnsStartAt1: true,
  pathFormat: 'path',
  supportsVariableType: true,
  supportsProgressReporting: true,
  supportsInvalidatedEvent: true,
};

const launched = (given, more) => ({
  program: given.letters, function: 'f', args: "'r'", model: 'oracle:err=0', allowRun: true, token: given.token, ...more,
});

/** Up to the first stop; `configure` may set breakpoints before. */
async function start(dc, args, { client = EDITOR, configure = async () => {} } = {}) {
  const capabilities = (await dc.initializeRequest(client)).body;
  const ready = dc.waitForEvent('initialized');
  await dc.launchRequest(args);
  await ready;
  await configure(capabilities);
  const stop = dc.waitForEvent('stopped');
  await dc.configurationDoneRequest();
  return (await stop).body;
}

/** Sends a request that moves, and waits for the stop. */
async function move(dc, command, args = {}) {
  const stop = dc.waitForEvent('stopped');
  await dc.customRequest(command, { threadId: 1, ...args });
  return (await stop).body;
}

const top = async (dc) => (await dc.stackTraceRequest({ threadId: 1 })).body.stackFrames[0];
const scopes = async (dc) => (await dc.scopesRequest({ frameId: (await top(dc)).id })).body.scopes;
const variables = async (dc, reference) => (await dc.variablesRequest({ variablesReference: reference })).body.variables;
const named = (items, name) => items.find((item) => item.name === name);

/** The variables of a scope of the frame on top. */
async function locals(dc, scope = 'Predicted locals') {
  const found = named(await scopes(dc), scope);
  assert.ok(found, `there is a scope ${scope}`);
  return variables(dc, found.variablesReference);
}

const texts = (items) => Object.fromEntries(items.map((item) => [item.name, item.value]));
const repl = async (dc, expression) =>
  (await dc.evaluateRequest({ expression, context: 'repl', frameId: (await top(dc)).id })).body.result;

/** The texts of events of a kind, as they come. */
function collect(dc, event) {
  const found = [];
  dc.on(event, (message) => found.push(message.body));
  return found;
}

/** Breakpoints that are never hit, and take long to find that out: what is tested here is what happens meanwhile. */
async function slowly(dc, given) {
  const condition = 'sum([k % 7 for k in range(3000)]) < 0';
  const breakpoints = [3, 4, 5].map((line) => ({ line, condition }));
  await dc.setBreakpointsRequest({ source: { path: given.long }, breakpoints });
}

module.exports = { EDITOR, collect, launched, locals, move, named, repl, scopes, slowly, start, texts, top, variables };
