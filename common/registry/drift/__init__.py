"""Whether what a version is asked differs from what it was trained on.

An admin asks for a sample of a model's requests (`choice`); each process keeps some rows (`sampler`) and writes them to
the share (`files`); they are compared with the training's own rows (`snapshot`), or with those of another version, a
column at a time (`compare`).
"""
