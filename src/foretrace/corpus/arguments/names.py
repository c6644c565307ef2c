"""Weak hints: what a parameter's name says to a reader."""

import re

from foretrace.corpus.arguments.guess import Guess

_WORDS = {
    "bool": """
        flag reverse strict verbose debug recursive force inplace ascending descending ignore_case sort""",
    "callable": """
        func f fn function callback predicate pred key_func cmp comparator g h op operator transform mapper fun""",
    "int": """
        n m k i j num number count size length len width height depth level index idx pos position start end stop low
        high left right limit total amount max min maximum minimum times step steps offset year month day age digit
        precision row col rows cols column columns x y z a b c p q capacity base exponent power degree seed target lo
        hi rank shift bits mask""",
    "float": """
        prob rate ratio price weight radius speed velocity mass temperature angle theta alpha beta gamma epsilon eps
        tolerance tol probability distance time voltage current resistance frequency pressure volume energy interest
        percent principal score threshold factor scale area density charge""",
    "dict": """
        d dic dct dict dictionary mapping map config options params kwargs graph counts counter lookup table cache env
        settings""",
    "str": """
        s t text string str word name line sentence phrase message msg pattern prefix suffix sep separator delimiter
        delim char ch letter key path filename file url title label tag txt st content code password source doc
        input_string substring sub query token expression expr html fmt format template encoding language symbol
        alphabet plaintext ciphertext haystack needle chars characters letters""",
    "matrix": "matrix grid board maze mat image dp adjacency_matrix matrix_a matrix_b",
    "texts": "words names strings lines tokens strs sentences keys texts tags labels parts paths",
    "list": """
        nums numbers lst list arr array items values elements seq sequence data xs ys ls iterable iterables collection
        vector stack queue heap points edges intervals prices weights costs scores coins digits lists args entries
        records results population sorted_collection""",
}
_MEANING = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_CHARACTERS = {"char", "ch", "letter", "c", "delim", "symbol"}
_RARE = ("callable", "bool", "dict")
"""Types that are seldom, so that a name must say more to be heard."""
_RARE_FACTOR = 4.0
_DIGITS = "0123456789"
_FLAG = re.compile(r"(?:is|has|use|allow|should|with|no|include|keep|as)_")
_PLURAL = re.compile(r"[a-z]{3,}[^s]s$")


def hint(guess: Guess, name: str, factor: float = 3.0) -> None:
    """Adds what the name of a parameter says."""
    name = name.strip("_").lower()
    last = name.rpartition("_")[2]
    meaning = _MEANING.get(name) or _MEANING.get(name.rstrip(_DIGITS))
    if meaning is None and _FLAG.match(name):
        meaning = "bool"
    if meaning is None:
        meaning = _MEANING.get(last) or _MEANING.get(last.rstrip(_DIGITS)) or ("list" if _PLURAL.match(last) else None)
    if meaning is None:
        return
    kinds = {"matrix": ("list",), "texts": ("list",), "float": ("float", "int")}.get(meaning, (meaning,))
    if meaning in _RARE and len(name) > 2:
        factor *= _RARE_FACTOR
    guess.favour(kinds, factor if len(name) > 1 else factor**0.5)
    if kinds == ("list",) and not guess.has_inner:
        inner = {"texts": "str", "matrix": "list"}.get(meaning, "int")
        guess.elements().favour((inner,), factor)
        if meaning == "matrix":
            guess.elements().elements().favour(("int",), factor)
    if name in _CHARACTERS or last in _CHARACTERS:
        guess.is_character = True
