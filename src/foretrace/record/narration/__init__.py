"""The parts of `foretrace.record.narrate`: how an execution is read, folded and put into words."""
