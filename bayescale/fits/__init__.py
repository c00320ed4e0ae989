"""Settings and a ladder -> Fit, saved and loaded."""
