"""Pages to read: what is written on them, and how they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

PAGE_HEIGHT, PAGE_WIDTH = 832, 640  # multiples of 32, which the detector asks for
_LEFT, _MARGIN = 140, 48

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        title: what kind of paper it is.
        lines: the text, top to bottom.
        size: height of the letters in pixels.
        tilt: degrees that it lies askew on the scanner.
        upside_down: it was fed the wrong way round.
    """

    title: str
    lines: tuple[str, ...]
    size: int = 30
    tilt: float = 0.0
    upside_down: bool = False


def _page(title: str, text: str, size: int = 30, tilt: float = 0.0, turned: bool = False) -> Page:
    return Page(title, tuple(text.split("|")) if text else (), size, tilt, turned)


def story() -> tuple[Page, ...]:
    """The pages of the demo, in the order they are scanned: 66 lines, no two pages alike."""
    return (
        _page("badge", "Hello|Ada Lovelace|Visitor 1843", 52),
        _page(
            "receipt",
            "Corner Bakery|12 March 2025|Rye bread 4.20|Croissant 1.90|Espresso 2.50|Oat milk 0.60"
            "|Apple tart 3.75|Subtotal 12.95|Tax 0.91|Total 13.86|Thank you",
            32,
            tilt=1.5,
        ),
        _page("blank sheet", ""),
        _page(
            "letter",
            "Dear reader|the quick brown|fox jumps over|the lazy dog|and then it rests|Kind regards"
            "|Pangram Ltd",
            38,
        ),
        _page(
            "packing list",
            "Order 20417|Hex bolt M8|Qty 250|Washer M8|Qty 500|Spring pin|Qty 75|Seal 42 mm|Qty 12"
            "|Bearing 6204|Qty 8|Grease tube|Qty 3|Weight 18.4 kg|Boxes 2|Checked by JL",
            26,
            turned=True,
        ),
        _page("parcel label", "PX 7301 9954", 56, tilt=-2.0),
        _page("mixed script", _mixed_script(), 40),
        _page(
            "departures",
            "08:05 Vienna|08:10 Lisbon|08:25 Oslo|08:40 Athens|08:55 Dublin|09:00 Prague"
            "|09:15 Zurich|09:20 Helsinki|09:35 Warsaw|09:50 Madrid|10:05 Rome|10:10 Paris"
            "|10:30 London|10:45 Berlin|11:00 Brussels|11:20 Tallinn|11:35 Riga|11:40 Vilnius"
            "|12:05 Sofia|12:15 Zagreb|12:30 Porto|12:45 Geneva|13:00 Munich",
            22,
        ),
    )


def _mixed_script() -> str:
    if has_chinese_font():
        return "发票 INVOICE|苹果6.50元|绿茶12.00元|总计18.50元|谢谢惠顾"
    return "Invoice 0042|Apples 6.50|Green tea 12.00|Total 18.50|Come again"


def has_chinese_font() -> bool:
    """OpenCV carries a font with Chinese from version 5 on; Pillow's own is Latin only."""
    return hasattr(cv2, "FontFace")


def draw(page: Page) -> Pixels:
    """The page as a scanner gives it: BGR, off-white, grainy, perhaps askew or upside down."""
    sheet = np.full((PAGE_HEIGHT, PAGE_WIDTH, 3), 250, np.uint8)
    for text, left, top in _places(page):
        sheet = _write(sheet, text, left, top, page.size)
    sheet = _scan(sheet, page.tilt)
    return half_turn(sheet) if page.upside_down else sheet


def half_turn(image: Pixels) -> Pixels:
    """The image turned by half a circle."""
    return np.ascontiguousarray(image[::-1, ::-1])


def _places(page: Page) -> Iterator[tuple[str, int, int]]:
    room = PAGE_HEIGHT - 2 * _MARGIN
    pitch = min(2 * page.size, room // max(1, len(page.lines)))
    top = (PAGE_HEIGHT - pitch * len(page.lines)) // 2
    for index, text in enumerate(page.lines):
        yield text, _LEFT, top + index * pitch


def _write(sheet: Pixels, text: str, left: int, top: int, size: int) -> Pixels:
    if not text.isascii():
        origin, ink = (left, top + size), (30, 30, 30)
        cv2.putText(sheet, text, origin, ink, cv2.FontFace("uni"), size)
        return sheet
    image = Image.fromarray(sheet)
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(image).text((left, top), text, fill=(30, 30, 30), font=font)
    return np.array(image, np.uint8)


def _scan(sheet: Pixels, tilt: float) -> Pixels:
    centre = (PAGE_WIDTH / 2, PAGE_HEIGHT / 2)
    turn = cv2.getRotationMatrix2D(centre, tilt, 1.0)
    turned = cv2.warpAffine(sheet, turn, (PAGE_WIDTH, PAGE_HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    grain = np.random.default_rng(7).normal(0.0, 4.0, turned.shape)
    scanned: Pixels = np.clip(turned + grain, 0, 255).astype(np.uint8)
    return scanned
