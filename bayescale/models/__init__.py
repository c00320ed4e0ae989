"""The mathematics: laws, links, pooling and noise -> a NumPyro model on arrays."""
