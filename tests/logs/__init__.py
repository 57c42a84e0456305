"""No log line of a whole test run holds a patient's name, identifier, birth date, address or telephone number.

:mod:`tests.logs.inherited.sitecustomize` writes down, in every process of a run, what is logged and which patient data
goes through the codecs; :mod:`tests.logs.check` looks for the one in the other; :mod:`tests.logs.plugin` does both for
a run of pytest and fails it.
"""
