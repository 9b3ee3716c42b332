"""The adapters to the kinds of clusters, behind one base."""
