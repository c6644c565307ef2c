"""What expressions look like, by the type of their value.

A production is source text with holes: `«int»` an expression of that type, `«?str»` a variable of that type, `«x»` the
name that was passed in (`«charcond c»` passes the local name `c`), `«'sub»` and its kind a literal related to the
arguments. Literals: `'sub` a substring, `'char`, `'word`, `'sep`, `'int` a small int, `'index`, `'elem` an element.
"""

EXPRESSIONS: dict[str, list[str]] = {
    "str": [
        "«?str»", "«?str»", "«?str»",
        "«?str».upper()", "«?str».lower()", "«?str».title()", "«?str».capitalize()", "«?str».swapcase()", "«?str».casefold()",
        "«?str».strip()", "«?str».lstrip()", "«?str».rstrip()", "«?str».strip(«'sub»)", "«?str».lstrip(«'char»)", "«?str».rstrip(«'sub»)",
        "«?str».replace(«'sub», «'word»)", "«?str».replace(«'char», «'char»)", "«?str».replace(«'char», '')", "«?str».replace(«'sub», «'word», 1)",
        "«?str»[::-1]", "«?str»[«'index»:]", "«?str»[:«'index»]", "«?str»[«'index»:«'index»]", "«?str»[::2]", "«?str»[1::2]", "«?str»[-«'pos»:]",
        "«?str»[:-1]", "«?str»[1:]", "«?str»[«'index»::-1]", "«?str»[::«'step»]", "«?str»[:len(«?str») // 2]", "«?str»[«int»:]", "«?str»[:«int»]",
        "«?str» + «'word»", "«'word» + «?str»", "«?str» + «str»", "«?str» + str(«int»)", "«?str» * «'pos»", "«?str»[-1] + «?str»[:-1]",
        "«?str».removeprefix(«'prefix»)", "«?str».removesuffix(«'suffix»)",
        "«?str».center(«'width»)", "«?str».center(«'width», «'char»)", "«?str».ljust(«'width», «'char»)", "«?str».rjust(«'width», «'char»)",
        "«?str».zfill(«'width»)", "«?str».ljust(«'width»)", "«?str».rjust(«'width»)", "«?str».expandtabs(«'pos»)",
        "«?str».partition(«'sub»)[«'third»]", "«?str».rpartition(«'sub»)[«'third»]", "«?str».split(«'sep»)[0]", "«?str».split(«'sep»)[-1]",
        "«'sep».join(«liststr»)", "''.join(«liststr»)", "' '.join(«liststr»)", "''.join(sorted(«?str»))", "''.join(reversed(«?str»))",
        "«'sep».join(«?str»)", "''.join(sorted(set(«?str»)))", "' '.join(«?str».split())",
        "''.join(«$c:char» for «$c» in «?str» if «charcond c»)", "''.join([«$c:char» for «$c» in «?str» if «charcond c»])",
        "''.join(«charexpr c» for «$c:char» in «?str»)", "''.join([«charexpr c» for «$c:char» in «?str»])",
        "''.join(filter(lambda «$c:char»: «charcond c», «?str»))", "''.join(map(str, «?listint»))",
        "«'sep».join(«?liststr»)", "f'{«?str»}«'plain»'", "f'«'plain»{«?int»}«'plain»'", "f\"{«?str»}-{«?int»}\"", "f'{len(«?str»)}«'plain»{«?str»}'", "'{}«'plain»{}'.format(«?str», «int»)",
        "'%s«'plain»%s' % («?str», «int»)", "«str» if «bool» else «str»", "str(«int»)", "«?liststr»[«'index»]", "«?liststr»[0]", "«?liststr»[-1]",
        "«?dictss».get(«?str», «'word»)", "max(«?liststr», key=len)", "min(«?liststr»)", "max(«?str»)", "min(«?str»)", "«?dictis».get(«int», «'word»)",
        "«?str».translate(str.maketrans(«'char», «'char»))", "«?str».replace(«'char», «'word»).replace(«'char», «'char»)",
        "«?str»[«?int»]", "«?str»[«?int»:]", "«?str»[:«?int»]", "«?str»[«?int»:«?int»]", "«?str» + «?str»", "«?str»[len(«?word»):]", "«?str»[:-len(«?word»)]", "«?str».replace(«?word», «?str»)", "«?str» * «?int»",
        "«?liststr»[«?int»]", "«?word».join(«?liststr»)", "«?str»[:«?int»] + «?str»[«?int»:]", "«?str»[0] + «?str»[1:].lower()", "«?word» + «?str» + «?word»", "«?str»[«?str».find(«'sub»):]", "«?str»[:«?str».index(«'inside»)]", "«?str»[«?str».index(«'inside») + 1:]",
        "«?str».lower().replace(«'char», «'char»)", "«?str».strip().upper()", "«?str»[::-1].swapcase()", "str(«?listint»)", "str(«?str».count(«'char»))",
    ],
    "int": [
        "«?int»", "«?int»", "«?int»", "«'int»", "len(«?str»)", "len(«?listint»)", "len(«?liststr»)", "len(«?dictsi»)", "len(set(«?str»))",
        "«?int» + «'int»", "«?int» - «'int»", "«?int» * «'pos»", "«?int» // «'pos»", "«?int» % «'pos»", "«?int» + «int»", "«?int» - «int»", "-«?int»",
        "abs(«?int»)", "abs(«?int» - «int»)", "«?int» ** 2", "max(«?int», «int»)", "min(«?int», «int»)", "len(«?str») - «'int»", "len(«?str») // 2",
        "«?str».count(«'char»)", "«?str».count(«'sub»)", "«?str».find(«'sub»)", "«?str».rfind(«'char»)", "«?str».find(«'char»)", "«?str».index(«'inside»)",
        "«?str».rindex(«'inside»)", "«?str».find(«'char», «'index»)", "ord(«'charlit») - 97", "len(«?str».split())", "len(«?str».split(«'sep»))",
        "sum(«?listint»)", "max(«?listint»)", "min(«?listint»)", "«?listint»[0]", "«?listint»[-1]", "«?listint»[«'index»]", "«?listint».count(«'elem»)",
        "«?listint».index(«'elem»)", "«?liststr».count(«'word»)", "len(«liststr»)", "sum(«?dictsi».values())", "«?dictsi».get(«'dkey», 0)",
        "«?dictsi».get(«'dkey», -1)", "max(«?dictsi».values())", "sum(len(«$w:word») for «$w» in «?liststr»)", "sum(1 for «$c:char» in «?str» if «charcond c»)",
        "sum([«$n:elem» for «$n» in «?listint» if «intcond n»])", "len([«$n:elem» for «$n» in «?listint» if «intcond n»])", "int(«bool»)",
        "len(«?str».strip())", "(«?int» + «'int») % «'pos»", "«?int» & 1", "round(«?int» / «'pos»)", "divmod(«?int», «'pos»)[0]", "len(str(«?int»))",
        "«?int» + «?int»", "«?int» - 1", "«?int» + 1", "len(«?str») - len(«?str»)", "len(«?str») + «?int»", "len(«?str») - «?int»", "«?listint»[«?int»]", "«?listint».index(«?int»)", "«?str».find(«?word»)", "«?str».rfind(«?word»)", "«?str».count(«?word»)", "len(«?str») - 1", "len(«?listint») - 1",
        "len(«?listint») // 2", "«?int» * «?int»", "«?str».count(«?str»[0])", "max(«?int», «?int»)",
        "len(«?set»)", "len(«?tuple»)", "«int» if «bool» else «int»", "«?listint»[«'index»] + «?int»", "len(«?str».replace(«'char», ''))",
    ],
    "bool": [
        "«?bool»", "«?str» == «'sub»", "«'sub» in «?str»", "«'char» in «?str»", "«'char» not in «?str»", "«?str».startswith(«'prefix»)",
        "«?str».endswith(«'suffix»)", "«?str».isdigit()", "«?str».isalpha()", "«?str».islower()", "«?str».isupper()", "«?str».isalnum()",
        "«?str».isspace()", "«?str».istitle()", "«?str».isnumeric()", "«?str».isdecimal()", "«?str».isascii()", "«?str».isidentifier()",
        "«?int» > «'int»", "«?int» < «'int»", "«?int» >= «int»", "«?int» == «int»", "«?int» % 2 == 0", "«?int» % «'pos» == «'int»", "«?int» != «'int»",
        "len(«?str») > «'int»", "len(«?str») % 2 == 0", "len(«?listint») == «'int»", "len(«?liststr») > «'int»", "«'elem» in «?listint»",
        "«'word» in «?liststr»", "«'elem» not in «?listint»", "«'dkey» in «?dictsi»", "«'dkey» in «?dictss»", "not «?str»", "not «?listint»", "not «?liststr»",
        "«?listint» == sorted(«?listint»)", "«?str» == «?str»[::-1]", "«?str».lower() == «?str»", "all(«charcond c» for «$c:char» in «?str»)",
        "any(«charcond c» for «$c:char» in «?str»)", "all(«intcond n» for «$n:elem» in «?listint»)", "any(«intcond n» for «$n:elem» in «?listint»)",
        "«bool» and «bool»", "«bool» or «bool»", "not «bool»", "«?str».count(«'char») > «'int»", "isinstance(«?int», int)", "«?str»[0] == «'char»",
        "«?str»[-1:] == «'char»", "«?str»[0].isupper()", "len(«?str») == len(set(«?str»))", "«'int» < «?int» < «'big»", "«?str».find(«'char») == -1", "«?set» == set()",
        "«?word» in «?str»", "«?word» not in «?str»", "«?word» in «?liststr»", "«?int» in «?listint»", "«?int» not in «?listint»", "«?str».startswith(«?word»)", "«?str».endswith(«?word»)", "«?int» < «?int»", "«?int» == «?int»", "«?int» == «'int»", "«?int» == 0", "«?str» == «?str»", "«?str»[0] == «?str»[-1]", "«?int» < len(«?str»)",
        "len(«?str») == «'int»", "len(«?str») == «?int»", "len(«?str») < len(«?str»)", "«?listint»[0] «cmp» «?listint»[-1]", "«?str»", "«?listint»", "«?str»[«'index»] == «'char»", "«?word» in «?dictsi»", "len(«?listint») «cmp» «?int»",
        "«?str» > «'word»", "bool(«?listint»)", "«?str» != «'word»", "len(«?dictsi») > «'int»",
    ],
    "listint": [
        "«?listint»", "«?listint»", "sorted(«?listint»)", "sorted(«?listint», reverse=True)", "«?listint»[::-1]", "list(reversed(«?listint»))",
        "«?listint»[«'index»:]", "«?listint»[:«'index»]", "«?listint»[::2]", "«?listint»[1:]", "«?listint»[:-1]", "«?listint»[-«'pos»:]", "«?listint»[::«'step»]",
        "«?listint» + [«int»]", "[«int»] + «?listint»", "«?listint» * 2", "list(range(«'pos»))", "list(range(«?int» % 7))", "[«int», «int»]",
        "[«intexpr n» for «$n:elem» in «?listint»]", "[«$n:elem» for «$n» in «?listint» if «intcond n»]", "[«intexpr n» for «$n:elem» in «?listint» if «intcond n»]",
        "«?listint»[:«?int»]", "«?listint»[«?int»:]", "«?listint» + «?listint»", "«?listint»[«?int»:] + «?listint»[:«?int»]", "[«?int», «?int»]", "[«?int»] * «'pos»", "«?listint»[«'index»:«'index»]", "list(«?listint»)",
        "list(set(«?listint»))", "sorted(set(«?listint»))", "list(map(lambda «$n:elem»: «intexpr n», «?listint»))", "list(filter(lambda «$n:elem»: «intcond n», «?listint»))",
        "[len(«$w:word») for «$w» in «?liststr»]", "[ord(«$c:char») for «$c» in «?str»]", "list(«?dictsi».values())", "[«$i:index» for «$i», «$c:char» in enumerate(«?str») if «charcond c»]",
        "[«$a:elem» + «$b:elem» for «$a», «$b» in zip(«?listint», «?listint»[1:])]", "«?listint».copy()", "[«$i:index» for «$i» in range(len(«?str»)) if «?str»[«$i»] == «'char»]",
        "sorted(«?listint», key=lambda «$n:elem»: «intexpr n»)", "[«$i:index» * «$n:elem» for «$i», «$n» in enumerate(«?listint»)]", "«?listint»[«'index»:] + «?listint»[:«'index»]",
    ],
    "liststr": [
        "«?liststr»", "«?liststr»", "«?str».split()", "«?str».split(«'sep»)", "«?str».split(«'char»)", "«?str».rsplit(«'sep», «'pos»)", "«?str».split(«'sep», «'pos»)",
        "«?str».splitlines()", "list(«?str»)", "sorted(«?str»)", "sorted(«?liststr»)", "sorted(«?liststr», key=len)", "sorted(«?liststr», reverse=True)",
        "«?liststr»[::-1]", "«?liststr»[«'index»:]", "«?liststr»[:«'index»]", "«?liststr»[1:]", "«?liststr»[:-1]", "«?liststr» + [«'word»]", "[«'word»] + «?liststr»",
        "[«strexpr w» for «$w:word» in «?liststr»]", "[«$w:word» for «$w» in «?liststr» if «strcond w»]", "[«strexpr w» for «$w:word» in «?liststr» if «strcond w»]",
        "[«strexpr w» for «$w:word» in «?str».split()]", "[«$w:word» for «$w» in «?str».split(«'sep») if «strcond w»]", "[«charexpr c» for «$c:char» in «?str»]",
        "[«$c:char» for «$c» in «?str» if «charcond c»]", "list(«?dictsi».keys())", "list(«?dictss».values())", "list(«?dictss»)", "sorted(set(«?str»))", "sorted(«?dictsi»)",
        "«?str».split(«?word»)", "«?str».rsplit(«?word», 1)", "«?liststr»[:«?int»]", "«?liststr»[«?int»:]", "«?liststr» + «?liststr»", "[«?str», «?str»]", "«?str».split(«?word»)[«'index»:]", "list(«?str»[«'index»:])", "list(«?str»)[::-1]",
        "list(map(str.upper, «?liststr»))", "list(map(str, «?listint»))", "[str(«$n:elem») for «$n» in «?listint»]", "list(filter(None, «?str».split(«'sep»)))",
        "[«?str»[«$i:index»:«$i» + «'pos»] for «$i» in range(0, len(«?str»), «'pos»)]", "[«$k:key» for «$k», «$v:elem» in «?dictsi».items() if «intcond v»]",
        "list(«?str».partition(«'sub»))", "[«?str»[:«'index»], «?str»[«'index»:]]", "«?str».lower().split()", "«?liststr».copy()", "list(reversed(«?str»))",
        "sorted(«?liststr», key=lambda «$w:word»: («intofstr w», «$w»))", "sorted(«?str», key=lambda «$c:char»: «?str».count(«$c»))",
    ],
    "dictsi": [
        "«?dictsi»", "{«$c:char»: «?str».count(«$c») for «$c» in «?str»}", "{«$w:word»: len(«$w») for «$w» in «?liststr»}", "dict(«?dictsi»)", "«?dictsi».copy()",
        "{«$k:key»: «intexpr v» for «$k», «$v:elem» in «?dictsi».items()}", "{«$k:key»: «$v:elem» for «$k», «$v» in «?dictsi».items() if «intcond v»}",
        "dict(sorted(«?dictsi».items()))", "dict(zip(«?liststr», «?listint»))", "dict.fromkeys(«?str», «'int»)", "dict.fromkeys(«?liststr», 0)", "{«$c:char»: «$i:index» for «$i», «$c» in enumerate(«?str»)}",
        "dict(sorted(«?dictsi».items(), key=lambda «$p:tuple»: «$p»[1]))", "{«$w:word»: «?liststr».count(«$w») for «$w» in «?liststr»}",
    ],
    "dictss": [
        "«?dictss»", "{«$v:word»: «$k:key» for «$k», «$v» in «?dictss».items()}", "{«$k:key»: «strexpr v» for «$k», «$v:word» in «?dictss».items()}",
        "{«$w:word»: «strexpr w» for «$w» in «?liststr»}", "dict(zip(«?liststr», «?liststr»[1:]))", "{«$k:key»: «$v:word» for «$k», «$v» in «?dictss».items() if «strcond v»}", "«?dictss».copy()",
    ],
    "dictis": [
        "«?dictis»", "{«$i:index»: «$w:word» for «$i», «$w» in enumerate(«?liststr»)}", "{«$v:elem»: «$k:key» for «$k», «$v» in «?dictsi».items()}", "{len(«$w:word»): «$w» for «$w» in «?liststr»}",
        "dict(enumerate(«?str»))", "{«$i:index»: «$c:char» for «$i», «$c» in enumerate(«?str») if «charcond c»}",
    ],
    "tuple": [
        "(«int», «str»)", "(«str», «int»)", "(«?str», «?int»)", "tuple(«?listint»)", "tuple(«?liststr»)", "(«int», «int»)", "«?str».partition(«'sub»)", "«?str».rpartition(«'char»)",
        "divmod(«?int», «'pos»)", "(min(«?listint»), max(«?listint»))", "(«bool», «int»)", "(«?listint»[0], «?listint»[-1])", "(len(«?str»), «?str»[::-1])", "«?tuple»", "«?tuple»[::-1]", "«?tuple» + («int»,)",
        "(«listint», «int»)", "(«str», «liststr»)",
    ],
    "set": ["«?set»", "set(«?listint»)", "set(«?str»)", "set(«?liststr»)", "{«$n:elem» for «$n» in «?listint» if «intcond n»}", "set(«?listint») - {«'elem»}", "set(«?str») & set(«'word»)", "«?set» | {«int»}"],
    "liststrlist": ["«?liststrlist»", "[«$r:word»[::-1] for «$r» in «?liststrlist»]", "sorted(«?liststrlist», key=len)", "[list(«$w:word») for «$w» in «?liststr»]", "[«$w:word».split(«'sep») for «$w» in «?liststr»]", "«?liststrlist»[::-1]"],
}
"""Expressions by type."""

