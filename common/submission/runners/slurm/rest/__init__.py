"""Slurm by slurmrestd: JSON over HTTP with a token (JWT), and the folders of tasks on a file system that both mount."""
