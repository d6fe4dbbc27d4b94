"""What we compare ourselves with, each a small file."""
