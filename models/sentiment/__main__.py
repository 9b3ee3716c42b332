"""`python -m models.sentiment`: trains the model in the box."""

from models.sentiment.local import main

main()
