"""Popular productions are drawn more often; nothing is never drawn."""

import random
from collections import Counter

from foretrace.corpus.popularity import Pool, popularity


def test_the_rarest_method_decides() -> None:
    assert popularity("«!list».append(«int»)") > popularity("«?str».upper()") > popularity("«?str».expandtabs(«'pos»)")
    assert popularity("«?str».append(1).expandtabs(8)") == popularity("«?str».expandtabs(8)")


def test_rare_constructs_lower_it() -> None:
    assert popularity("[«x».upper() for «$x:word» in «?liststr»]") < popularity("«x».upper()")
    assert popularity("try:\n    «?str».index(«'sub»)") < popularity("«?str».index(«'sub»)")


def test_a_pool_draws_in_proportion() -> None:
    pool = Pool(["«?str».append(1)", "«?str».expandtabs(8)"])
    rng = random.Random(0)
    drawn = Counter(pool.draw(rng) for _ in range(2000))
    expected = popularity(pool.productions[0]) / sum(map(popularity, pool.productions))
    assert abs(drawn[pool.productions[0]] / 2000 - expected) < 0.04
    assert len(drawn) == 2
