// Rows about moves: where a session goes, where it stops, and how a move is cut short.
'use strict';

const assert = require('assert');
const { collect, launched, locals, move, repl, scopes, slowly, start, texts, top, variables } = require('./client');

module.exports = {
  async base(dc, given) {
    const stopped = dc.hitBreakpoint(launched(given, { stopOnEntry: false }), { path: given.letters, line: 4 });
    await stopped;
    const threads = (await dc.threadsRequest()).body.threads;
    assert.deepStrictEqual(threads, [{ id: 1, name: 'f, predicted by oracle:err=0: original' }]);
    const stack = (await dc.stackTraceRequest({ threadId: 1 })).body;
    assert.deepStrictEqual(stack.stackFrames.map((frame) => [frame.name, frame.line]), [['count_letters', 4], ['f', 10]]);
    assert.strictEqual(stack.totalFrames, 2);
    const callers = (await dc.stackTraceRequest({ threadId: 1, startFrame: 1, levels: 5 })).body.stackFrames;
    assert.deepStrictEqual(callers.map((frame) => frame.name), ['f']);
    const above = (await dc.scopesRequest({ frameId: callers[0].id })).body.scopes[0];
    assert.strictEqual(texts(await variables(dc, above.variablesReference)).word, "'berry'");
    assert.deepStrictEqual(texts(await locals(dc)), { s: "'berry'", letter: "'r'", n: '0', c: "'b'" });
    assert.strictEqual((await move(dc, 'next')).reason, 'step');
    assert.strictEqual((await top(dc)).line, 3);
    assert.strictEqual((await move(dc, 'continue')).reason, 'breakpoint');
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [] });
    await move(dc, 'stepOut');
    assert.deepStrictEqual([(await top(dc)).name, (await top(dc)).line], ['f', 11]);
    const end = await move(dc, 'continue');
    assert.deepStrictEqual([end.reason, end.description], ['end', "the prediction ends: returns 'Found 0002'"]);
    const over = Promise.all([dc.waitForEvent('terminated'), dc.waitForEvent('exited')]);
    await dc.continueRequest({ threadId: 1 });
    assert.strictEqual((await over)[1].body.exitCode, 0);
  },

  async stepIn(dc, given) {
    assert.strictEqual((await start(dc, launched(given))).reason, 'entry');
    await move(dc, 'stepIn');
    await move(dc, 'stepIn');
    assert.deepStrictEqual([(await top(dc)).name, (await top(dc)).line], ['f', 10]);
    await move(dc, 'stepIn');
    assert.deepStrictEqual([(await top(dc)).name, (await top(dc)).line], ['count_letters', 1]);
  },

  async back(dc, given) {
    await start(dc, launched(given));
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 2 }] });
    await move(dc, 'continue');
    await move(dc, 'stepIn');
    assert.strictEqual((await top(dc)).line, 3);
    await move(dc, 'stepBack');
    assert.strictEqual((await top(dc)).line, 2);
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 9 }] });
    assert.strictEqual((await move(dc, 'reverseContinue')).reason, 'breakpoint');
    assert.strictEqual((await top(dc)).line, 9);
    assert.strictEqual((await move(dc, 'reverseContinue')).reason, 'entry');
    assert.strictEqual((await move(dc, 'stepBack')).reason, 'entry');
  },

  async goto(dc, given) {
    await start(dc, launched(given));
    await move(dc, 'continue');
    const asked = { source: { path: given.letters }, line: 4 };
    const targets = (await dc.gotoTargetsRequest(asked)).body.targets;
    assert.strictEqual(targets.length, 5, 'one for each visit');
    assert.strictEqual(targets[2].label, 'visit 3 (step 10): n=1');
    assert.strictEqual((await move(dc, 'goto', { targetId: targets[2].id })).reason, 'goto');
    assert.strictEqual(texts(await locals(dc)).n, '0', 'before the line runs');
    await assert.rejects(dc.gotoRequest({ threadId: 1, targetId: targets[2].id }), /of an earlier stop/);
  },

  async restartFrame(dc, given) {
    await start(dc, launched(given, { model: 'oracle:err=0.9,kinds=value' }));
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 5 }] });
    await move(dc, 'continue');
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [] });
    const before = texts(await locals(dc));
    const stop = await move(dc, 'restartFrame', { frameId: (await top(dc)).id });
    assert.strictEqual(stop.reason, 'restart');
    assert.deepStrictEqual([(await top(dc)).name, (await top(dc)).line], ['count_letters', 1]);
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 5 }] });
    await move(dc, 'continue');
    assert.notDeepStrictEqual(texts(await locals(dc)), before, 'another future');
  },

  async conditions(dc, given) {
    const told = [];
    await start(dc, launched(given, { stopOnEntry: false }), {
      configure: async () => {
        const breakpoints = [{ line: 4, condition: 'n == 1' }, { line: 6 }, { line: 4, condition: '1 +' }, { line: 99 }];
        const answer = await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints });
        told.push(...answer.body.breakpoints);
        const elsewhere = await dc.setBreakpointsRequest({ source: { path: given.rows }, breakpoints: [{ line: 2 }] });
        told.push(...elsewhere.body.breakpoints);
      },
    });
    assert.deepStrictEqual(told.map((each) => each.verified), [true, true, false, false, false]);
    assert.strictEqual(told[1].line, 8, 'an empty line: the next at which something runs');
    assert.match(told[2].message, /is no expression/);
    assert.match(told[4].message, /another file is debugged/);
    assert.deepStrictEqual(texts(await locals(dc)), { c: "'r'" });
    const stop = await move(dc, 'continue');
    assert.deepStrictEqual(stop.hitBreakpointIds, [told[0].id]);
    assert.strictEqual(texts(await locals(dc)).n, '1');
  },

  async dataBreakpoints(dc, given) {
    await start(dc, launched(given));
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 3 }] });
    await move(dc, 'continue');
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [] });
    const reference = (await scopes(dc))[0].variablesReference;
    const info = (await dc.dataBreakpointInfoRequest({ variablesReference: reference, name: 'n' })).body;
    assert.deepStrictEqual([info.description, info.accessTypes], ['n of count_letters', ['write']]);
    const strange = (await dc.dataBreakpointInfoRequest({ variablesReference: reference, name: 'm' })).body;
    assert.strictEqual(strange.dataId, null);
    const breakpoints = [{ dataId: info.dataId }, { dataId: 'nonsense' }];
    const answer = (await dc.setDataBreakpointsRequest({ breakpoints })).body.breakpoints;
    assert.deepStrictEqual(answer.map((each) => each.verified), [true, false]);
    const stop = await move(dc, 'continue');
    assert.deepStrictEqual([stop.reason, stop.description], ['data breakpoint', 'data breakpoint: n: 0 → 1']);
    assert.deepStrictEqual(stop.hitBreakpointIds, [answer[0].id]);
    assert.strictEqual((await move(dc, 'reverseContinue')).description, 'data breakpoint: n: unbound → 0', 'backwards too');
  },

  async progress(dc, given) {
    const [starts, updates] = [collect(dc, 'progressStart'), collect(dc, 'progressUpdate')];
    await start(dc, launched(given, { program: given.long, args: '1000000', budget: 10 ** 6 }));
    assert.deepStrictEqual([starts[0].title, starts[0].cancellable], ['loading oracle:err=0', false]);
    await slowly(dc, given);
    const begun = dc.waitForEvent('progressStart');
    const updated = dc.waitForEvent('progressUpdate');
    const stop = dc.waitForEvent('stopped');
    const ended = dc.waitForEvent('progressEnd');
    await dc.continueRequest({ threadId: 1 });
    const { progressId, title, cancellable } = (await begun).body;
    assert.deepStrictEqual([title, cancellable], ['predicting', true]);
    assert.strictEqual((await updated).body.progressId, progressId);
    await dc.customRequest('cancel', { progressId });
    assert.strictEqual((await stop).body.reason, 'pause');
    assert.strictEqual((await ended).body.progressId, progressId);
    assert.match(updates[0].message, /^step \d+, \d+ of 1000000 tokens$/);
    assert.ok((await top(dc)).line >= 2, 'what was predicted is kept');
  },

  async noProgress(dc, given) {
    const events = collect(dc, 'progressStart');
    await start(dc, launched(given), { client: { adapterID: 'foretrace', pathFormat: 'path' } });
    await move(dc, 'continue');
    assert.deepStrictEqual(events, []);
  },

  async cancel(dc, given) {
    await start(dc, launched(given, { program: given.long, args: '1000000', budget: 10 ** 6 }));
    await slowly(dc, given);
    const begun = dc.waitForEvent('progressStart');
    await dc.continueRequest({ threadId: 1 });
    await begun;
    assert.strictEqual((await dc.threadsRequest()).body.threads.length, 1, 'what needs no standstill is answered at once');
    const waiting = dc.evaluateRequest({ expression: 'n', context: 'watch' });
    const seq = dc.sequence - 1;
    const refused = assert.rejects(waiting, /^Error: cancelled$/);
    await dc.customRequest('cancel', { requestId: seq });
    await refused;
    const stop = dc.waitForEvent('stopped');
    await dc.pauseRequest({ threadId: 1 });
    assert.strictEqual((await stop).body.reason, 'pause');
    assert.strictEqual((await dc.evaluateRequest({ expression: 'n', context: 'watch' })).body.result, '1000000');
  },

  async breakpointWhileRunning(dc, given) {
    await start(dc, launched(given, { program: given.long, args: '1000000', budget: 10 ** 6 }));
    await slowly(dc, given);
    const begun = dc.waitForEvent('progressStart');
    const stop = dc.waitForEvent('stopped');
    await dc.continueRequest({ threadId: 1 });
    await begun;
    await dc.setBreakpointsRequest({ source: { path: given.long }, breakpoints: [{ line: 4 }] });
    assert.strictEqual((await stop).body.reason, 'breakpoint');
  },

  async stdio(dc, given) {
    const stopped = await start(dc, launched(given, { stopOnEntry: false }));
    assert.strictEqual(stopped.reason, 'end');
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 4, condition: 'n > 0' }] });
    assert.strictEqual((await move(dc, 'reverseContinue')).reason, 'breakpoint');
    assert.match(await repl(dc, 'real'), /returned 'Found 0002'/);
    assert.strictEqual(texts(await locals(dc, 'Real locals')).n, '2');
  },
};
