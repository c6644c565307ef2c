"""A job: a whole program, with its own standard input and output."""

import atexit
import sys
import threading
import types


def run(payload: bytes, output: int) -> None:
    """Runs the source in `payload` as `__main__`, to the end of its threads; `output` is not used.

    Raises:
        BaseException: what the program raised, but for a `SystemExit` that tells success.

    """
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    flush, finish = sys.stdout.flush, atexit._run_exitfuncs
    atexit._clear()  # what the warm interpreter would do at its own end
    try:
        exec(compile(payload, "<program>", "exec", dont_inherit=True), module.__dict__)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    finally:
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
        finish()
        flush()
