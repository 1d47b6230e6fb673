"""Words of titles, descriptions and queries: what an item is found by."""

from __future__ import annotations

from streams.features.payload.words import words

#: So many characters of a query are read; shoppers type 20, and a query costs time by its words.
MOST_CHARACTERS, MOST_WORDS = 256, 16


def stem(word: str) -> str:
    """An English word without its plural; anything else as it is. ``-ing`` and ``-er`` are left: ``printer``
    and ``printing`` are sought for different things.

    >>> [stem(w) for w in ("laptops", "batteries", "boxes", "glass", "tn2110s", "耳机")]
    ['laptop', 'battery', 'box', 'glass', 'tn2110s', '耳机']
    """
    if len(word) <= 3 or not (word.isascii() and word.isalpha()):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stems(text: str, most: int) -> list[str]:
    """The first words of a text, as they are sought: letters and digits whatever their case and width (NFKC), English
    words without their plural, of Chinese and Japanese each pair of neighbouring characters.

    >>> stems("Ｂlack CABLES 2m; 蓝牙耳机", 9)
    ['black', 'cable', '2m', '蓝牙', '牙耳', '耳机']
    """
    return [stem(word) for word in words(text, most)]


def query_words(query: str) -> list[str]:
    """The distinct words of a query, in order; empty where it has none.

    >>> query_words("USB usb-hub!"), query_words("?!")
    (['usb', 'hub'], [])
    """
    return list(dict.fromkeys(stems(query[:MOST_CHARACTERS], MOST_WORDS)))
