"""Where policies act, and what that is worth. Each environment is a module; none knows of rewards, samplers or learners."""
