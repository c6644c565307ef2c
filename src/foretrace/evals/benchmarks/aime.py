"""AIME 2024 and 2025: thirty problems a year whose answers are integers from 0 to 999 (Mathematical Association of America).

    find_benchmark("aime24").load(Options(paths=("evaldata",)))

Thirty problems are few: with one sample each the standard error is up to nine points, and though more samples a problem make
a run's own noise small, that of which problems were set stays.
"""

from functools import partial

from foretrace.evals.benchmarks.math500 import maths_styles, wrong_answer
from foretrace.evals.files import DataFile
from foretrace.evals.scorers.maths import maths_scorer
from foretrace.evals.types import Benchmark, Item, Options, Sampling

_SHA256 = {
    "24": "13242ddd30c1fb9c6c960228120fe9254591eeb846079a985c135cb1434ee397",
    "25": "89418be5a1f9ecbe28be0dff644eb1cb8ef535db6518dc5f96c95b0cd96e9748",
}
_STYLES = maths_styles(
    cot=Sampling(samples=64, temperature=0.6, top_p=0.95, max_tokens=38_912),
    direct=Sampling(samples=20, temperature=1.0, top_p=0.95, max_tokens=65_536),
)


def _load(file: DataFile, options: Options) -> list[Item]:
    return [
        Item(
            id=row["id"],
            row={"problem": row["problem"], "answer": row["answer"]},
            controls={"gold": row["answer"], "wrong": wrong_answer(row["answer"]), "constant": "204"},
        )
        for row in file.read(options.paths)
    ]


def _year(year: str) -> Benchmark:
    file = DataFile(
        name=f"aime{year}.jsonl",
        sha256=_SHA256[year],
        rows=30,
        licence="problems (c) MAA: for evaluation only",
        source=f"NVIDIA/NeMo-Skills: nemo_skills/dataset/aime{year}/test.txt, as id, problem, answer, reference_solution",
    )
    return Benchmark(
        name=f"aime{year}",
        title=f"AIME 20{year}",
        about="competition problems with integers as answers",
        files=(file,),
        load=partial(_load, file),
        styles=_STYLES,
        scorer=maths_scorer,
        source="American Invitational Mathematics Examination I and II, (c) Mathematical Association of America",
        note="thirty problems: with one sample each the standard error is up to nine points",
    )


AIME24, AIME25 = _year("24"), _year("25")
