"""AscendCL's Python interface on ordinary memory and CPUs: programs written for a card run as is.

On a host where the vendor's environment script was sourced, PYTHONPATH puts the vendor's module
in front of this one; ``python -m gearshift.acl program.py`` runs a program with this one all the
same. What each function does: `gearshift.acl`, and docs/pyacl-compat.md.
"""

import sys

from gearshift.acl.package import fill

fill(sys.modules[__name__])

del fill, sys  # like the vendor's it holds functions and modules, nothing else
