"""The fixed pieces of code that the small tokenizer always knows: syntax, builtins and methods of Python.

Words that are merely frequent are not here: `Tokenizer.train` counts them.
"""

from foretrace.trace import START_MARKER

_LAYOUT = ["  ", "    ", "        ", "            ", "                ", "                    ", "\n\n"]
_LOCALS = ['{"', "{}", '": "', '", "', '"}', '": "..", "', '": ".."}']
_OPERATORS = (
    " = ~ == ~ != ~ <= ~ >= ~ < ~ > ~ += ~ -= ~ *= ~ //= ~ // ~ ** ~ + ~ - ~ * ~ / ~ % ~ | ~ & ~ ^ ~ := ~ -> "
    "~==~!=~<=~>=~+=~-=~*=~//~**~->~, ~: ~; ~()~[]~):~]:~()):~())~))~[0]~[-1]~[i]~[:~[::-1]~[1:]~[:-1]~[::~ + 1~ - 1"
)
_KEYWORDS = (
    "def ~return ~for ~while ~if ~elif ~else:~try:~except ~except:~finally:~with ~raise ~lambda ~class ~import ~from ~"
    "not ~del ~assert ~yield ~pass~break~continue~global ~nonlocal ~True~False~None~while True:~return~"
    " in ~ not in ~ is ~ is not ~ and ~ or ~ if ~ else ~ for ~ as ~ not ~self~self."
)
_BUILTINS = (
    "len,range,str,int,list,dict,set,tuple,sorted,reversed,enumerate,zip,map,filter,sum,min,max,abs,any,all,bool,float,"
    "chr,ord,isinstance,type,round,divmod,print,iter,next,frozenset,bytes,repr,hash,pow,slice,bin,hex"
)
_METHODS = (
    "append,join,replace,pop,split,count,lower,index,items,insert,copy,reverse,find,upper,startswith,clear,isdigit,sort,"
    "remove,popitem,extend,endswith,isupper,rfind,rindex,get,removeprefix,islower,update,strip,rpartition,fromkeys,"
    "rstrip,keys,isascii,ljust,splitlines,isdecimal,isnumeric,isalpha,values,rsplit,swapcase,format,partition,maketrans,"
    "translate,center,isalnum,isspace,encode,title,capitalize,zfill,istitle,expandtabs,rjust,casefold,lstrip,"
    "removesuffix,decode,isidentifier,setdefault,add,discard,union,intersection,difference,isprintable,issubset"
)
_BARE = (
    "keys,items,values,copy,upper,lower,swapcase,title,capitalize,strip,lstrip,rstrip,casefold,isalpha,isdigit,isupper,islower,"
    "isalnum,isspace,isdecimal,isnumeric,istitle,isascii,split,splitlines,pop,popitem,reverse,sort,clear"
)
_ERRORS = "ValueError,IndexError,KeyError,TypeError,ZeroDivisionError,AttributeError,RecursionError,Exception,Error"


def _split(text: str) -> list[str]:
    """The pieces of a list above, separated by `~` where commas and spaces belong to them."""
    return text.split("~" if "~" in text else ",")


def _build() -> tuple[str, ...]:
    calls = [f"{name}(" for name in _split(_BUILTINS)]
    methods = [f".{name}(" for name in _split(_METHODS)] + [f".{name}()" for name in _split(_BARE)] + ["''.join("]
    words = [*_split(_BUILTINS), *_split(_METHODS), *_split(_ERRORS)]
    pieces = [START_MARKER, *_LAYOUT, *_LOCALS, *_split(_OPERATORS), *_split(_KEYWORDS), *calls, *methods, *words]
    return tuple(dict.fromkeys(piece for piece in pieces if len(piece) > 1))


CODE_PIECES = _build()
"""Every fixed piece, each once, in a fixed order."""
