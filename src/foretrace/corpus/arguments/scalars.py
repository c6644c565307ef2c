"""Numbers and texts as people write them: short, mostly plain, sometimes those that the source asks for."""

import random
from typing import Any

from foretrace.corpus.arguments.constants import Constants
from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.values import Values

_LARGEST = 10_000
_LONGEST = 60
_PLAIN = 0.5
"""How often a text is made of common words; the others are of all sorts."""
_TEXT = """
    a an and apple banana bob alice big blue book box cat city code cold dark day dog east eggs end every fast
    fish fox good green hello home house jump key lemon list long man map milk moon name night number old one
    open page paper python rain red river road run sea small snow song star stop sun tea test the time to top
    tree two up water west white wind word world year yellow zero
"""
_WORDS = _TEXT.split()


class Scalars:
    """Makes simple values; `pool` are constants of the source."""

    def __init__(self, rng: random.Random, pool: Constants) -> None:
        self.rng, self.pool, self.values = rng, pool, Values(rng)

    def _seed(self, guess: Guess, kind: type, chance: float) -> Any:
        """Now and then a constant that the value is compared with, or a neighbour of it; else None."""
        if guess.seeds and self.rng.random() < chance:
            fit = [one for one in guess.seeds if type(one) is kind]
            if fit:
                return self.rng.choice(fit)
        return None

    def int_(self, guess: Guess, depth: int) -> int:
        """A int."""
        rng = self.rng
        found = self._seed(guess, int, 0.35)
        if found is not None and abs(found) <= _LARGEST:
            return int(found) + rng.choice((0, 0, 0, 1, -1))
        roll = rng.random()
        if self.pool.ints and roll < 0.1:
            found = rng.choice(self.pool.ints)
            return int(found) if abs(found) <= _LARGEST else found % 1000
        if roll < 0.72:
            return rng.randint(0, 10)
        if roll < 0.80:
            return rng.randint(-10, -1)
        return rng.randint(-100, 1000) if roll < 0.85 else rng.randint(10, 100)

    def float_(self, guess: Guess, depth: int) -> float:
        """A float."""
        rng = self.rng
        found = self._seed(guess, float, 0.3)
        if found is not None:
            return float(found)
        roll = rng.random()
        if self.pool.floats and roll < 0.1:
            return rng.choice(self.pool.floats)
        if roll < 0.2:
            return rng.choice((0.0, 1.0, -1.0, 0.5, 2.0))
        return round(rng.uniform(*rng.choice(((0, 1), (0, 10), (0, 10), (-10, 10), (0, 100)))), rng.choice((1, 1, 2)))

    def bool_(self, guess: Guess, depth: int) -> bool:
        """A bool."""
        return self.rng.random() < 0.5

    def complex_(self, guess: Guess, depth: int) -> complex:
        """A complex."""
        return complex(self.rng.randint(-5, 5), self.rng.randint(-5, 5))

    def str_(self, guess: Guess, depth: int) -> str:
        """A str."""
        rng = self.rng
        found = self._seed(guess, str, 0.35)
        if found is not None and len(found) <= _LONGEST:
            return str(found)
        if guess.is_character:
            return str(self.values.make("char"))
        if guess.is_number_text and rng.random() < 0.7:
            return str(rng.choice((rng.randint(0, 9), rng.randint(0, 999), rng.randint(-20, 99))))
        if rng.random() < _PLAIN:
            count = rng.choice((1, 1, 1, 2, 3)) if depth == 0 else 1
            text = " ".join(rng.choices(_WORDS, k=count))
            text = text.capitalize() if rng.random() < 0.15 else text
        else:
            text = str(self.values.make("str" if depth == 0 and rng.random() < 0.7 else "word"))
        if self.pool.texts and rng.random() < 0.25:
            text = splice(rng, text, rng.choice(self.pool.texts))
        return text

    def bytes_(self, guess: Guess, depth: int) -> bytes:
        """A bytes."""
        return bytes(str(self.values.make("word")), "utf-8")


def splice(rng: random.Random, text: str, piece: str) -> str:
    """`text` with `piece` somewhere in it, or in place of it."""
    if rng.random() < 0.2:
        return piece
    start = rng.choice((0, len(text), rng.randint(0, len(text))))
    return text[:start] + piece + text[start + rng.choice((0, 0, len(piece))) :]
