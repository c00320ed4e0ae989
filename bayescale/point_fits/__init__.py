"""The two papers' least-squares fits: an optimum, and no posterior."""
