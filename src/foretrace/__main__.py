"""`python -m foretrace`."""

from foretrace.cli.main import main

main()
