"""Training: one trainer, its optimisers, schedule and resumable state."""
