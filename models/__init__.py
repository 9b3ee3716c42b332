"""One package a model; each knows `common`, never another model."""
