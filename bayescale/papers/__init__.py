"""Both papers, analysis by analysis."""
