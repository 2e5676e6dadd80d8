"""Families of functions in `acl.media` which are all alike.

A description or a configuration is a handful of values behind a handle, and the vendor has two
functions for the handle and two for each value. Here each pair of them is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from gearshift.acl.call import ADDRESS, RET, Failed, Kind, Refusal, fallback, public
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles

Held = TypeVar("Held")
NOTHING: Final = fallback(0)


@dataclass(frozen=True)
class Family(Generic[Held]):
    """The functions of one kind of object.

    Attributes:
        names: with ``{}`` where they say create, destroy, get or set.
        handles: where the objects are kept.
        what: what a docstring calls one, with its article.
        end: what is done with one that was destroyed.
    """

    names: str
    handles: Handles[Held]
    what: str
    end: Callable[[Held], None] = lambda held: None

    def made(self, make: Callable[[], Held]) -> None:
        """Declares the functions that create one without arguments, and destroy it."""

        def create() -> int:
            return self.handles.add(make())

        text = f"Makes {self.what}, with its default values.\n\nReturns:\n    its handle.\n"
        _declare(self.names.format("create"), (), NOTHING, create, text)
        self.destroyed()

    def destroyed(self) -> None:
        """Declares the function that destroys one."""

        def destroy(handle: int) -> int:
            if handle:
                self.end(self.handles.remove(handle))
            return 0

        text = f"""Destroys {self.what}.\n\nArgs:\n    handle: its handle.\n
Returns:\n    0, for null too; 100000 if the handle is of none.\n"""
        _declare(self.names.format("destroy"), (ADDRESS,), RET, destroy, text)

    def value(
        self, name: str, kind: Kind, what: str, allowed: Container[int] | None = None
    ) -> None:
        """Declares the functions that get and set a value.

        Args:
            name: of the attribute, and the end of the functions' names.
            kind: of the value.
            what: the value in words, and behind a semicolon what is allowed.
            allowed: the values that may be set; any if not given.
        """
        self.got(name, what)
        self.set(name, kind, what, allowed)

    def got(self, name: str, what: str) -> None:
        """Declares the function that gets a value; arguments as for `value`."""

        def get(handle: int) -> Any:
            return getattr(self.handles.get(handle), name)

        subject = what[0].upper() + what[1:].partition(";")[0]
        text = f"""{subject}, of {self.what}.\n\nArgs:\n    handle: its handle.\n
Returns:\n    the value; 0 if the handle is of none.\n"""
        _declare(f"{self.names.format('get')}_{name}", (ADDRESS,), NOTHING, get, text)

    def set(self, name: str, kind: Kind, what: str, allowed: Container[int] | None = None) -> None:
        """Declares the function that sets a value; arguments as for `value`."""

        def set_(handle: int, value: Any) -> int:
            held = self.handles.get(handle)
            if allowed is not None and value not in allowed:
                raise Refusal(Code.INVALID_PARAM, f"{value} cannot be set: {what}")
            setattr(held, name, value)
            return 0

        other = "" if allowed is None else ", or for another value"
        text = f"""Sets a value of {self.what}: {what.partition(";")[0]}.\n\nArgs:
    handle: its handle.\n    value: {what}.\n
Returns:\n    0; 100000 if the handle is of none{other}.\n"""
        _declare(f"{self.names.format('set')}_{name}", (ADDRESS, kind), RET, set_, text)


def _declare(
    name: str, kinds: tuple[Kind, ...], failed: Failed, body: Callable[..., Any], text: str
) -> None:
    body.__name__ = body.__qualname__ = name.rpartition(".")[2]
    body.__doc__ = text
    public(name, *kinds, failed=failed)(body)
