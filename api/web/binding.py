"""
Write elements whose content the script can fill again.

What an element shows is written down in the element itself: ``data-text`` holds the format of its
text, ``data-set`` those of its attributes. ``static/live.js`` reads them.
"""

from collections.abc import Mapping

from markupsafe import Markup

from api.web.formats import NOTHING, Json, Voice, show


def element(
    voice: Voice, tag: str, spec: str, data: Json, /, *, sets: str = "", **attributes: str
) -> Markup:
    """
    Return an element whose text, and the attributes of ``sets``, come from ``data`` by format.

    The formats are written down in the element too, so the script can fill it again. Without data
    it stays empty, for a ``<template>``.
    """
    text = "" if data is None else show(voice, spec, data)
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    plain = Markup("").join(Markup(' {}="{}"').format(*one) for one in named.items())
    return Markup('<{0} data-text="{1}"{2}{3}>{4}</{0}>').format(
        tag, spec, plain, bound(voice, sets, data) if sets else "", text
    )


def bound(voice: Voice, rules: str, data: Json) -> Markup:
    """Return attributes by format, ``attribute format path, ...``, and the rules themselves."""
    made = Markup(' data-set="{}"').format(rules)
    for rule in rules.split(", ") if data is not None else ():
        attribute, _, spec = rule.partition(" ")
        value = show(voice, spec, data)
        if value not in {None, NOTHING}:
            made += Markup(' {}="{}"').format(attribute, value)
    return made


def row_key(one: Mapping[str, Json] | None, names: str) -> Markup:
    """Return the attribute by which the script knows the row again."""
    if one is None:
        return Markup()
    return Markup(' data-key="{}"').format("|".join(str(one[name]) for name in names.split()))
