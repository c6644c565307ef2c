"""How episodes are cut from the traces of tests; `foretrace.corpus.episodes` is what to use."""
