"""Calls every function with whatever there is, and says what went wrong. Run by test_fuzz.py.

    python fuzz_all.py SEED MODEL.om THREADS

An argument is mostly of the kind that the function takes, and now and then of any kind at all:
handles that live, were destroyed or never were, addresses of ours, of others and of nothing,
numbers that are huge or negative, None, floats, texts, lists.
"""

from __future__ import annotations

import ctypes
import faulthandler
import inspect
import logging
import mmap
import random
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from gearshift.acl import table
from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import FUNCTIONS, ArgumentsError

SECONDS: Final = 50
ROUNDS: Final = 25
HANDLES_FROM: Final = 0x00A5 << 48
# What would wait as long as it was told to: a stream for a thread that never takes its report, and
# the call that takes one.
LIMITED: Final[dict[str, tuple[Any, ...]]] = {
    "acl.rt.subscribe_report": (1, 7, -1, None, "x"),
    "acl.rt.process_report": (-2, 0, 1, None, "x"),
}
_GUARDED: Final = 1 << 22

NOWHERE: Final = (0, 1, 8, 4096, -1, 1 << 47, 1 << 63, (1 << 64) - 4096, 1 << 70)
NUMBERS: Final = (0, 1, -1, -2, 16, 64, 127, 128, 255, 256, 640, 4096, 4097, 1 << 20)
HUGE: Final = (
    *(1 << bits for bits in (31, 32, 40, 63, 64, 127, 200)),
    *(-(1 << bits) for bits in (31, 63, 200)),
    *((1 << bits) - 1 for bits in (31, 32, 64)),
)
TEXTS: Final = (
    *("", "x", "y", "ascend_mbatch_shape_data", "nowhere.om", "{", "Add", "Cast"),
    *("a\0b", "\u4e2d\u6587", "x" * 200, "x" * 5000, "\ud800"),
)
OTHERS: Final[tuple[Any, ...]] = (
    *(None, 1.5, float("nan"), b"bytes", object(), True, (2, 3), np.int64(3), 1j),
    np.arange(12, dtype=np.float32),
)


def guarded() -> int:
    """Address of memory that is not of the package, behind which nothing can be written."""
    page = mmap.PAGESIZE
    held = mmap.mmap(-1, _GUARDED + 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(held))
    library = ctypes.CDLL(None)
    for end in (address, address + page + _GUARDED):
        assert library.mprotect(ctypes.c_void_p(end), page, 0) == 0
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
    return address + page


