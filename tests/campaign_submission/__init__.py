"""A campaign that kills Atoll at every step of tasks' lives, and counts what was lost, ran twice or was left behind."""
