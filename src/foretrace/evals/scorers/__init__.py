"""How an answer becomes a verdict: a literal, a program, a formula, a patch. Each is small and stands alone.

    literal.py   the text of a value: parsed, never run
    program.py   code: it runs in the sandbox, gets inputs and gives values; what is expected never goes there
    maths.py     a boxed formula: integers first, then algebra in a process that can be killed
    patch.py     a change to a repository: its tests decide

Nothing is decided where code of others runs: values come back, and are compared outside.
"""
