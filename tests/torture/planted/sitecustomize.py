"""Python imports this before anything else where its folder is on PYTHONPATH: a run that is to die is mined here."""

import os

if "TORTURE" in os.environ:
    import mines

    mines.plant(mines.Orders.read(os.environ["TORTURE"]))
