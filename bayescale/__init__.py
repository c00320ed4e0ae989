"""Bayesian scaling laws: from a ladder of small runs to a credible interval for a large run.

Every public name is here, and its code is loaded when the name is first used. `__init__.pyi` has
the list of names. Figures are in `bayescale.plots`.

>>> import bayescale as bs
>>> bs.setup()  # doctest: +SKIP
"""


def __getattr__(name: str) -> object:
    """A public name, the list of all, or the version, when it is first used."""
    # Nothing is loaded above, so that the command line can watch for Ctrl-C from the start.
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    import lazy_loader

    # This keeps what it loads, so that a name gets here only once.
    load_name, _, names = lazy_loader.attach_stub(__name__, __file__)
    return names if name == "__all__" else load_name(name)


def __dir__() -> list[str]:
    """The public names."""
    return __getattr__("__all__")