LOCAL_EXPRESSIONS: dict[str, list[str]] = {
    "charcond": [
        "«x».isalpha()", "«x».isdigit()", "«x».isupper()", "«x».islower()", "«x».isspace()", "«x».isalnum()", "not «x».isalpha()", "not «x».isdigit()", "«x» != «'char»", "«x» == «'char»",
        "«x» in «'sub»", "«x» not in «'sub»", "«x» in 'aeiou'", "«x» not in 'aeiou'", "«x».lower() in 'aeiou'", "«x» in «'word»", "«x» > «'charlit»", "«x» <= «'charlit»", "«x» != ' '", "ord(«x») % 2 == 0", "«x» in '«'digits»'",
        "'a' <= «x» <= 'm'", "«x».isascii()", "«x».isdecimal()", "«x» not in '«'punct»'",
    ],
    "charexpr": [
        "«x»", "«x».upper()", "«x».lower()", "«x».swapcase()", "«x» * 2", "«x» + «'char»", "«x» if «charcond x» else «'char»", "«x».upper() if «charcond x» else «x»", "chr(ord(«x») + 1)", "«x» + '«'punct1»'",
        "«x».upper() if «charcond x» else «x».lower()", "chr((ord(«x») - 97 + «'pos») % 26 + 97)", "str(ord(«x»))", "«'char» if «charcond x» else «x»", "«x» * «'pos»", "'' if «charcond x» else «x»",
    ],
    "intcond": ["«x» > «'int»", "«x» < «'int»", "«x» % 2 == 0", "«x» % 2 == 1", "«x» % 2", "«x» >= «'elem»", "«x» != «'elem»", "«x» == «'elem»", "«x» > 0", "«x» < 0", "«x» % «'pos» == 0", "not «x»", "«x» % 3 != 0", "«'int» <= «x» <= «'big»"],
    "intexpr": ["«x»", "«x» * 2", "«x» + 1", "«x» - «'int»", "«x» ** 2", "-«x»", "«x» * «'int»", "«x» // 2", "«x» % «'pos»", "abs(«x»)", "«x» + «'int»", "«x» * «x»", "«x» if «intcond x» else 0", "«x» * 10 + «'int»", "max(«x», «'int»)"],
    "strcond": ["len(«x») > «'int»", "«x»", "«x».isdigit()", "«x».startswith(«'char»)", "«x».endswith(«'char»)", "«'char» in «x»", "«x».isalpha()", "len(«x») % 2 == 0", "«x» != «'word»", "«x» == «'word»", "«x» not in ('', «'word»)", "«x»[:1] == «'char»", "«x».islower()", "not «x».isdigit()"],
    "strexpr": ["«x»", "«x».upper()", "«x».lower()", "«x»[::-1]", "«x».strip()", "«x».capitalize()", "«x» + «'char»", "«'char» + «x»", "«x»[:«'pos»]", "«x»[0:1]", "«x».replace(«'char», «'char»)", "«x».title()", "«x» * 2", "«x»[1:]", "«x».ljust(«'width5», «'char»)", "«x».zfill(«'pos»)", "«x»[-1:]", "f'{«x»}«'plain»'", "«x».swapcase()", "«x» if «strcond x» else «'word»"],
    "intofstr": ["len(«x»)", "«x».count(«'char»)", "-len(«x»)", "«x».find(«'char»)", "len(«x») % 3"],
    "anyexpr": ["«x»", "str(«x»)", "[«x»]", "(«x», «'int»)"],
}
"""Expressions about a local name `x` of known type."""
