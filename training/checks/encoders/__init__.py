"""What pre-trained encoders add to search, reviews and pictures, measured by the code of what ships."""
