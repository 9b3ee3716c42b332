"""Sentiment by a classifier of DistilBERT's full size: through Atoll, and through transformers behind FastAPI."""
