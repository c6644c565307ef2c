"""The policy that needs no model: it reproduces the failure, looks where it comes from, tries repairs, and submits one.

    run_episode(task, Search(seed=7), folder)

Repairs are thought of by `repair` and tried in forks of the agent's world; how many, and for how long, is in the `info` of
the action that follows. What is recorded is done for real: looking, running tests, some of the repairs that did not work,
each undone, the one that did, the whole suite, the patch. If none works, it says so. All choices are drawn by the seed.

It knows what any agent in its place could: the issue, the files, and what tests print and run.
"""

import random
from collections.abc import Generator
from itertools import islice
from typing import Any

from foretrace.forager.edits import write_edit
from foretrace.forager.policies.types import History, Policy
from foretrace.forager.repair import speech as words
from foretrace.forager.repair.candidate import Candidate, edits
from foretrace.forager.repair.diagnosis import Diagnosis, diagnose, read_tree
from foretrace.forager.repair.localise import read_issue
from foretrace.forager.repair.lookahead import Lookahead, Trials, Verdict
from foretrace.forager.repair.speech import Speech
from foretrace.forager.trajectory import Action, JsonObject, Usage

_SPARE = 12
"""Turns that are kept for the repair itself, its test and its submission."""
Script = Generator[Action, History, None]


class Search(Policy):
    """Looks for a repair by trying.

    Args:
        seed: of all that is drawn.
        seconds: of the processor, for trials in other worlds.
        candidates: that are tried there, at most.
        wrong: repairs that do not work and are done all the same, at most.

    """

    name = "search"
    resumable = False

    def __init__(self, *, seed: int = 0, seconds: float = 30.0, candidates: int = 1500, wrong: int = 4) -> None:
        self.seed, self.seconds, self.candidates, self.wrong = seed, seconds, candidates, wrong
        self._script: Script | None = None

    def settings(self) -> JsonObject:
        """Its seed and its limits."""
        return {"seed": self.seed, "seconds": self.seconds, "candidates": self.candidates, "wrong": self.wrong}

    def act(self, history: History) -> Action:
        """The next action."""
        if self._script is None:
            self._script = _Episode(self, history).script()
            return next(self._script)
        return self._script.send(history)


