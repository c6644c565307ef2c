/* Values without parts. */
#include "render_parts.h"

static void put_function_name(Renderer *r, PyObject *value)
{
    PyObject *inner = PyMethod_Check(value) ? PyMethod_GET_FUNCTION(value) : value;
    if (PyFunction_Check(inner)) {
        put_name(r, ((PyFunctionObject *)inner)->func_name);
    }
    else if (type_info(Py_TYPE(inner))->kind == KIND_FUNCTION && !PyMethod_Check(inner)) {
        PyObject *name = PyObject_GetAttrString(inner, "__name__");
        if (name != NULL && PyUnicode_Check(name)) {
            put_name(r, name);
        }
        r->is_broken |= name == NULL;
        Py_XDECREF(name);
    }
    else {
        put_type_name(r, Py_TYPE(inner));
    }
}

/* A name that the program may have replaced by anything. */
static void put_name_or_unknown(Renderer *r, PyObject *name)
{
    if (name != NULL && PyUnicode_CheckExact(name)) {
        put_name(r, name);
    }
    else {
        put_char(r->out, '?');
    }
}

/* The attribute `name` of an instance, borrowed; NULL without an exception if it is not set. */
static PyObject *instance_attribute(PyObject *value, const char *name)
{
    Attributes found;
    attributes_find(value, &found);
    for (Py_ssize_t i = 0; found.values != NULL && i < found.count; i++) {
        Py_ssize_t place;
        PyObject *key, *item = attributes_get(&found, i, &key, &place);
        if (PyUnicode_CompareWithASCIIString(key, name) == 0) {
            return item;
        }
    }
    PyObject *item = found.dict != NULL && PyDict_CheckExact(found.dict) ? PyDict_GetItemString(found.dict, name) : NULL;
    PyErr_Clear();
    return item;
}

static void put_members(Renderer *r, PyObject *value, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        PyObject *part = PyObject_GetAttrString(value, names[i]);
        if (i) {
            PUT_LITERAL(r->out, ", ");
        }
        if (part != NULL && PyLong_CheckExact(part)) {
            put_integer(r, part);
        }
        r->is_broken |= part == NULL;
        Py_XDECREF(part);
    }
}

static void put_range(Renderer *r, PyObject *value)
{
    static const char *const names[] = {"start", "stop", "step"};
    PyObject *step = PyObject_GetAttrString(value, "step");
    int overflow, is_one = step != NULL && PyLong_AsLongAndOverflow(step, &overflow) == 1 && !overflow;
    Py_XDECREF(step);
    PUT_LITERAL(r->out, "range(");
    put_members(r, value, names, is_one ? 2 : 3);
    put_char(r->out, ')');
}

/* Fraction's parts, whose slots anyone may set; false if they are not integers. */
static bool put_fraction(Renderer *r, PyObject *value)
{
    static const char *const names[] = {"_numerator", "_denominator"};
    for (int i = 0; i < 2; i++) {
        PyObject *part = PyObject_GetAttrString(value, names[i]);
        bool is_int = part != NULL && PyLong_CheckExact(part);
        r->is_broken |= part == NULL;
        Py_XDECREF(part);
        if (!is_int) {
            return false;
        }
    }
    PUT_LITERAL(r->out, "Fraction(");
    put_members(r, value, names, 2);
    put_char(r->out, ')');
    return true;
}

/* Whether a date or time has a zone that is the program's object. */
static bool has_own_zone(Renderer *r, PyObject *value)
{
    PyObject *zone = PyObject_GetAttrString(value, "tzinfo");
    bool own = zone != NULL && zone != Py_None && Py_TYPE(zone) != type_datetime_timezone;
    r->is_broken |= zone == NULL;
    Py_XDECREF(zone);
    return own;
}

/* Writes a value that has no parts; false if it has some. */
bool put_leaf(Renderer *r, PyObject *value, Kind kind)
{
    switch (kind) {
    case KIND_STRING:
        put_string(r, value);
        return true;
    case KIND_BYTES:
    case KIND_BYTEARRAY:
        put_byte_string(r, value, kind == KIND_BYTEARRAY);
        return true;
    case KIND_INT:
        put_integer(r, value);
        return true;
    case KIND_FLOAT:
        put_float(r, PyFloat_AS_DOUBLE(value));
        return true;
    case KIND_REPR:
        if (value == Py_None) {
            PUT_LITERAL(r->out, "None");
        }
        else if (value == Py_True) {
            PUT_LITERAL(r->out, "True");
        }
        else if (value == Py_False) {
            PUT_LITERAL(r->out, "False");
        }
        else {
            put_repr(r, value);
        }
        return true;
    case KIND_FRACTION:
        return put_fraction(r, value);
    case KIND_CLASS:
        PUT_LITERAL(r->out, "<class '");
        put_type_name(r, (PyTypeObject *)value);
        PUT_LITERAL(r->out, "'>");
        return true;
    case KIND_ENUM:
        put_char(r->out, '<');
        put_type_name(r, Py_TYPE(value));
        put_char(r->out, '.');
        put_name_or_unknown(r, instance_attribute(value, "_name_"));
        put_char(r->out, '>');
        return true;
    case KIND_FUNCTION:
        PUT_LITERAL(r->out, "<function ");
        put_function_name(r, value);
        put_char(r->out, '>');
        return true;
    case KIND_MODULE:
        PUT_LITERAL(r->out, "<module '");
        put_name_or_unknown(r, PyDict_GetItemString(PyModule_GetDict(value), "__name__"));
        PyErr_Clear();
        PUT_LITERAL(r->out, "'>");
        return true;
    case KIND_RANGE:
        put_range(r, value);
        return true;
    case KIND_DATED:
        if (has_own_zone(r, value)) {
            return false;
        }
        put_repr(r, value);
        return true;
    default:
        return false;
    }
}
