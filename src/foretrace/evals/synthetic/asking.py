r"""How our own benchmarks ask in text: a program, a question, an answer between two marks; before it, a thought.

    question = ask(examples, Asked(source, "Does it end? Answer yes or no."), thinking=True)
    read_answer("[THOUGHT]\\n…\\n[/THOUGHT]\\n[ANSWER]yes[/ANSWER]")        # 'yes'

The marks are those of CRUXEval (Gu et al. 2024, arXiv:2401.03065), which models know.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from foretrace.evals.thoughts import after_thought
from foretrace.evals.types import Question

_OPEN, _CLOSE = "[ANSWER]", "[/ANSWER]"
_MOST = 10_000
"""Characters of an answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a program; of an example, its answer and the thought before it, too."""

    source: str
    text: str
    answer: str = ""
    thought: str = ""

    @property
    def body(self) -> str:
        """Program and question."""
        return f"[PYTHON]\n{self.source.rstrip()}\n[/PYTHON]\n[QUESTION]\n{self.text}\n[/QUESTION]\n"

    def answered(self, thinking: bool) -> str:
        """With its answer."""
        thought = f"[THOUGHT]\n{self.thought}\n[/THOUGHT]\n" if thinking else ""
        return f"{self.body}{thought}{write_answer(self.answer)}\n\n"


def ask(examples: Sequence[Asked], asked: Asked, *, thinking: bool) -> Question:
    """The question for a model that completes, after examples, and for one that chats.

    Args:
        examples: are shown to one that completes.
        asked: the program, and the question, which says what an answer looks like.
        thinking: whether a thought may come first.

    """
    shown = "".join(example.answered(thinking) for example in examples)
    how = "Think step by step first." if thinking else "Give the answer only."
    return Question(
        text=f"{shown}{asked.body}{'[THOUGHT]' if thinking else _OPEN}",
        chat=f"{asked.body}{how} Put the answer between {_OPEN} and {_CLOSE}.",
        stop=(_CLOSE,),
    )


def read_answer(text: str) -> str | None:
    """What stands between the last marks after any thought; where the first was given in the prompt, up to the other.

    The last, since a model may say first where it will put its answer.
    """
    said = after_thought(text)
    if said is None:
        return None
    found = said.rpartition(_OPEN)[2] if _OPEN in said else "" if "[THOUGHT]" in said or "[/THOUGHT]" in said else said
    answer = found.partition(_CLOSE)[0].strip()
    return answer if 0 < len(answer) <= _MOST else None


def write_answer(answer: str) -> str:
    """An answer as a model says it."""
    return f"{_OPEN}{answer}{_CLOSE}"
