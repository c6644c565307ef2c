"""The verbs of the package, for Python.

    import foretrace as ft

    model = ft.load("tiny")                             # or a folder, org/name, http://HOST:PORT/v1, oracle:err=0.05
    predicted = model.predict("letters.py::f", c="r")   # a Trace whose values say how sure they are; nothing is executed
    real = ft.record("letters.py::f", c="r")            # a Trace of what really happens
    ft.diff(predicted, real).first                      # where they part
    session = model.debug("letters.py::f", c="r")       # step through it, both ways

`foretrace` imports each name when it is first used. Nothing is imported here: two traces are compared without NumPy.
"""
