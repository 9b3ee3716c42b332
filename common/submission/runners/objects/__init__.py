"""Tasks whose container fetches its files from object storage and puts its results there, by addresses that were signed
for it: it needs no credential of its own."""
