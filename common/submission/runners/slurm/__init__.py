"""Slurm: what its two runners share (options, script, states, rows), and the runners, by SSH and by REST."""
