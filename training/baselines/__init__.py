"""What our models are measured against."""
