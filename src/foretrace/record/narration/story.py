"""Tells an execution: walks through its activations, statements and loops, and folds what repeats.

story = Story(trace, voice)
story.tell()
story.sentences
"""

import ast

from foretrace.record.narration.activations import Step, Visit, read_activations
from foretrace.record.narration.calls import (
    call_text,
    callees,
    in_groups,
    is_coroutine,
    is_generator,
    outcome_text,
    parameters,
    recursion,
    short_name,
)
from foretrace.record.narration.conditions import condition
from foretrace.record.narration.folding import called, folded, generator_text
from foretrace.record.narration.loops import Item, Iteration, LoopRun, group, merged
from foretrace.record.narration.moment import Moment
from foretrace.record.narration.statements import clause
from foretrace.record.narration.syntax import Syntax, loop_end, syntax_of
from foretrace.record.narration.voice import Sentence, Voice, number, ordinal, times
from foretrace.trace import Trace

_LONG_BODY = 3
"""Steps of an iteration that is worth a paragraph."""
_MANY_PATHS = 3
"""Of a function that goes different ways so many are told."""


class Story:
    """The sentences of one narration, in the making."""

    def __init__(self, trace: Trace, voice: Voice) -> None:
        self.header = trace.header
        self.outermost = read_activations(trace.frames)
        self.voice = voice
        self.sentences: list[Sentence] = []
        self._open: list[str] = []
        self._indent = 0
        self._told: dict[str, set[tuple[int, ...]]] = {}

    def tell(self) -> None:
        """Tells everything but the result."""
        first = self.outermost[0]
        call = call_text(first, self._syntax(first), self.voice.detail.value)
        self._remark(self._opening(first, call))
        self._tell_visit(first)
        if rest := self.outermost[1:]:
            self._tell_outer_resumptions(rest)

    # -----------------------------------------------------------------------------------------------
    # Writing

    def _remark(self, text: str, *, paragraph: bool = False) -> None:
        self.sentences.append(Sentence(text, indent=self._indent, paragraph=paragraph))

    def _step(self, line: int, text: str, leads_to: int = 0) -> None:
        self.sentences.append(Sentence(text, line, self._indent, leads_to))

    def _syntax(self, visit: Visit) -> Syntax:
        path = visit.call.path
        return syntax_of(self.header.files.get(path, self.header.source) if path else self.header.source)

    def _opening(self, visit: Visit, call: str) -> str:
        pick, bound = self.voice.pick, parameters(visit, self._syntax(visit))
        values = [f"{name} is {self.voice.value(visit.call.state[name])}" for name in bound]
        known = self.voice.series_of_clauses(values)
        if not known:
            return pick(f"Let us step through {call}", f"We follow {call}", f"Here is what {call} does")
        return pick(
            f"Let us step through {call}: {known}",
            f"The call is {call}, so {known}",
            f"We call {call}. At the start, {known}",
            f"{call} is called, so {known}",
        )

    # -----------------------------------------------------------------------------------------------
    # Activations

    def _tell_visit(self, visit: Visit) -> None:
        syntax = self._syntax(visit)
        self._open.append(visit.name)
        steps = merged(visit.steps, syntax)
        after_loop = False
        for item in group(steps, syntax):
            start = len(self.sentences)
            self._tell_item(item, visit, syntax, 0)
            if after_loop and start < len(self.sentences):
                self.sentences[start].paragraph = True
            after_loop = isinstance(item, LoopRun) and len(item.turns) > 1
        self._tell_end(visit, steps, syntax)
        self._open.pop()

    def _tell_end(self, visit: Visit, steps: list[Step], syntax: Syntax) -> None:
        """Says how it was left, where its last statement does not."""
        end, name = visit.end, short_name(visit.name)
        if end is None or end.suspended or end.unwind:
            return
        if steps and any(isinstance(node, ast.Return) for node in syntax.statements(steps[-1].line)):
            return
        if visit.name == "<module>":
            self._remark("That is the end of the module")
        elif is_generator(visit) and visit.value == "None":
            self._remark(self.voice.pick(f"{name} has nothing more to do and ends", f"With that, {name} is at its end"))
        elif visit.value == "None" and not any(isinstance(syntax.statement(step.line), ast.Return) for step in steps):
            self._remark(
                self.voice.pick(
                    f"There is no return statement here, so {name} returns None",
                    f"{name} ends without a return statement: it returns None",
                )
            )
        else:
            self._remark(f"With that, {name} returns {self.voice.value(visit.value)}")

    def _tell_outer_resumptions(self, visits: list[Visit]) -> None:
        second, *rest = visits
        self._remark(f"{short_name(second.name)} is resumed", paragraph=True)
        self._tell_visit(second)
        if rest:
            self._remark(f"Then {generator_text(rest, self._syntax(rest[0]), self.voice)}")

    # -----------------------------------------------------------------------------------------------
    # Steps

    def _tell_item(self, item: Item, visit: Visit, syntax: Syntax, nesting: int) -> None:
        if isinstance(item, LoopRun):
            self._tell_loop(item, visit, syntax, nesting)
        else:
            self._tell_step(item, visit, syntax)

    def _moment(self, step: Step, visit: Visit, syntax: Syntax) -> Moment:
        called_here = callees(step, syntax) if step.children else []
        last = called_here[-1] if called_here else None
        came_out = last is not None and last.end is not None and last.end.unwind and last.value == step.raised
        return Moment(
            step,
            None if visit.is_anonymous else syntax.statement(step.line),
            syntax,
            self.voice,
            short_name(visit.name),
            callees=tuple(short_name(child.name) for child in called_here),
            raiser=short_name(last.name) if last is not None and came_out else "",
            is_coroutine=is_coroutine(visit, syntax),
        )

    def _tell_step(self, step: Step, visit: Visit, syntax: Syntax) -> None:
        self._tell_callees(step, syntax)
        text, leads_to = clause(self._moment(step, visit, syntax))
        if text:
            self._step(step.line, text, leads_to)

    # -----------------------------------------------------------------------------------------------
    # Loops

    def _tell_loop(self, loop: LoopRun, visit: Visit, syntax: Syntax, nesting: int) -> None:
        goes_on = nesting == 0 and visit.call.resumed and loop.node.lineno <= visit.call.line <= loop_end(loop.node)
        turns, detail, header = loop.turns, self.voice.detail, loop.iterations[0].header
        self._tell_callees(header, syntax, of_generators=False)
        self._tell_loop_start(loop, visit, syntax, goes_on)
        self.sentences[-1].paragraph = nesting == 0 and len(turns) > 1
        self._tell_callees(header, syntax, of_generators=True)
        self._indent += 1
        if nesting >= detail.nesting:
            at_last = turns[-1:] if not loop.is_exhausted and not loop.last.following else []
            self._fold(loop, turns[: len(turns) - len(at_last)], syntax, whole=True)
            self._tell_turns(loop, at_last, len(turns), visit, syntax, nesting)
        elif len(turns) <= max(detail.whole, detail.head + 2):
            self._tell_turns(loop, turns, 1, visit, syntax, nesting)
        else:
            self._tell_turns(loop, turns[: detail.head], 1, visit, syntax, nesting)
            self._fold(loop, turns[detail.head : -1], syntax)
            self._tell_turns(loop, turns[-1:], len(turns), visit, syntax, nesting)
        self._indent -= 1
        if turns:
            self._tell_loop_end(loop, visit, syntax)

    def _tell_loop_start(self, loop: LoopRun, visit: Visit, syntax: Syntax, goes_on: bool) -> None:
        header, node = loop.iterations[0].header, loop.node
        if goes_on:
            self._step(header.line, "the loop goes on" if loop.turns else "the loop has come to its end")
            return
        moment = self._moment(header, visit, syntax)
        if header.raised is not None or header.is_yield:
            self._step(header.line, clause(moment)[0])
        elif isinstance(node, ast.While):
            if isinstance(node.test, ast.Constant):
                self._step(header.line, "a loop begins that has no condition to end it")
                return
            test = moment.source_of(node.test)
            never = f"a loop would run while {test}, but {condition(node.test, False, moment)}, so its body never runs"
            self._step(header.line, f"a loop runs while {test}" if loop.turns else never)
        else:
            what, values = moment.source_of(node.iter), moment.evaluated(node.iter)
            over = what if values is None or f"`{values}`" == what else f"{what}, which is `{values}`"
            text = self.voice.pick(f"a loop goes over {over}", f"we loop over {over}")
            self._step(header.line, text if loop.turns else f"{text}; there is nothing in it, so its body never runs")

    def _tell_turns(
        self, loop: LoopRun, turns: list[Iteration], position: int, visit: Visit, syntax: Syntax, nesting: int
    ) -> None:
        total = len(loop.turns)
        for number_of_turn, turn in enumerate(turns, position):
            if turn.header is not loop.iterations[0].header:
                self._tell_callees(turn.header, syntax)
            self._remark(
                self._turn_start(loop, turn, number_of_turn, total, visit, syntax),
                paragraph=nesting == 0 and len(turn.body) > _LONG_BODY,
            )
            self._indent += 1
            for item in group(turn.body, syntax):
                self._tell_item(item, visit, syntax, nesting + 1)
            self._indent -= 1

    def _turn_start(self, loop: LoopRun, turn: Iteration, position: int, total: int, visit: Visit, syntax: Syntax) -> str:
        which = "the last iteration" if position == total > 2 else ordinal(position)
        if loop.last.following == 0 and loop.last.end is None:  # cut off: there may have been more
            which = ordinal(position)
        elif total == 1:
            which = "the only iteration"
        in_part = visit.call.resumed or (
            visit.end is not None and visit.end.suspended
        )  # other iterations are in other activations
        moment, state = self._moment(turn.header, visit, syntax), turn.header.after or {}
        if isinstance(loop.node, ast.While) and not isinstance(loop.node.test, ast.Constant):
            text = condition(loop.node.test, True, moment)
            return f"This time {text}" if in_part else f"In {which}, {text}"
        values = [f"{name} is {self.voice.value(state[name])}" for name in loop.targets if name in state]
        if in_part:
            return f"Now {self.voice.series_of_clauses(values)}" if values else "An iteration begins"
        if not values:
            return f"{which[0].upper()}{which[1:]} begins"
        return self.voice.pick(f"In {which}, ", f"In {which}, ", f"Now for {which}: ") + self.voice.series_of_clauses(values)

    def _fold(self, loop: LoopRun, turns: list[Iteration], syntax: Syntax, *, whole: bool = False) -> None:
        if not turns:
            return
        what = folded(loop, turns, syntax, self.voice)
        count = len(turns)
        if whole:
            lead = f"It runs {times(count)}" if loop.is_exhausted else f"{number(count).capitalize()} iterations run"
            if count == 1:
                lead = "One iteration runs"
        else:
            before = loop.turns[self.voice.detail.head - 1] if self.voice.detail.head else turns[0]
            same = all(turn.lines == before.lines for turn in turns)
            how = (
                self.voice.pick("do the same", "take the same path")
                if same
                else self.voice.pick("go on like this", "continue in this way")
            )
            lead = f"The next {number(count)} iterations {how}"
        self._remark(f"{lead}: {what}" if what else lead)

    def _tell_loop_end(self, loop: LoopRun, visit: Visit, syntax: Syntax) -> None:
        last = loop.iterations[-1].header
        if not loop.is_exhausted:
            node = syntax.statement(loop.last.line)
            if self.sentences[-1].line == 0 and isinstance(node, ast.Break) and loop.last.following:
                self._step(loop.last.line, "`break` ends the loop")
            return
        self._tell_callees(last, syntax)
        if isinstance(loop.node, ast.While):
            text = condition(loop.node.test, False, self._moment(last, visit, syntax))
            self._step(last.line, f"{self.voice.pick('now ', '')}{text}, so the loop ends")
        else:
            self._remark(
                self.voice.pick(
                    "Nothing is left to go over, so the loop ends",
                    "That was the last one, and the loop ends",
                    "The loop is done",
                )
            )

    # -----------------------------------------------------------------------------------------------
    # Calls

    def _tell_callees(self, step: Step, syntax: Syntax, *, of_generators: bool | None = None) -> None:
        """Tells what a step called; of a loop's first header first what gave it something to go over."""
        if not step.children:
            return
        for visits in in_groups(callees(step, syntax)):
            if of_generators is not None and any(map(is_generator, visits)) != of_generators:
                continue
            if visits[0].name in self._open:
                self._tell_recursion(visits, step)
            elif any(map(is_generator, visits)):
                self._tell_generator(visits, step)
            else:
                self._tell_calls(visits, step)

    def _may_enter(self, visit: Visit, key: str) -> bool:
        """Whether a call is told from within: not too deep, and not told like this before."""
        if len(self._open) > self.voice.detail.calls or visit.is_anonymous or not visit.steps:
            return False
        known = self._told.setdefault(key, set())
        path = tuple(dict.fromkeys(step.line for step in visit.steps)) if self.voice.detail.calls > 2 else ()
        if path in known or len(known) >= _MANY_PATHS:
            return False
        known.add(path)
        return True

    def _tell_calls(self, visits: list[Visit], step: Step) -> None:
        waiting: list[Visit] = []
        for visit in visits:
            if not self._may_enter(visit, visit.name):
                waiting.append(visit)
                continue
            self._tell_results(waiting, step)
            waiting = []
            self._enter(visit, step, f"{call_text(visit, self._syntax(visit), self.voice.detail.value)} is called")
        self._tell_results(waiting, step)

    def _tell_results(self, visits: list[Visit], step: Step) -> None:
        if visits:
            self._step(step.line, called(visits, self._syntax(visits[0]), self.voice))

    def _enter(self, visit: Visit, step: Step, text: str) -> None:
        self._step(step.line, text)
        self._indent += 1
        self._tell_visit(visit)
        self._indent -= 1

    def _tell_generator(self, visits: list[Visit], step: Step) -> None:
        waiting = list(visits)
        while waiting and len(waiting[0].steps) <= 12:
            visit = waiting[0]
            resumed = visit.call.resumed
            if not self._may_enter(visit, f"{visit.name} resumed" if resumed else visit.name):
                break
            name = short_name(visit.name)
            call = call_text(visit, self._syntax(visit), self.voice.detail.value)
            self._enter(visit, step, f"{name} is resumed" if resumed else f"{call} starts to run")
            waiting.pop(0)
        if waiting:
            self._step(step.line, generator_text(waiting, self._syntax(waiting[0]), self.voice))

    def _tell_recursion(self, roots: list[Visit], step: Step) -> None:
        found, syntax = recursion(roots), self._syntax(roots[0])
        limit = self.voice.detail.value
        name = short_name(roots[0].name)
        calls = [call_text(root, syntax, limit) for root in roots]
        base = call_text(found.base, syntax, limit)
        text = f"{self.voice.enumeration(calls)} {'is' if len(calls) == 1 else 'are'} called"
        if found.calls > len(roots) and found.is_chain:
            text = (
                f"{calls[0]} is called, which calls {name} again, and so on down to {base}, {number(found.depth)} calls deep"
            )
        elif found.calls > len(roots):
            text += f", which makes {found.calls:,} calls of {name}, at most {number(found.depth)} inside one another"
        self._step(step.line, text)
        left = found.finished
        if self._may_enter(found.base, f"{found.base.name} base"):
            self._indent += 1
            self._remark(f"{base} does not call {name} again:")
            self._tell_visit(found.base)
            self._indent -= 1
            left = [visit for visit in left if visit is not found.base]
        if len(left) > 2 and all(visit.value == "None" for visit in found.finished):
            self._remark("All of these calls return None")
        elif left:
            results = [f"{call_text(visit, syntax, limit // 2)} {outcome_text(visit, self.voice)}" for visit in left]
            lead = "On the way back, " if found.is_chain and len(left) < found.calls else ""
            distinct = list(dict.fromkeys(results))
            self._remark(lead + (self.voice.series(distinct) if len(distinct) > 2 else " and ".join(distinct)))