class Fuzz:
    """What arguments are made of, and what was found."""

    def __init__(self, seed: int, model: str) -> None:
        self.random = random.Random(seed)
        self.model = model
        self.handles: list[int] = []
        self.addresses: list[int] = []
        self.foreign = guarded()
        self.wrong: list[str] = []
        self.good = 0

    def address(self) -> int:
        base = self.random.choice((*NOWHERE, self.foreign, self.foreign + 1, *self.addresses[-20:]))
        return base + self.random.choice([0, 0, 0, 0, 1, 4, 4095])

    def number(self) -> int:
        small = self.random.randint(0, 5)
        return self.random.choice((small, small, small, *NUMBERS, *HUGE))

    def integer(self) -> int:
        """A handle, an address or a number: they are all ints."""
        roll = self.random.random()
        if roll < 0.45 and self.handles:
            return self.random.choice(self.handles[-60:])
        return self.address() if roll < 0.65 else self.number()

    def text(self) -> str:
        return self.random.choice((self.model, self.model, *TEXTS))

    def items(self) -> list[Any]:
        return [
            self.random.choice([self.integer(), self.integer(), self.number(), None, 1.5, [1, 2]])
            for _ in range(self.random.choice([0, 1, 2, 2, 3, 4, 200]))
        ]

    def dims(self) -> list[int]:
        count = self.random.choice([0, 1, 2, 3, 4, 4, 129])
        return [self.random.choice([0, 1, 2, 3, 4, -1, -2, 1 << 62]) for _ in range(count)]

    def mapping(self) -> dict[str, Any]:
        dims = self.dims()
        count = self.random.choice([len(dims), len(dims), self.number(), None])
        return self.random.choice(
            [{"dimCount": count, "name": "", "dims": dims}, {}, {"dims": self.items()}]
        )

    def anything(self) -> Any:
        return self.random.choice(
            (self.integer(), self.text(), self.items(), self.dims(), self.mapping(), *OTHERS)
        )

    def argument(self, annotation: str) -> Any:
        if self.random.random() < 0.06:
            return self.anything()
        makers: dict[str, Callable[[], Any]] = {
            "int": self.integer,
            "float": lambda: self.random.choice([0.0, 0.5, 1, -3.0, 1e300, float("nan")]),
            "str": self.text,
            "bytes": lambda: self.random.choice([b"", b"x", b"12345678" * 8]),
            "list[int]": lambda: self.random.choice([self.dims(), self.items()]),
            "list[list[int]]": lambda: [[1, 2], [3, -1]],
            "dict[str, Any]": self.mapping,
            "tuple[int, ...]": lambda: self.random.choice([(), (2, 3), (0,), (1 << 40, 1 << 40)]),
        }
        if annotation.startswith("Callable"):
            return lambda *_: None
        if annotation.startswith("list") and annotation not in makers:
            return self.items()
        if "NDArray" in annotation:
            return OTHERS[-1]
        return makers.get(annotation, self.anything)()

    def arguments(self, call: Callable[..., Any]) -> list[Any]:
        made = []
        for parameter in inspect.signature(call).parameters.values():
            if parameter.default is not inspect.Parameter.empty and self.random.random() < 0.3:
                break
            kind = str(parameter.annotation)
            count = (
                15 if call.__name__ == "set_aipp_csc_params" and parameter.name == "numbers" else 1
            )
            made += [self.argument(kind) for _ in range(count)]
        if self.random.random() < 0.03:
            made = made[:-1] if self.random.random() < 0.5 else [*made, 0]
        return made

    def once(self, name: str) -> None:
        """One call of one function."""
        call = FUNCTIONS[name].call
        given = self.arguments(call)
        if name in LIMITED:
            given = [self.random.choice(LIMITED[name]) for _ in given]
        try:
            answer = call(*given)
        except ArgumentsError:
            return
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            self.tell(name, given, f"raised {error!r}")
            return
        problem = misshapen(str(inspect.signature(call).return_annotation), answer)
        if problem:
            self.tell(name, given, f"answered {answer!r:.200}: {problem}")
        self.keep(name, answer)

    def keep(self, name: str, answer: Any) -> None:
        """Handles and addresses come in again; the models among them are small numbers."""
        parts = answer if isinstance(answer, tuple) else (answer,)
        self.good += type(parts[-1]) is int and parts[-1] in (0, *self.handles[-1:])
        for part in parts:
            if not isinstance(part, int) or isinstance(part, bool):
                continue
            if part >= HANDLES_FROM or (".load_" in name and part and parts[-1] == 0):
                self.handles.append(part)
            elif part > 1 << 32 and "alloc" in name:
                self.addresses.append(part)

    def tell(self, name: str, given: list[Any], problem: str) -> None:
        self.wrong.append(f"{name}({', '.join(f'{each!r:.60}' for each in given)}) {problem}")


def parts_of(annotation: str) -> list[str]:
    """The parts of ``tuple[...]``, or the one thing that it is."""
    if not annotation.startswith("tuple["):
        return [annotation]
    parts, depth = [""], 0
    for letter in annotation.removeprefix("tuple[")[:-1]:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def misshapen(annotation: str, answer: Any) -> str:
    """What is wrong with the shape of an answer, if anything."""
    parts = parts_of(annotation)
    if annotation.startswith("tuple["):
        if not isinstance(answer, tuple) or len(answer) != len(parts):
            return f"{len(parts)} values are documented"
        code = answer[-1]
    elif annotation == "int":
        code = answer
    elif annotation == "None":
        return "" if answer is None else "nothing is documented"
    else:
        return ""  # a value, or its like for a failure
    return "" if type(code) is int or "int" not in parts[-1] else "a number is documented"


def work(fuzz: Fuzz, rounds: int) -> None:
    """Every function many times, in an order of its own."""
    names = [f"{module}.{name}" for module in table.MODULES for name in table.functions(module)]
    for turn in range(rounds):
        fuzz.random.shuffle(names)
        FUNCTIONS["acl.init"].call()
        FUNCTIONS["acl.rt.set_device"].call(0)
        if turn % 3 == 0:
            fuzz.handles.append(FUNCTIONS["acl.mdl.load_from_file"].call(fuzz.model)[0])
        for name in names:
            for _ in range(4 if ".mdl." in name else 2):
                fuzz.once(name)


def main(seed: int, model: str, threads: int) -> int:
    """All of it, in several threads that share what there is; 0 if nothing is wrong."""
    faulthandler.enable()
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    logging.disable()
    warnings.simplefilter("ignore")
    sys.setswitchinterval(1e-4)
    BLOCKS.limit = 1 << 26  # so that nothing is large that is filled
    everyone = [Fuzz(seed + 1000 * number, model) for number in range(threads)]
    for fuzz in everyone:
        fuzz.handles, fuzz.addresses = everyone[0].handles, everyone[0].addresses
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda fuzz: work(fuzz, ROUNDS // threads), everyone))
    wrong = [line for fuzz in everyone for line in fuzz.wrong]
    print(*wrong[:20], sep="\n")
    good = sum(fuzz.good for fuzz in everyone)
    print(f"{good} calls did what they were asked for; {len(wrong)} are wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
