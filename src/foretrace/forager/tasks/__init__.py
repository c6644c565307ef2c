"""Tasks for agents: made by mutation, found in a repository's history, or read from files of SWE-bench's kind."""
