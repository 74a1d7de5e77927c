"""Payloads that fit a schema, and payloads that nearly do."""

from hypothesis import strategies as st

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), _TEXT, st.just([]), st.just({})
)


def fitting(schema, root):
    """Return payloads that fit ``schema``."""
    if "$ref" in schema:
        return st.deferred(
            lambda: fitting(root["definitions"][schema["$ref"].split("/")[-1]], root)
        )
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _KINDS[schema.get("type", "object")](schema, root)


def _object(schema, root):
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: fitting(properties[name], root) for name in required if name in properties},
        optional={
            name: fitting(one, root) for name, one in properties.items() if name not in required
        },
    )


def _array(schema, root):
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", least + 1), least + 1)
    return st.lists(fitting(schema.get("items", {}), root), min_size=least, max_size=most)


def _string(schema, _root):
    return st.text(
        st.characters(codec="utf-8", exclude_characters="\0"),
        max_size=min(schema.get("maxLength", 8), 8),
    )


def _bounds(schema):
    return schema.get("minimum", -(2**40)), schema.get("maximum", 2**40)


def _integer(schema, _root):
    least, most = _bounds(schema)
    return st.integers(int(least), int(most))


def _number(schema, _root):
    least, most = _bounds(schema)
    whole = st.integers(int(least), int(most))
    return whole | st.floats(least, most, allow_nan=False, allow_infinity=False)


_KINDS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda *_: st.booleans(),
}


@st.composite
def spoiled(draw, payloads):
    """Return a payload of ``payloads`` with one thing in it changed."""
    payload = draw(payloads)
    holders = list(_holders(payload))
    holder = draw(st.sampled_from(holders))
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    kind = draw(st.sampled_from(["drop", "change", "add", "lengthen", "repeat"]))
    if kind == "add" or not keys:
        _add(holder, draw(_ANYTHING))
        return payload
    key = draw(st.sampled_from(keys))
    if kind == "drop":
        del holder[key]
    elif kind == "change":
        holder[key] = draw(_ANYTHING)
    elif kind == "repeat":
        holder[key] = [holder[key]] * draw(st.integers(0, 3))
    else:
        holder[key] = "x" * draw(st.sampled_from([21, 51, 256, 2_501, 6_000]))
    return payload


def _add(holder, value):
    if isinstance(holder, dict):
        holder["aStranger"] = value
    else:
        holder.append(value)


def _holders(value):
    if isinstance(value, dict | list):
        yield value
        for one in value.values() if isinstance(value, dict) else value:
            yield from _holders(one)
