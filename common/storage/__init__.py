"""Data sets and files: where they lie and what is in them. The share is a directory, mounted or local."""
