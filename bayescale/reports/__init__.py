"""Records -> one HTML file. It computes nothing."""
