"""A model behind HTTP, for programs: OpenAI's completions, predicted traces and scored ones; `docs/serve.md`.

`app.py` has the paths, `model.py` what is served, `batching.py` how requests share it, `guard.py` the door, which the web
page has too. `answers.py` waits and sends; `completions.py` and `traces.py` know what is asked for.

    served = ServedModel.load("tiny", Limits())
    rules = rules_for("127.0.0.1", port=8000, token=new_token(), open_paths=OPEN_PATHS)
    Server(create_app(served, rules), ready=..., end=served.close).run(sockets=[bind("127.0.0.1", 8000)])

Nothing is imported here, so that the door can be had without the rest.
"""
