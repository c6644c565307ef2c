"""How often people write what a production contains: a pool draws its productions in proportion.

Drawn alike, five hundred productions would each be seen a few hundred times in ten million tokens, `expandtabs` as often as
`append`, and a small model would learn none of them well. The order of the methods is that of their frequency in the short
functions that language models write.

    pool = Pool(["«?str».replace(«'sub», «'word»)", "«?str».expandtabs(«'pos»)"])
    pool.draw(rng)                  # replace, most of the time
"""

import random
import re
from collections.abc import Iterable
from itertools import accumulate

_ORDER = (
    "append,join,replace,pop,split,count,lower,index,items,insert,copy,reverse,find,upper,startswith,clear,isdigit,sort,remove,"
    "popitem,extend,endswith,isupper,rfind,rindex,get,isalpha,islower,update,strip,rpartition,fromkeys,rstrip,keys,values,lstrip,"
    "ljust,splitlines,partition,removeprefix,rsplit,swapcase,format,title,capitalize,translate,maketrans,center,isalnum,isspace"
)
_METHODS = _ORDER.split(",")
_HALF_AT = 8
"""The rank at which a method is half as likely as the first."""
_METHODLESS = 0.35
_CONSTRUCTS = {
    r"\bfor «\$[^»]*»(, «\$[^»]*»)* in .*[\])}]": 0.5,  # comprehensions: each element is a frame or two
    r"\{.*\bfor «": 0.25,  # dictionaries and sets by comprehension
    r", 1\)$": 0.3,
    r"«\?word": 1.5,
    r"if not «\?": 0.3,
    r"«'sub» in «|split\(«'sep»\)": 0.5,
    r"^\(|^«\+a[^=]*, «\+b": 0.4,
    r"\*«": 0.1,
    r"\S if .* else ": 0.25,
    r"\blambda\b": 0.2,
    r"\btry:": 0.25,
    r"\bassert\b|:=|\bdel\b|\*=|//=|%=": 0.4,
    r"f['\"]|' % |format\(": 0.5,
    r"\benumerate\(|\bzip\(|\bmap\(|\bfilter\(|\breversed\(": 0.5,
    r"\bset\(|«\?set»|«!set»|«set»|\bdivmod\(": 0.4,
    r"liststrlist|dictis": 0.5,
    r"\bsorted\(|\bord\(|\bdict\(|\braise\b|not in": 0.4,
    r"\bmin\(|\bmax\(|\babs\(|\bint\(|\bstr\(| % |\bsum\(": 0.5,
    r" and | or |\bnot ": 0.5,
    r"\bwhile\b|\brange\(": 1.8,
}
_METHOD = re.compile(r"\.([a-z]+)\b")


def popularity(production: str) -> float:
    """The relative frequency of a production: that of its rarest method, times a factor for each construct."""
    ranks = [_METHODS.index(m) if m in _METHODS else len(_METHODS) for m in _METHOD.findall(production)]
    weight = 1 / (1 + max(ranks) / _HALF_AT) if ranks else _METHODLESS
    for pattern, factor in _CONSTRUCTS.items():
        if re.search(pattern, production):
            weight *= factor
    return weight


class Pool:
    """Productions to draw from, popular ones more often."""

    def __init__(self, productions: Iterable[str]) -> None:
        self.productions = tuple(productions)
        self._cumulative = list(accumulate(map(popularity, self.productions)))

    def draw(self, rng: random.Random) -> str:
        """One production."""
        return rng.choices(self.productions, cum_weights=self._cumulative)[0]
