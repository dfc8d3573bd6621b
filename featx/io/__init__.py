"""Reading and writing of images, sounds and tables."""
