"""The web page of the neural debugger: a session in a browser, and a session as one file that needs no server.

    opener = Opener(predictor=load_predictor("tiny"))
    app = make_app(Site(opener=opener, home=opener.example), rules_for("127.0.0.1", port=8765, token=new_token(), page=True))
    text = export_html(session)

Python answers in JSON and adds no logic to the session; the page is plain ES modules in `static/`, served as they are.
"""
