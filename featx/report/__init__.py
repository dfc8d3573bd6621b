"""What is drawn for people: the comparison's page, and what the stages make of an image."""
