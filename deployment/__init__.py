"""How Atoll gets to where it runs. Nothing here is imported by what runs."""
