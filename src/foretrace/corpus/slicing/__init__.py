"""What `foretrace.corpus.slice` is made of: a package's modules, their statements and names, and rewriting them."""
