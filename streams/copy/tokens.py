"""Texts in tokens that can be compared: numbers by value, words whatever their case and width."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

#: Scripts that are written without spaces: each character is a token.
UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    rf"(?P<number>\d+(?:[.,]\d+)*)|(?P<unspaced>[{UNSPACED}])|(?P<word>[^\W\d_{UNSPACED}]+)|(?P<sign>[%°\"″′$€£¥#])"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


#: A number written in words, as its digits ("one" is most often no number); of Chinese only where a unit follows.
NUMBER_WORDS = dict(
    zip(
        _words(
            "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
            "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety dozen hundred thousand million",
            "double triple",
        ),
        map(str, (*range(2, 21), *range(30, 100, 10), 12, 100, 1000, 1_000_000, 2, 3)),
        strict=True,
    )
)
CHINESE_DIGITS = dict(zip("二两三四五六七八九十", map(str, (2, *range(2, 11))), strict=True))
#: What stands after a number and says of what.
UNITS = frozenset(
    _words(
        "mm cm dm m km mm2 cm2 m2 m3 in inch inches ft foot feet yd yard yards mi mile miles ml cl dl l litre litres",
        "liter liters gal gallon gallons oz ounce ounces lb lbs pound pounds mg g gr gram grams kg kilogram kilograms",
        "t ton tons tonne tonnes w kw mw watt watts wh kwh v kv volt volts va kva a ma mah ah amp amps hz khz mhz ghz",
        "b kb mb gb tb pb kib mib gib tib bit bits kbit mbit gbit byte bytes kbps mbps gbps rpm dpi ppi ppm px pixel",
        "pixels mp megapixel megapixels db dba lm lumen lumens lx cd nit nits k c f bar psi pa kpa n nm j kj kcal cal",
        "s sec second seconds ms min minute minutes h hr hour hours day days week weeks month months year years pc pcs",
        "piece pieces pack packs sheet sheets page pages core cores thread threads port ports usd eur gbp cny rmb",
        'dollar dollars euro euros % ° $ € £ ¥ # " ″ ′',
    )
)
#: The same in Chinese, and measure words; those of more characters first.
CHINESE_UNITS = _words(
    "平方米 摄氏度 毫米 厘米 分米 千米 公里 英寸 英尺 毫升 公升 千克 公斤 毫克 千瓦 毫安 小时 分钟 像素 个月 赫兹",
    "米 升 克 斤 吨 瓦 伏 安 秒 天 周 年 月 元 块 个 件 只 支 张 页 片 包 盒 瓶 袋 套 双 条 台 核 寸 倍 折 级",
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, a character of a script without spaces, or a sign that says a unit."""

    text: str
    """As it is compared."""
    kind: str
    """number, word, unspaced or sign."""
    start: int
    end: int


def folded(text: str) -> str:
    """A text in one case and width, its digits those of ASCII.

    >>> folded("４ GB ＤＤＲ")
    '4 gb ddr'
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def number(text: str) -> str:
    """A number's digits as they are compared, whatever the commas between thousands and the zeros at either end.

    >>> number("1,440.50"), number("007"), number("3,5")
    ('1440.5', '7', '3,5')
    """
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    whole, dot, rest = text.partition(".")
    if dot and rest.isdecimal() and whole.isdecimal():
        rest = rest.rstrip("0")
        return (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")
    return (text.lstrip("0") or "0") if text.isdecimal() else text


def tokens(text: str) -> list[Token]:
    """The tokens of a folded text, in order.

    >>> [token.text for token in tokens(folded("Tea 茶, 2x250.0 g"))]
    ['tea', '茶', '2', 'x', '250', 'g']
    """
    found = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        said = number(match.group()) if kind == "number" else match.group()
        found.append(Token(said, kind, match.start(), match.end()))
    return found


@lru_cache(maxsize=8192)
def said(text: str) -> str:
    """A text's words and numbers between spaces, so that one text contains another where its tokens do.

    >>> said("2 GB") in said("with 2GB of it"), said("2 GB") in said("with 12GB")
    (True, False)
    """
    return f" {' '.join(token.text for token in tokens(folded(text)))} "
