"""Holds replies of the API against its own description (OpenAPI 3.1, JSON Schema 2020-12). Knows the words that the description uses and fails on
any other, so that nothing is passed over. Where the jsonschema module is there, it is asked too, as somebody who has not read our code."""
import re

try:
    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)
    import jsonschema
except ImportError:
    jsonschema = None

TYPES = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
WORDS = {"$ref", "anyOf", "type", "format", "description", "properties", "required", "additionalProperties", "items", "const", "enum",
         "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties"}


def is_type(name, value):
    if name in ("integer", "number"):
        return not isinstance(value, bool) and isinstance(value, int if name == "integer" else (int, float))
    return isinstance(value, TYPES[name])


def fault(doc, schema, value, at="reply"):
    """None, or a sentence that names the place and what is wrong there."""
    unknown = set(schema) - WORDS
    if unknown:
        return f"{at}: this test does not know the schema's word {sorted(unknown)}"
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        target = doc["components"]["schemas"].get(name)
        return f"{at}: there is no schema {name}" if target is None else fault(doc, target, value, at)
    if "anyOf" in schema:
        faults = [fault(doc, one, value, at) for one in schema["anyOf"]]
        return None if None in faults else faults[0]
    if "const" in schema and value != schema["const"]:
        return f"{at}: is {value!r}, the schema says {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at}: is {value!r}, the schema says one of {schema['enum']}"
    wanted = schema.get("type")
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(is_type(one, value) for one in wanted):
        return f"{at}: is {value!r:.80}, the schema says {' or '.join(wanted)}"
    if schema.get("format") == "date-time" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
        return f"{at}: {value!r} is no time of RFC 3339 in UTC"
    if isinstance(value, list) and "items" in schema:
        return next((f for i, v in enumerate(value) if (f := fault(doc, schema["items"], v, f"{at}[{i}]"))), None)
    return fault_object(doc, schema, value, at) if isinstance(value, dict) and wanted else None


def fault_object(doc, schema, value, at):
    more = schema.get("additionalProperties", True)
    for key, one in value.items():
        known = schema.get("properties", {}).get(key)
        if known is None and more is False:
            return f"{at}: there is a field \"{key}\" that the schema does not have"
        found = fault(doc, known if known is not None else more, one, f"{at}.{key}") if known is not None or isinstance(more, dict) else None
        if found:
            return found
    missing = [key for key in schema.get("required", []) if key not in value]
    return f"{at}: the schema says that there is always a field \"{missing[0]}\"" if missing else None


def second_opinion(doc, schema, value):
    if jsonschema is None or not hasattr(jsonschema, "Draft202012Validator"):
        return None
    whole = {**schema, "components": doc["components"]}
    error = next(iter(jsonschema.Draft202012Validator(whole).iter_errors(value)), None)
    return f"jsonschema: {'.'.join(map(str, error.absolute_path))}: {error.message:.200}" if error else None


def reply_fault(doc, path, method, status, kind, body, asks_second=True):
    """body: parsed JSON, text, or None for an empty one. asks_second: the module too, which takes its time."""
    operation = doc["paths"][path][method.lower()]
    response = operation["responses"].get(str(status)) or (operation["responses"].get("default") if status >= 400 else None)
    if response is None:
        return f"status {status} is not described"
    content = response.get("content")
    if not content:
        return None if body is None else f"status {status}: the description gives no content: has the route's row a .reply (controller/api/shape.h)?"
    if kind not in content:
        return f"content type {kind}, the description says {' or '.join(content)}"
    if kind != "application/json":
        return None
    schema = content[kind]["schema"]
    return fault(doc, schema, body) or (second_opinion(doc, schema, body) if asks_second else None)
