"""Logistic regression from scratch in NumPy, as a DVC pipeline configured by Hydra and tracked in MLflow."""

import gc
import signal
import sys

if sys.argv[0] == "-m":  # a module is about to run as a program (`sys.argv` in Python's library reference)
    # The garbage collector would walk the objects of scikit-learn, matplotlib or MLflow time and again while these are
    # imported, and once more on the way out: a second for each stage.
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Ctrl-C ends imports without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
