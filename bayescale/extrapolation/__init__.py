"""What the smaller runs of a ladder say of errors beyond it, and of rival models."""
