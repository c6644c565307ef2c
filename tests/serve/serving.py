"""A server in a thread of the test, on a port of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from foretrace.serve.app import OPEN_PATHS, create_app
from foretrace.serve.guard import rules_for
from foretrace.serve.model import Limits, ServedModel
from foretrace.serve.run import Server, address_of, bind

TOKEN = "a-token-of-the-test"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SOURCE = "def f(x):\n    y = x + 1\n    for i in range(2):\n        y = y * i\n    return y\n"


@contextmanager
def serving(limits: Limits | None = None, grace: float = 5.0) -> Iterator[tuple[str, ServedModel]]:
    """The server's URL, and what it serves: `tiny`."""
    served = ServedModel.load("tiny", limits or Limits())
    listening = bind("127.0.0.1", 0)
    rules = rules_for("127.0.0.1", port=listening.getsockname()[1], token=TOKEN, open_paths=OPEN_PATHS)
    ready = threading.Event()
    server = Server(create_app(served, rules), ready=ready.set, end=served.close, grace=grace)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert ready.wait(20)
        yield address_of(listening), served
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()
