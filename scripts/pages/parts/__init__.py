"""What the generated parts of pages say, by subject."""
