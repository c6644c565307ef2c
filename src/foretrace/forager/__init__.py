"""ForagerAgent: tasks in executable repositories, agents that work on them, and what they did."""
