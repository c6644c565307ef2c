r"""MATH-500: competition problems with an answer in LaTeX (Hendrycks et al. 2021, arXiv:2103.03874; Lightman et al. 2023).

    find_benchmark("math500").load(Options(paths=("evaldata",)))[0].row["answer"]        # "\left( 3, \frac{\pi}{2} \right)"

The prompts and the settings serve AIME, too (`benchmarks/aime.py`).
"""

import re
from collections.abc import Mapping
from functools import partial

from foretrace.evals.files import DataFile
from foretrace.evals.scorers.maths import maths_scorer, read_boxed, write_boxed
from foretrace.evals.types import Benchmark, Item, Options, Question, Sampling, Style

OFFICIAL = DataFile(
    name="math500.jsonl",
    sha256="35dc41080a3680858b27fa7e0533d2d547825316fc5dafe5d316f4ccc5a06132",
    rows=500,
    licence="MIT; the problems' owners object to copies",
    source="openai/prm800k, or mlfoundations/evalchemy: eval/chat_benchmarks/MATH500/data",
)
_EXAMPLES = r"""Problem:
A rope of $12$ metres is cut into pieces of $\frac{3}{4}$ of a metre. How many pieces are there?

Solution:
There are $12 \div \frac{3}{4} = 12 \cdot \frac{4}{3} = 16$ pieces. The answer is $\boxed{16}$.


Problem:
Two fair coins are thrown. What is the probability that they fall alike?

Solution:
Of the $4$ ways in which they can fall, $2$ are alike, and $\frac{2}{4} = \frac{1}{2}$. The answer is $\boxed{\frac{1}{2}}$.


"""
_STEP_BY_STEP = "{}\nPlease reason step by step, and put your final answer within $\\boxed{{}}$."
_WRAP = "{}\n\nWrap your answer in $\\boxed{{}}$."


def maths_styles(cot: Sampling, direct: Sampling) -> Mapping[str, Style]:
    """The two prompts in use, with the settings that were published with them."""
    told = {
        "cot": (_STEP_BY_STEP, cot, "chat: Qwen2.5-Math and Qwen3 (arXiv:2505.09388); completion: two examples of ours"),
        "direct": (_WRAP, direct, "chat: CWM (facebookresearch/cwm, MathThinkCWMDialogEnv); completion: as in cot"),
    }
    return {
        name: Style(ask=partial(_ask, prompt), read=read_boxed, write=write_boxed, sampling=sampling, source=source)
        for name, (prompt, sampling, source) in told.items()
    }


def wrong_answer(answer: str) -> str:
    """Another answer of the same form."""
    if answer.isdecimal():
        return str(int(answer) + 1)
    other = re.sub(r"\d", lambda digit: str((int(digit.group()) + 1) % 10), answer, count=1)
    return other if other != answer else r"\text{none of these}"


def _ask(prompt: str, item: Item) -> Question:
    problem = item.row["problem"]
    text = f"{_EXAMPLES}Problem:\n{problem}\n\nSolution:\n"
    return Question(text=text, chat=prompt.format(problem), stop=("\nProblem:",))


def _load(options: Options) -> list[Item]:
    return [
        Item(
            id=row["unique_id"],
            row={"problem": row["problem"], "answer": row["answer"]},
            controls={"gold": row["answer"], "wrong": wrong_answer(row["answer"]), "constant": "3"},
            tags={"subject": row["subject"], "level": str(row["level"])},
        )
        for row in OFFICIAL.read(options.paths)
    ]


MATH500 = Benchmark(
    name="math500",
    title="MATH-500",
    about="answers to competition problems",
    files=(OFFICIAL,),
    load=_load,
    styles=maths_styles(
        cot=Sampling(temperature=0.6, top_p=0.95, max_tokens=32_768),
        direct=Sampling(samples=20, temperature=1.0, top_p=0.95, max_tokens=65_536),
    ),
    scorer=maths_scorer,
    source="Hendrycks et al. 2021 (arXiv:2103.03874), the 500 of Lightman et al. 2023 (arXiv:2305.20050); MIT",
)
