// What the server says, as types. Nothing here runs; `debug/view.py`, `debug/pages.py` and `web/views.py` make these.
/**
 * @typedef {"right" | "wrong" | "ghost" | "missing" | null} Verdict
 * @typedef {{name: string, text: string | null, real: string | null, verdict: Verdict, sure: number | null,
 *   dots: string | null, given?: boolean, new?: boolean}} Value
 * @typedef {{name: string, before: string | null, after: string | null, real?: string | null, verdict?: Verdict,
 *   sure?: number | null, dots?: string | null}} Effect
 * @typedef {{line: number, position: number, function: string, depth: number, leads: string | null, effect: Effect[],
 *   calls: boolean, visit: number}} Note
 * @typedef {{line: number, pass: number, passes: number, odd: number, is_odd: boolean, previous: number | null,
 *   next: number | null}} LoopPass
 * @typedef {{step: number, kind: string, line: number, variable: string | null, predicted: string | null,
 *   real: string | null, slip: boolean}} Difference
 * @typedef {{position: number, event: string, function: string, depth: number, line: number, source: string,
 *   visit: number, verdict: Verdict, wrong: Difference[], real: {event: string, line: number, source: string} | null,
 *   surprise: number, line_sure: number | null,
 *   stack: {position: number, function: string, line: number, depth: number}[], values: Value[], effect: Effect[],
 *   loops: LoopPass[], watches: {expression: string, value: string | null, error: string | null}[]}} State
 * @typedef {{reason: string, position: number, detail: string, breakpoints: number[]}} Stop
 * @typedef {{id: number, parent: number | null, start: number, kind: string, label: string, steps: number,
 *   finish: string | null}} Branch
 * @typedef {{number: number, kind: "line" | "data", line?: number, name?: string, function?: string, condition: string,
 *   hits?: string}} Breakpoint
 * @typedef {{steps: number, outcome: string, detail: string, scored: number, wrong: number, slips: number,
 *   first: Difference | null, rejoins: [number, number] | null}} Reality
 * @typedef {{arguments: Record<string, string>, invented: boolean, budget: number, spent: number, position: number,
 *   stop: Stop, steps: number, finish: {reason: string, detail: string} | null, mode: string, branch: number,
 *   branches: Branch[], breakpoints: Breakpoint[], watches: string[], reality: Reality | null,
 *   filters: {exception: boolean, divergence: boolean, confidence: number | null}}} Summary
 * @typedef {{summary: Summary, state: State, notes: Note[], outside: string[]}} View
 * @typedef {{path: string, source: string, entry: string, line: number, model: string,
 *   highlights: [number, number, string][][],
 *   confidence: {calibrated: boolean, meaning: Record<string, string>},
 *   run: {obstacle: string, terms: string}}} Program
 * @typedef {{start: number, end: number, line: number, first: number, last: number, passes: number, odd: number}} Fold
 * @typedef {{start: number, steps: number, surprise: number, real?: number | null, wrong?: number}} Bar
 * @typedef {{position: number, event: string, function: string, depth: number, line: number, source: string,
 *   values: Value[], effect?: Effect[], after?: number | null, verdict?: Verdict, slip?: boolean, kinds?: string[],
 *   surprise?: number, skipped?: string | null}} Row
 * @typedef {{steps: number, spent: number}} Progress
 */

/**
 * Where a page's answers come from: a server, or the file that it stands in.
 * @typedef {{live: boolean, id: string, program: Program, first: View,
 *   act: (verb: string, given?: object, onProgress?: (progress: Progress) => void) => Promise<View>,
 *   ask: (question: string, given?: object) => Promise<any>, pause: () => void}} Source
 */
export {};
