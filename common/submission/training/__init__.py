"""A plugin's training on a cluster: `remote` runs it there, `follow` looks after it here and publishes what it made.

The training's job stays what its caller sees; the task that runs it belongs to the same owner.
"""
