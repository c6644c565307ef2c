"""How a repository's tests are run and recorded in a sandbox; `foretrace.corpus.repository` is what to use."""
