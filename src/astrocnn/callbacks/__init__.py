"""What happens beside the training: resume points, progress."""
