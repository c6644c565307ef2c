// Rows about what is shown, asked and changed at a stop, and about what is refused.
'use strict';

const assert = require('assert');
const {
  EDITOR, collect, launched, locals, move, named, repl, scopes, start, texts, top, variables,
} = require('./client');

module.exports = {
  async setVariable(dc, given) {
    await start(dc, launched(given));
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 4 }] });
    await move(dc, 'continue');
    const scope = (await scopes(dc))[0].variablesReference;
    const invalidated = dc.waitForEvent('invalidated');
    const set = (await dc.setVariableRequest({ variablesReference: scope, name: 'n', value: 'n + 6' })).body;
    assert.deepStrictEqual([set.value, set.type], ['6', 'int']);
    assert.deepStrictEqual((await invalidated).body.areas, ['variables']);
    assert.strictEqual(texts(await variables(dc, scope)).n, '6', 'what is asked for again shows the new branch');
    await move(dc, 'next');
    assert.strictEqual(texts(await locals(dc)).n, '6', 'the future follows from the change');
    assert.match(await repl(dc, 'branches'), /original, 7 steps\n▸ 1 {2}n=6 @6/, 'the old future stays');
    assert.match((await dc.threadsRequest()).body.threads[0].name, /n=6 @6$/);
  },

  async setVariableQuietly(dc, given) {
    const events = collect(dc, 'invalidated');
    await start(dc, launched(given), { client: { adapterID: 'foretrace', pathFormat: 'path' } });
    const scope = (await scopes(dc))[0].variablesReference;
    await dc.setVariableRequest({ variablesReference: scope, name: 'c', value: "'e'" });
    const [variable] = await variables(dc, scope);
    assert.deepStrictEqual([variable.value, 'type' in variable], ["'e'", false]);
    assert.deepStrictEqual(events, [], 'a client is sent only what it knows');
  },

  async setExpression(dc, given) {
    await start(dc, launched(given, { program: given.rows, args: "[[1, 2], [30]]" }));
    await move(dc, 'next');
    const row = named(await locals(dc), 'rows');
    const [first] = await variables(dc, row.variablesReference);
    assert.deepStrictEqual([first.name, first.value, first.evaluateName], ['0', '[1, 2]', 'rows[0]']);
    const cell = (await variables(dc, first.variablesReference))[1];
    assert.strictEqual(cell.evaluateName, 'rows[0][1]');
    const frameId = (await top(dc)).id;
    const set = await dc.customRequest('setExpression', { expression: cell.evaluateName, value: '9', frameId });
    assert.strictEqual(set.body.value, '9');
    assert.strictEqual(texts(await locals(dc)).rows, '[[1, 9], [30]]');
    await dc.setVariableRequest({ variablesReference: row.variablesReference, name: '1', value: "['x']" });
    assert.strictEqual(texts(await locals(dc)).rows, "[[1, 9], ['x']]");
  },

  async evaluate(dc, given) {
    await start(dc, launched(given));
    await dc.setBreakpointsRequest({ source: { path: given.letters }, breakpoints: [{ line: 4, hitCondition: '3' }] });
    await move(dc, 'continue');
    const frameId = (await top(dc)).id;
    const ask = async (expression, context) => (await dc.evaluateRequest({ expression, context, frameId })).body;
    assert.strictEqual((await ask('s[n:] + letter', 'watch')).result, "'berryr'");
    const split = await ask('[s, {"n": n}]', 'hover');
    assert.strictEqual(split.type, 'list');
    assert.deepStrictEqual(texts(await variables(dc, split.variablesReference)), { 0: "'berry'", 1: "{'n': 0}" });
    await assert.rejects(ask('nothing', 'watch'), /there is no name 'nothing' here; those there are: s, letter, n, c/);
    await assert.rejects(ask('open("x")', 'watch'), /open cannot be called here/);
    await assert.rejects(ask('diff', 'repl'), /what is real is not known yet/);
    assert.match((await ask('real', 'repl')).result, /it was run, and returned 'Found 0002' after 20 steps/);
    assert.match((await ask('diff', 'repl')).result, /no difference in 11 steps/);
    assert.match((await ask('why n', 'repl')).result, /^n = 0\nset by step 4, line 2: n = 0/);
    assert.match((await ask('alts n', 'repl')).result, /^n: /);
    assert.match((await ask('help', 'repl')).result, /real \[EXPRESSION\]/);
  },

  async scopes(dc, given) {
    const args = launched(given, { model: `replay:${given.predicted}`, trace: given.real, allowRun: false });
    await start(dc, args);
    assert.match(await repl(dc, 'slip'), /^step 11: step/);
    const found = await scopes(dc);
    assert.deepStrictEqual(found.map((scope) => [scope.name, scope.expensive]), [
      ['Predicted locals', false], ['Real locals', false], ['Differences (1)', false], ['Asked of the model', true],
    ]);
    assert.strictEqual(texts(await locals(dc)).n, '6');
    const real = named(await locals(dc, 'Real locals'), 'n');
    assert.deepStrictEqual([real.value, real.presentationHint.attributes], ['1', ['readOnly']]);
    assert.deepStrictEqual(texts(await locals(dc, 'Differences (1)')), { n: '6 ≠ 1' });
    const reference = named(await scopes(dc), 'Real locals').variablesReference;
    const change = { variablesReference: reference, name: 'n', value: '3' };
    await assert.rejects(dc.setVariableRequest(change), /what is real cannot be changed/);
  },

  async exceptions(dc, given) {
    const stop = await start(dc, launched(given, { program: given.raising, args: '-3', stopOnEntry: false }), {
      configure: async (capabilities) => {
        const ids = capabilities.exceptionBreakpointFilters.map((filter) => filter.filter);
        assert.deepStrictEqual(ids, ['exception', 'divergence', 'confidence']);
        await dc.setExceptionBreakpointsRequest({ filters: ['exception'] });
      },
    });
    assert.deepStrictEqual([stop.reason, stop.text], ['exception', 'ValueError(-3)']);
    const info = (await dc.exceptionInfoRequest({ threadId: 1 })).body;
    assert.deepStrictEqual([info.exceptionId, info.description], ['ValueError', 'predicted: ValueError(-3)']);
    assert.strictEqual(info.details.stackTrace.split('\n').length, 2);
    await repl(dc, 'real');
    const both = (await dc.exceptionInfoRequest({ threadId: 1 })).body.description;
    assert.strictEqual(both, 'predicted: ValueError(-3)\nreally: exception ValueError(-3)');
    await dc.setExceptionBreakpointsRequest({ filters: [] });
    assert.strictEqual((await move(dc, 'continue')).reason, 'end');
    await assert.rejects(dc.exceptionInfoRequest({ threadId: 1 }), /no exception is predicted/);
  },

  async divergence(dc, given) {
    const args = launched(given, { model: `replay:${given.predicted}`, trace: given.real, stopOnEntry: false });
    const stop = await start(dc, args, {
      configure: async () => {
        const answer = await dc.setExceptionBreakpointsRequest({ filters: ['divergence'] });
        assert.deepStrictEqual(answer.body.breakpoints, [{ verified: true }]);
      },
    });
    assert.deepStrictEqual([stop.reason, stop.text], ['exception', 'value n: predicted 6, really 1']);
    const info = (await dc.exceptionInfoRequest({ threadId: 1 })).body;
    assert.deepStrictEqual([info.exceptionId, info.breakMode], ['divergence', 'always']);
  },

  async unknownReality(dc, given) {
    await start(dc, launched(given));
    const [told] = (await dc.setExceptionBreakpointsRequest({ filters: ['divergence'] })).body.breakpoints;
    assert.strictEqual(told.verified, false);
    assert.match(told.message, /what is real is not known yet/);
  },

  async confidence(dc, given) {
    const filter = (condition) => ({ filters: [], filterOptions: [{ filterId: 'confidence', condition }] });
    const stop = await start(dc, launched(given, { model: 'tiny', stopOnEntry: false }), {
      configure: async () => {
        const refused = (await dc.setExceptionBreakpointsRequest(filter('much'))).body.breakpoints;
        assert.match(refused[0].message, /'much' is no number/);
        const range = (await dc.setExceptionBreakpointsRequest(filter('7'))).body.breakpoints;
        assert.match(range[0].message, /between 0 and 1/);
        const answer = await dc.setExceptionBreakpointsRequest(filter('0.9999'));
        assert.deepStrictEqual(answer.body.breakpoints, [{ verified: true }]);
      },
    });
    assert.strictEqual(stop.reason, 'exception');
    assert.match(stop.text, /^\S+ = .*, 0\.\d\d sure$/);
    assert.match(named(await locals(dc), stop.text.split(' = ')[0]).type, / ●.. 0\.\d\d$/);
  },

  async uncalibrated(dc, given) {
    await start(dc, launched(given));
    const [told] = (await dc.setExceptionBreakpointsRequest({ filters: ['confidence'] })).body.breakpoints;
    assert.match(told.message, /has no calibration/);
    await move(dc, 'next');
    await move(dc, 'next');
    assert.match(named(await locals(dc), 'word').type, /^str ●.. uncalibrated$/, 'no number without a calibration');
  },

  async lazy(dc, given) {
    await start(dc, launched(given, { model: 'tiny' }));
    await move(dc, 'next');
    await move(dc, 'next');
    const asked = await locals(dc, 'Asked of the model');
    assert.deepStrictEqual(asked.map((each) => each.name), ['c: what else?', 'word: what else?', 'what comes next?']);
    assert.ok(asked.every((each) => each.presentationHint.lazy && each.value === '' && each.variablesReference > 0));
    const found = await variables(dc, asked[2].variablesReference);
    assert.strictEqual(found.length, 1, 'one variable takes the place of the lazy one');
    assert.match(found[0].value, /^\w+ \(\d+%\)/);
    const rows = await variables(dc, found[0].variablesReference);
    assert.match(rows[0].value, /^\d+%$/);
  },

  async stale(dc, given) {
    await start(dc, launched(given));
    await move(dc, 'next');
    const frameId = (await top(dc)).id;
    const reference = (await scopes(dc))[0].variablesReference;
    await variables(dc, reference);
    await move(dc, 'next');
    await assert.rejects(variables(dc, reference), /variablesReference \d+ is of an earlier stop, and void since/);
    await assert.rejects(dc.scopesRequest({ frameId }), /frameId \d+ is of an earlier stop/);
    await assert.rejects(variables(dc, 10 ** 6), /there is no variablesReference 1000000/);
    assert.ok((await locals(dc)).length, 'the session goes on');
  },

  async errors(dc, given) {
    await dc.initializeRequest(EDITOR);
    await assert.rejects(dc.stackTraceRequest({ threadId: 1 }), /nothing is debugged yet/);
    const refused = (more, why) => assert.rejects(dc.launchRequest(launched(given, more)), why);
    await refused({ program: '/nowhere.py' }, /cannot read \/nowhere.py/);
    await refused({ function: 'g' }, /no function/);
    await refused({ args: '1, 2, 3' }, /f/);
    await refused({ args: ["'r'"] }, /launch: args must be a text, not/);
    await refused({ model: 'gigantic' }, /no model called 'gigantic'/);
    await refused({ model: 'oracle', allowRun: false }, /running code is off/);
    await refused({ model: 'tiny', runAtStart: true, allowRun: false }, /say "allowRun": true/);
    await refused({ token: 'wrong' }, /started with a token/);
    await start(dc, launched(given));
    await assert.rejects(dc.launchRequest(launched(given)), /something is debugged already/);
    await assert.rejects(dc.customRequest('readMemory', {}), /there is no request 'readMemory' here/);
    await assert.rejects(dc.customRequest('setVariable', { name: 3 }), /variablesReference must be a whole number/);
  },

  async refusedRun(dc, given) {
    await start(dc, launched(given, { model: 'tiny', allowRun: false }));
    await assert.rejects(repl(dc, 'real'), /running is off; say "allowRun": true/);
  },
};
