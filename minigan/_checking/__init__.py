"""The parts of gradcheck, one idea to a file.

``problem`` reduces a function to numbers φ_k, ``numeric`` differentiates them by differences,
``compare`` sets the engine beside that, ``properties`` asks what a good gradient has beyond its
values, ``precision`` what float32 leaves of it, ``diagnose`` looks for the cause of a failure,
``report`` prints.
"""
