"""What a text says besides what it copies: the phrases of each language, what attributes are called, and what is
forbidden."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.copy.slots import Slot
from streams.copy.tokens import folded


def _table(*lines: str) -> dict[str, str]:
    pairs = (pair.split("=") for line in lines for pair in line.split(","))
    return {one.strip(): other.strip() for one, other in pairs}


def _list(*lines: str) -> tuple[str, ...]:
    return tuple(word.strip() for line in lines for word in line.split(","))


#: What an attribute is called in Chinese; one that is not here keeps its name.
CHINESE_NAMES = _table(
    "brand=品牌, category=类别, name=名称, model=型号, colour=颜色, color=颜色, product colour=颜色",
    "cable colour=线缆颜色, size=尺寸, weight=重量, width=宽度, height=高度, depth=深度, length=长度",
    "cable length=线缆长度, material=材质, type=类型, product type=产品类型, capacity=容量",
    "country of origin=原产地, compatibility=兼容性, brand compatibility=兼容品牌, quantity per pack=每包数量",
    "package weight=包装重量, package width=包装宽度, package height=包装高度, package depth=包装深度",
    "printing colours=打印颜色, print technology=打印技术, display diagonal=屏幕对角线",
    "display resolution=屏幕分辨率, internal memory=内存, processor family=处理器系列",
    "processor frequency=处理器频率, processor model=处理器型号, processor cores=处理器核心数, power=功率",
    "voltage=电压, frequency=频率, certification=认证, connector 1=接口一, connector 2=接口二",
    "connector gender=接口类型, operating temperature=工作温度, storage temperature=存储温度, dimensions=尺寸",
    "flavour=口味, ingredients=配料, shelf life=保质期, gender=性别, style=款式, season=季节",
    "package type=包装类型, form factor=外形, touchscreen=触摸屏, bluetooth=蓝牙, warranty=保修",
)
#: Colours and materials: an attribute that a writer likes to add. Each with what the other language calls it.
KNOWN_VALUES = _table(
    "black=黑色, white=白色, red=红色, blue=蓝色, green=绿色, yellow=黄色, grey=灰色, gray=灰色, silver=银色",
    "gold=金色, brown=棕色, pink=粉色, purple=紫色, beige=米色, orange=橙色, leather=皮革, cotton=棉, wool=羊毛",
    "silk=丝绸, linen=亚麻, polyester=涤纶, nylon=尼龙, wooden=木制, wood=木, steel=钢, aluminium=铝",
    "aluminum=铝, plastic=塑料, glass=玻璃, ceramic=陶瓷, titanium=钛, waterproof=防水, wireless=无线",
    "organic=有机, vegan=素食, rechargeable=可充电, handmade=手工",
)


@dataclass(frozen=True, slots=True)
class Language:
    """The phrases of one language. ``names``: what attributes are called in it."""

    tag: str
    """BCP 47."""
    details: str
    offer: str
    """Before what an offer text says."""
    item: str
    """Between a name and its value."""
    next: str
    """Between two of them."""
    stop: str
    yes: str
    no: str
    names: dict[str, str] = field(compare=False)
    forbidden: tuple[str, ...]
    """Words that no text may say, also where an attribute does: praise that nobody can prove, which advertising law
    forbids in many countries."""

    def label(self, slot: Slot) -> str:
        """What the attribute of a slot is called."""
        known = self.names.get(folded(slot.name))
        return known if known is not None else slot.name[:1].upper() + slot.name[1:]

    def value(self, slot: Slot) -> str:
        """What is said of it."""
        return {"yes": self.yes, "no": self.no}.get(slot.kind, slot.value)

    @property
    def phrases(self) -> tuple[str, ...]:
        """All that a template says by itself."""
        return (self.details, self.offer, self.item, self.next, self.stop, self.yes, self.no)


ENGLISH = Language(
    tag="en",
    details="Details: ",
    offer="For you: ",
    item=": ",
    next="; ",
    stop=".",
    yes="yes",
    no="no",
    names={},
    forbidden=_list(
        "best, cheapest, lowest price, guaranteed, guarantee, risk-free, miracle, number one, no. 1, #1, world's first",
        "unbeatable, perfect, 100% safe, for free, free of charge",
    ),
)
CHINESE = Language(
    tag="zh-Hans",
    details="详情：",
    offer="为您推荐：",
    item="：",
    next="；",
    stop="。",
    yes="是",
    no="否",
    names=CHINESE_NAMES,
    forbidden=_list(
        "最好, 最佳, 最低价, 最高级, 最便宜, 第一品牌, 国家级, 世界级, 顶级, 极品, 唯一, 绝对, 永久, 万能, 百分之百",
        "全网最, 史无前例, 免费, 包治",
    ),
)
LANGUAGES = (ENGLISH, CHINESE)
