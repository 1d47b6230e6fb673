"""Draws attributes as shops send them, good and bad."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import strategies as st

from streams.copy.slots import Slot, slots

NAMES = ("colour", "weight", "material", "name", "display (inch)", "bluetooth", "接口", "保质期", "connector 2", "Size")
VALUES = (
    "black", "黑色", "250 g", "4", "GB", "4 -", "1,440 x 900", "no", "true", "DDR2-SDRAM", "17\"", "3.50", "Dell Inc.",
    "best", "number", "one", "500米", "two", "$", "5", "½",
    "棉 80%", "<b>x</b>", "802.11b/g", "第一", "品牌", "ı", "ǅ", "İ",
)  # fmt: skip
names = st.sampled_from(NAMES) | st.text(min_size=1, max_size=20)
values = st.sampled_from(VALUES) | st.text(min_size=1, max_size=40)
records = st.builds(
    lambda brand, category, said: SimpleNamespace(brand=brand, category_path=category, attributes=said),
    st.none() | values,
    st.none() | st.lists(values, min_size=1, max_size=2),
    st.dictionaries(names, values, max_size=12),
)
known: st.SearchStrategy[list[Slot]] = records.map(slots)
