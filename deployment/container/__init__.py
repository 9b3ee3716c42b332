"""What the images of `deployment/Dockerfile` are built with, and what looks after them."""
