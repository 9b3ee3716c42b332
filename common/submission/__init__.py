"""Tasks: users' programs, submitted to clusters, followed, and their logs and results brought back.

A task is recorded first; a `submission` job hands it to its cluster through a runner; a timer asks each cluster, in one
call a round, what became of its tasks.
"""
