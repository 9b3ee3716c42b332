"""`atoll scaleout demo`: the carried runs go in, a model is trained, and a what-if question is answered and drawn."""
