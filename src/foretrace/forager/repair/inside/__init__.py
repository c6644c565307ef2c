"""Runs tests many times over in one interpreter that has imported everything once. It needs only Python and pytest.

Nothing of it lies in the world that it looks at: `lookahead` sends the texts of these modules to an interpreter of the
image, in a fork of the agent's world, which makes modules of them and calls `main(settings)`.

`survey` runs all tests and notes which functions of the tree each of them calls; `watch` runs some and notes the lines that
ran in some files, and how their functions ended; `attempt` runs tests for each of many versions of a file. A version that
changes only the body of one function costs a `fork` and the tests themselves, for the functions that exist get new code. Any
other version is imported by a process that has imported pytest but nothing of the tree. Results are lines of JSON in a file;
what tests print is dropped.
"""

MODULES = ("session", "looks", "replacing", "trials", "entry")
"""In the order in which they are made: each imports only those before it."""
