"""How sure a model may be shown to be: learnt from programs that it predicts and that are then run.

    samples     predict programs, run them, label each line and each value as right or wrong
    features    what is known of a prediction before reality is, in a few numbers
    fit         from those numbers to the probability of being right, in several ways; the best is kept
    maps        such a way, once it is fitted
    scores      how good probabilities are, with intervals;  report: all of that, by type, step, depth
    domain      what the programs were like, and what of another program they were not
    stored      all of it in `calibration.json` beside the weights
    make        the whole;  text, page, plots: for people

`debug/confidence.py` uses what is stored to judge the steps of a session. `docs/calibration.md` says what came out.
"""