class _Episode:
    """One episode: what has happened so far, and what is found out."""

    def __init__(self, policy: Search, history: History) -> None:
        assert history.fork is not None
        self._policy, self._history = policy, history
        self._rng = random.Random(f"search {policy.seed} {history.task.id}")
        self._issue = history.prompt
        self._speech = Speech(self._rng)
        self._told = read_issue(history.prompt)
        self._unsaid: dict[str, Any] = {}

    def script(self) -> Script:
        """All of it."""
        assert self._history.fork is not None
        with Lookahead(self._history.fork) as lookahead:
            diagnosis = diagnose(lookahead, self._issue, read_tree(lookahead.environment))
            self._speech = Speech(self._rng, lookahead.command)
            tried = _Tried(lookahead, diagnosis, self._policy)
            trials = tried.next()
            self._unsaid = {"info": tried.info(), "usage": Usage(seconds=round(lookahead.seconds, 6))}
        yield from self._look_around()
        yield from self._read(diagnosis)
        yield from self._try_wrong(diagnosis, trials)
        if trials.winner is not None:
            yield from self._repair(diagnosis, trials.winner)
        else:
            yield from self._give_up(diagnosis, trials)

    def _do(self, tool: str, argument: str, text: str = "") -> Script:
        """One action, and what came of it."""
        self._history = yield Action.call(tool, argument, text, **self._taken())

    def _taken(self) -> dict[str, Any]:
        """What was done in other worlds since the last action, and how long that took."""
        taken, self._unsaid = self._unsaid, {}
        return taken

    @property
    def _ok(self) -> bool:
        return self._history.steps[-1].ok

    def _has_turns(self, more: int) -> bool:
        return self._history.turns_left > _SPARE + more

    # -- finding out ------------------------------------------------------------------------------------

    def _look_around(self) -> Script:
        speech, tests = self._speech, self._told.tests
        for command in speech.looks():
            if self._has_turns(4):
                yield from self._do("bash", command, speech.say(words.LOOK))
        command = speech.test(tests) if tests and self._rng.random() < 0.85 else speech.suite()
        yield from self._do("bash", command, speech.say(words.REPRODUCE if tests else words.WHOLE))

    def _read(self, diagnosis: Diagnosis) -> Script:
        speech, rng = self._speech, self._rng
        steps = []
        functions = [each.function for each in diagnosis.suspects[:2] if each.function is not None]
        for function in functions[: 1 if diagnosis.told.function else 2]:
            steps.append((*speech.read(function), speech.say(words.READ, name=function.name)))
        if not functions and diagnosis.suspects:
            steps.append(("view", f"{diagnosis.suspects[0].code.path}\n1 60", speech.say(words.READ, name="the file")))
        if diagnosis.wanted and "::" in diagnosis.wanted[0] and rng.random() < 0.6:
            steps.append(("bash", speech.read_test(diagnosis.wanted[0]), speech.say(words.READ_TEST)))
        if functions and rng.random() < 0.35:
            steps.append(("bash", speech.uses(functions[0]), speech.say(words.USES, name=functions[0].node.name)))
        rng.shuffle(steps)
        for number, step in enumerate(steps):
            if self._has_turns(len(steps) - number):
                yield from self._do(*step)

    # -- trying -----------------------------------------------------------------------------------------

    def _try_wrong(self, diagnosis: Diagnosis, trials: Trials) -> Script:
        """Some of the repairs that do not work, for real."""
        failed = [verdict for verdict in trials.verdicts if not verdict.solves][:40]
        count = min(self._rng.randint(0, self._policy.wrong), len(failed))
        chosen = sorted(self._rng.sample(range(len(failed)), count))
        for number, at in enumerate(chosen):
            if not self._has_turns(4 * (len(chosen) - number)):
                return
            candidate, say = failed[at].candidate, self._speech.say
            yield from self._change(candidate, say(words.GUESS, what=candidate.what))
            tests = self._some(diagnosis, failed[at])
            command = self._speech.test(tests) if tests else self._speech.suite()
            yield from self._do("bash", command, say(words.AGAIN))
            yield from self._do("bash", self._speech.undo(candidate.code.path), say(words.WRONG))

    def _some(self, diagnosis: Diagnosis, verdict: Verdict) -> list[str]:
        """Tests that tell that a repair does not work."""
        first = [verdict.test] if "::" in verdict.test else []
        rest = [test for test in diagnosis.wanted if test != verdict.test]
        return [*first, *rest[: self._rng.choice((0, 1, 3))]]

    def _change(self, candidate: Candidate, text: str) -> Script:
        for number, (search, replacement) in enumerate(edits(candidate.code.source, candidate.after)):
            argument = write_edit(candidate.code.path, search, replacement)
            yield from self._do("edit", argument, "" if number else text)

    # -- ending -----------------------------------------------------------------------------------------

    def _repair(self, diagnosis: Diagnosis, winner: Verdict) -> Script:
        speech, candidate = self._speech, winner.candidate
        yield from self._change(candidate, speech.say(words.RIGHT, what=candidate.what))
        again = speech.test(diagnosis.wanted, last=True) if diagnosis.wanted else speech.suite(last=True)
        yield from self._do("bash", again, speech.say(words.AGAIN))
        passed, suite = self._ok, None
        if self._history.turns_left > 6 or not passed:
            yield from self._do("bash", speech.suite(last=True), speech.say(words.ALL))
            suite = self._ok
        if not passed and not suite:
            yield from self._do("bash", speech.undo(candidate.code.path), speech.say(words.WRONG))
            yield from self._end("What passed in a copy of the repository does not pass here. I submit nothing.")
            return
        path = speech.patch()
        if self._rng.random() < 0.7 and self._history.turns_left > 4:
            yield from self._do("bash", speech.diff(), speech.say(words.DIFF))
        yield from self._do("bash", f"git diff > {path}", speech.say(words.SAVE))
        yield from self._do("submit", path)
        function = candidate.code.around(candidate.line)
        name = function.name if function is not None else ""
        where = f"`{name}` in `{candidate.code.path}`" if name else f"`{candidate.code.path}`"
        others = sum(test.test not in diagnosis.wanted for test in diagnosis.survey.failing)
        check = words.checked(speech, wanted=len(diagnosis.wanted), suite=suite, failed_before=others)
        told = words.summary(speech, what=candidate.what, where=where, error=diagnosis.error, check=check)
        yield from self._end(told)

    def _give_up(self, diagnosis: Diagnosis, trials: Trials) -> Script:
        sentences = words.NOT_FOUND if diagnosis.wanted or diagnosis.survey.uncollected else words.NOTHING_FAILS
        yield from self._end(self._speech.say(sentences, count=len(trials.verdicts)))

    def _end(self, text: str) -> Script:
        self._history = yield Action(content=text, ends=True, **self._taken())


class _Tried:
    """Trials of one diagnosis, within the limits of the policy."""

    def __init__(self, lookahead: Lookahead, diagnosis: Diagnosis, policy: Search) -> None:
        self._lookahead, self._diagnosis, self._policy = lookahead, diagnosis, policy
        self._trials = Trials((), 0.0, 0.0)

    def next(self) -> Trials:
        """Tries repairs."""
        diagnosis, policy = self._diagnosis, self._policy
        if not diagnosis.wanted and not diagnosis.survey.uncollected:
            return self._trials
        chosen = list(islice((c for c in diagnosis.candidates if c.is_python), policy.candidates))
        self._trials = self._lookahead.attempt(chosen, diagnosis.survey, diagnosis.wanted, seconds=policy.seconds)
        return self._trials

    def info(self) -> JsonObject:
        """What was done in other worlds."""
        diagnosis, trials = self._diagnosis, self._trials
        winner = trials.winner
        found = {
            "thought_of": len(diagnosis.candidates),
            "tried": len(trials.verdicts),
            "quick": sum(verdict.quick for verdict in trials.verdicts),
            "cpu_seconds": round(trials.used, 3),
            "seconds": round(self._lookahead.seconds, 3),
            "failing": len(diagnosis.wanted),
            "suspects": [f"{s.code.path}::{s.function.name if s.function else ''}" for s in diagnosis.suspects[:5]],
        }
        if winner is not None:
            found |= {"idea": winner.candidate.idea, "cost": round(winner.candidate.cost, 3)}
        return {"lookahead": found}
