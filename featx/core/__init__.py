"""What a stage is, and what every stage shares."""
