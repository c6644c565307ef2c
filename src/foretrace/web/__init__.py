"""The web page of the neural debugger: a session in a browser, and a session as one file that needs no server.

    app = make_app(Site(predictor=load_predictor("tiny"), model="tiny", home=open_home))
    text = export_html(session)

Python answers in JSON and adds no logic to the session; the page is plain ES modules in `static/`, served as they are.
"""
