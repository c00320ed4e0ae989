"""A model and arrays -> draws -> a DataTree, and the checks of the draws."""
