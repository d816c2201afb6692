"""Everything in the runtime that looks like a source, a sink ..., wherever it lives."""

import importlib
import inspect
import pkgutil

import rtaffect


def classes_like(protocol: type) -> set[type]:
    """Return the runtime's public, concrete classes that have every method of a protocol."""
    asked = {name for name in vars(protocol) if not name.startswith("_")}
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(rtaffect.__path__, prefix="rtaffect.")
        if not module.name.endswith("__main__")  # that one is to run the program
    ]
    return {
        found
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__
        and not name.startswith("_")
        and not inspect.isabstract(found)
        and found is not protocol
        and asked <= set(dir(found))
    }
