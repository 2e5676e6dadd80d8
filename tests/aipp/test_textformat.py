"""The text format: what is accepted and what it says, against protobuf's own reader."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from aipp_protos import message_class
from gearshift.aipp import scalars, textformat
from gearshift.aipp.textformat import Message, Scalar, parse
from gearshift.errors import OptionError

COLOURS = {"NONE": 0, "red": 1, "Green_2": 7}
KINDS = ["int32", "uint32", "double", "bool", "string", "Colour", "Any"]
# Every field repeated: whether a field may come twice is a matter of the schema, not the grammar.
FIELDS = [(f"f_{kind}", kind, True) for kind in KINDS]
Oracle = message_class("Any", FIELDS, enums={"Colour": COLOURS})

READERS = {
    "f_int32": lambda scalar: scalars.whole("f", scalar),
    "f_uint32": lambda scalar: scalars.whole("f", scalar, signed=False),
    "f_double": lambda scalar: scalars.real("f", scalar),
    "f_bool": lambda scalar: scalars.switch("f", scalar),
    "f_string": lambda scalar: scalars.text("f", scalar),
    "f_Colour": lambda scalar: scalars.choice("f", scalar, COLOURS, COLOURS),
}
Tree = list[tuple[str, Any]]


def ours(text: str) -> Tree | None:
    """The values read, field by field; None if the text is refused."""
    error = None
    try:
        return _values(parse(text))
    except OptionError as caught:
        error = caught
    assert error.code == "E19018"
    assert re.match(r"insert_op_conf: line \d+, column \d+: .*\.", error.message, re.DOTALL)
    return None


def _values(message: Message) -> Tree:
    found: dict[str, list[Any]] = {}
    for field in message.fields:
        if field.name not in {*READERS, "f_Any"}:
            raise OptionError("insert_op_conf: line 0, column 0: unknown.", code="E19018")
        for value in field.values:
            found.setdefault(field.name, []).append(_value(field.name, value))
    return sorted(found.items())


def _value(name: str, value: Scalar | Message) -> Any:
    if isinstance(value, Message) != (name == "f_Any"):
        raise OptionError("insert_op_conf: line 0, column 0: of another kind.", code="E19018")
    return _values(value) if isinstance(value, Message) else _plain(READERS[name](value))


def theirs(text: str) -> Tree | None:
    """The same by protobuf."""
    try:
        message = text_format.Parse(text, Oracle())
    except (text_format.ParseError, ValueError, DeprecationWarning):
        return None  # ValueError: an enum's number beyond 32 bits
    return _dump(message)


def _dump(message: Any) -> Tree:
    return sorted(
        (name, [_dump(item) if name == "f_Any" else _plain(item) for item in values])
        for name, _, _ in FIELDS
        if (values := list(getattr(message, name)))
    )


def _plain(value: Any) -> Any:
    return "nan" if isinstance(value, float) and math.isnan(value) else value


# --- documents that are right, in every style ------------------------------------------------

blanks = st.sampled_from([" ", "  ", "\t", "\n", "\r\n", " # note: {x} \"'\n", "#\n", " \n\t "])
maybe = st.one_of(st.just(""), blanks)
escapes = st.sampled_from(
    ["\\n", "\\t", "\\\\", "\\'", '\\"', "\\a", "\\b", "\\f", "\\r", "\\v", "\\x41", "\\x7",
     "\\101", "\\7", "\\033", "\\u00e9", "\\U0001F600", "\\303\\251", "{", "#", ":", "é", "图"]
)  # fmt: skip
plain_text = st.text(
    st.characters(codec="utf-8", exclude_characters="\\\"'\n", exclude_categories=["Cs"]),
    max_size=6,
)


@st.composite
def strings(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.lists(st.one_of(escapes, plain_text), max_size=4), min_size=1))
    quotes = [draw(st.sampled_from("'\"")) for _ in pieces]
    return draw(maybe).join(
        quote + "".join(piece) + quote for quote, piece in zip(quotes, pieces, strict=True)
    )


def based(number: int) -> st.SearchStrategy[str]:
    sign, magnitude = ("-", -number) if number < 0 else ("", number)
    octal = f"{sign}0{magnitude:o}" if magnitude else f"{sign}0"
    return st.sampled_from([str(number), f"{sign}0x{magnitude:x}", f"{sign}0X{magnitude:X}", octal])


int32s = st.integers(-(2**31) - 2, 2**31 + 1).flatmap(based)
uint32s = st.integers(-1, 2**32 + 1).flatmap(based)
doubles = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(
        ["inf", "-inf", "Infinity", "-INF", "nan", "NaN", "1.", ".5", "-.5", "1.5f", "2F", "0f",
         "1e5", "1E-5f", "1.e+2", "0.0", "0", "-0", "1e999"]
    ),
)  # fmt: skip
VALUES = {
    "f_int32": int32s,
    "f_uint32": uint32s,
    "f_double": doubles,
    "f_bool": st.sampled_from(["true", "false", "True", "False", "t", "f", "1", "0"]),
    "f_string": strings(),
    "f_Colour": st.one_of(
        st.sampled_from([*COLOURS]), st.integers(-(2**31) - 2, 2**31 + 1).map(str)
    ),
}


@st.composite
def fields(draw: st.DrawFn, depth: int = 2) -> str:
    name = draw(st.sampled_from([*VALUES, *(["f_Any"] if depth else [])]))
    if name == "f_Any":
        value, colon = messages(depth - 1), draw(st.sampled_from(["", ":"]))
    else:
        value, colon = VALUES[name], ":"
    if draw(st.booleans()):
        items = draw(st.lists(value, max_size=3))
        gap = draw(maybe)
        written = f"[{gap}{(draw(maybe) + ',' + gap).join(items)}{gap}]"
        colon = ":"  # 'name []' without it: test_an_empty_list_needs_no_colon
    else:
        written = draw(value)
    end = draw(st.sampled_from([",", ";", " ", "\n", " ; ", " # end\n", "\r\n"]))
    return f"{name}{draw(maybe)}{colon}{draw(maybe)}{written}{end}"


@st.composite
def messages(draw: st.DrawFn, depth: int = 1) -> str:
    opening, closing = draw(st.sampled_from(["{}", "<>"]))
    inside = "".join(draw(st.lists(fields(depth), max_size=3)))
    return f"{opening}{draw(maybe)}{inside}{closing}"


documents = st.tuples(maybe, st.lists(fields(), max_size=5)).map(
    lambda parts: parts[0] + "".join(parts[1])
)


@settings(max_examples=400, deadline=None)
@given(documents)
def test_what_protobuf_reads_is_read_alike(text: str) -> None:
    assert ours(text) == theirs(text)


# --- documents that may be wrong --------------------------------------------------------------

words = st.sampled_from(
    [*VALUES, "f_Any", "f_Any", ":", ":", "{", "}", "<", ">", "[", "]", ",", ";", "1", "-5", "0x1F",
     "017", "08", "0.5", "1e", "true", "red", "Green_2", "'a'", '"b"', "'", "inf", "-nan", "-red",
     "-", "$", "/", "(", "9999999999", "f_int32: 1", "f_Any {", "f_string: 'x'"]
)  # fmt: skip
soups = st.lists(st.tuples(words, st.sampled_from([" ", "\n", "#x\n"])), max_size=12).map(
    lambda pairs: "".join(word + blank for word, blank in pairs)
)

# Where protobuf's Python reader and its C++ reader, which `atc` uses, part; we go with C++.
DIFFERENCES = {
    "a sign that stands apart, which only C++ takes": r"-(?:\s|#.*\n)+[0-9.a-zA-Z]",
    "a plus sign": r"\+",
    "digits with _ between": r"[0-9a-fA-F]_",
    "binary and Python octal": r"\b0[bBoO]",
    "a bool in hexadecimal or octal, or of several digits": r"f_bool\W+(?:0[xX])?0*[01]\b",
    "inf and nan with an f": r"(?i)\b(?:infinity|inf|nan)f\b",
    "an enum's number in octal": r"f_Colour(?:[^_]|\n)*?-?0[0-7]",
    "several f": r"(?i)[0-9.]f{2,}",
    "an empty list without a colon": r"[a-zA-Z0-9_](?:\s|#.*\n)*\[(?:\s|#.*\n)*\]",
    "blanks and digits of other scripts": r"[^\x00-\x7f]|[\x1c-\x1f]",
    "an escape with digits beyond a byte, or unknown": r"\\",
}


def explained(text: str) -> bool:
    return any(re.search(pattern, text) for pattern in DIFFERENCES.values())


@settings(max_examples=600, deadline=None)
@given(soups)
def test_wrong_documents_are_refused_as_protobuf_does(text: str) -> None:
    assert ours(text) == theirs(text) or explained(text)


@settings(max_examples=300, deadline=None)
@given(documents, st.integers(0, 200), st.sampled_from(["", *"{}<>[]:,;-.0x'\"#\n e1fa"]))
def test_a_slip_in_a_right_document(text: str, at: int, put: str) -> None:
    slip = text[:at] + put + text[at + 1 :]
    assert ours(slip) == theirs(slip) or explained(slip)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_garbage_gives_an_option_error_and_nothing_else(text: str) -> None:
    ours(text)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        with pytest.raises(OptionError, match="UTF-16"):
            textformat.decode(data)
    else:
        ours(textformat.decode(data))


@pytest.mark.parametrize(
    "text",
    ["f_int32: 1 // note", "f_int32: 1 /* note */", "f_int32: [1; 2]", "f_int32: [1, 2,]",
     "f_int32: [1 2]", "f_int32: [, 1]", "f_int32: 1 ,; f_int32: 2", "; f_int32: 1",
     "f_bool: TRUE", "f_bool: yes", "f_bool: -0", "f_bool: 2", "f_bool: 1.0", "f_bool: 'true'",
     "f_Colour: RED", "f_Colour: 'red'", "f_Colour: 1.0", "f_string: red", "f_string: 5",
     "f_int32: 1.0", "f_int32: 1e3", "f_int32: 1f", "f_int32: --5", "f_int32: 0x", "f_int32: 0xg",
     "f_uint32: -1", "f_double: 0x10", "f_double: 010", "f_double: 1e", "f_double: 1.2.3",
     "f_double: 1.5d", "f_double: e5", "f_double: infinit", "f_Any { f_int32: 1 >", "f_Any: 1",
     "f_Any { f_int32: 1", "}", "f_int32 1", "f_int32", "f_int32:", "1: 1", "[f_int32]: 1",
     "f_int32 { }", "f_string: 'a\" 'b\"", "f_string: 'a", "f_Int32: 1"],
)  # fmt: skip
def test_refused_by_protobuf_and_by_us(text: str) -> None:
    assert theirs(text) is None
    assert ours(text) is None


# --- where the C++ reader differs from the Python one, by hand ---------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("f_int32: - 5", [("f_int32", [-5])]),
        ("f_int32: -# why not\n 5", [("f_int32", [-5])]),
        ("f_Colour: 07", [("f_Colour", [7])]),
        ("f_bool: 0x1", [("f_bool", [True])]),
        ("f_bool: 01", [("f_bool", [True])]),
        ("f_bool: 00", [("f_bool", [False])]),
    ],
)
def test_taken_though_the_python_reader_refuses(text: str, values: Tree) -> None:
    assert theirs(text) is None
    assert ours(text) == values


@pytest.mark.parametrize(
    "text",
    ["f_int32: +5", "f_int32: 1_000", "f_int32: 0b101", "f_int32: 0o17", "f_double: 1ff",
     "f_double: inff", "f_double: 1_0.5", "f_int32:\u00a05", "f_int32: \u0665", "f_bool: +1"],
)  # fmt: skip
def test_refused_though_the_python_reader_takes_it(text: str) -> None:
    assert theirs(text) is not None or text == "f_bool: +1"
    assert ours(text) is None


def test_an_empty_list_needs_no_colon() -> None:
    assert theirs("f_Any []") == ours("f_Any []") == []
    assert theirs("f_int32 []") is None  # without a schema nobody can tell the two apart
    assert ours("f_int32 []") == []


@pytest.mark.parametrize("text", [r"f_string: '\777'", r"f_string: '\q'", r"f_string: '\xg'"])
def test_escapes_that_are_none(text: str) -> None:
    assert ours(text) is None


# --- messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {\n  b : 1\n", "line 3, column 1: the text ends where a field name or '}' is "
         "expected."),
        ("a { b 1 }", "line 1, column 7: '1' stands where ':' after b is expected."),
        ("a { b: 1 >", "line 1, column 10: '>' stands where a field name or '}' is expected."),
        ("a: [1 2]", "line 1, column 7: '2' stands where ',' or ']' is expected."),
        ("a [1]", "line 1, column 4: '1' stands where '{' (a list of plain values needs ':' before "
         "it) is expected."),
        ("a: }", "line 1, column 4: '}' stands where a value is expected."),
        ("a: -x", "line 1, column 5: 'x' stands where a number after '-' is expected."),
        ("a: 1,, b: 2", "line 1, column 6: ',' stands where a field name or the end of the text "
         "is expected."),
        ("1: 2", "line 1, column 1: '1' stands where a field name or the end of the text is "
         "expected."),
        ("a: 08", "line 1, column 4: '08' stands where a value is expected. A leading 0 means "
         "octal. Numbers look like 10, -5, 0.5, 1e-3, 0x1F or 017 (octal)."),
        ("a: 12px", "line 1, column 4: '12px' stands where a value is expected. Numbers look like "
         "10, -5, 0.5, 1e-3, 0x1F or 017 (octal)."),
        ("a: +1", "line 1, column 4: '+' stands where a value is expected. Positive numbers have "
         "no sign here."),
        ("a: 'b\nc'", 'line 1, column 4: "\'b" stands where a value is expected. A string ends on '
         "the line on which it starts, with the quote it starts with."),
        ("a: “b”", "line 1, column 4: '“' stands where a value is expected. '“' is a quote of "
         "running text: type '\"'."),
        ("x {\r\n\tcrop ： false\r\n}", "line 2, column 7: '：' stands where ':' after crop is "
         "expected. '：' is a full-width character: type ':'."),
        ("a:\u30001", "line 1, column 3: '\\u3000' stands where a value is expected. '\\u3000' is "
         "a full-width character: type ' '."),
        ("a: 1 \ufffd", "line 1, column 6: '\ufffd' stands where a field name or the end of the "
         "text is expected. Bytes that are not UTF-8 may stand in comments only: save the file as "
         "UTF-8."),
        (r"a: 'b\q'", r"line 1, column 6: \q is no character that a string can hold. A backslash "
         r"itself is written \\."),
        (r"a: '\xff'", "line 1, column 4: the bytes of this string are not UTF-8."),
    ],
)  # fmt: skip
def test_messages_say_where_what_and_what_instead(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(text)
    assert caught.value.message == f"insert_op_conf: {message}"
    assert caught.value.code == "E19018"


def test_places_count_characters_from_one() -> None:
    message = parse("# 注释\r\n\ta: 1\n  b { c: -2 }")
    first, second = message.fields
    assert (first.place.line, first.place.column) == (2, 2)
    (inner,) = second.values
    assert isinstance(inner, Message)
    assert (inner.place.line, inner.place.column) == (3, 5)
    assert str(inner.fields[0].values[0].place) == "line 3, column 10"


def test_a_byte_order_mark_is_skipped_and_comments_may_be_of_any_encoding() -> None:
    data = b"\xef\xbb\xbfa: 1 # " + "宽度".encode("gbk") + b"\r\nb: 2"
    assert [field.name for field in parse(textformat.decode(data)).fields] == ["a", "b"]
    with pytest.raises(OptionError, match="UTF-16"):
        textformat.decode("a: 1".encode("utf-16"))


def test_depth_has_a_limit() -> None:
    assert ours("f_Any {" * 100 + "}" * 100) is not None
    with pytest.raises(OptionError, match="more than 100 deep"):
        parse("f_Any {" * 5000)


def test_numbers_of_any_length_are_read_or_refused_quickly() -> None:
    assert ours("f_int32: " + "9" * 100_000) is None
    assert ours("f_int32: 0x" + "f" * 100_000) is None
    assert ours("f_double: 1" + "0" * 5000) == [("f_double", [math.inf])]
