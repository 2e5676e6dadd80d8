"""For type checkers: the functions are declared, with their kinds, in gearshift.acl."""

from typing import Any

def __getattr__(name: str) -> Any: ...
