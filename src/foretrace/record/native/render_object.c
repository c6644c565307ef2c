/* Instances: attributes from slots and the instance dictionary; and what the library has of its own. */
#include "render_parts.h"

typedef struct {
    PyObject *name, *value;
} Attribute;

typedef struct {
    Attribute *shown; /* owned; the first ones are in `few` */
    Attribute few[32];
    Py_ssize_t capacity, limit;
    Py_ssize_t count;           /* of all there are */
} Collected;

/* Makes room for one more attribute. */
static bool collected_grow(Collected *collected)
{
    Py_ssize_t capacity = 2 * collected->capacity;
    Attribute *old = collected->shown == collected->few ? NULL : collected->shown;
    Attribute *grown = realloc(old, (size_t)capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    if (old == NULL) {
        memcpy(grown, collected->few, sizeof collected->few);
    }
    collected->shown = grown;
    collected->capacity = capacity;
    return true;
}

static void collect(Collected *collected, PyObject *name, PyObject *value)
{
    bool is_shown = collected->count < collected->limit;
    if (is_shown && (collected->count < collected->capacity || collected_grow(collected))) {
        collected->shown[collected->count] = (Attribute){Py_NewRef(name), Py_NewRef(value)};
    }
    else if (is_shown) { /* no memory: it counts among those that are not */
        collected->limit = collected->count;
    }
    collected->count++;
}

/* Slots, then the instance dictionary; properties are not run. */
static void collect_attributes(Collected *collected, PyObject *value, const TypeInfo *info)
{
    collected->count = 0;
    for (int i = 0; i < info->slot_count; i++) {
        PyMemberDef *member = info->slots[i].member;
        PyObject *item;
        if (member->type == T_OBJECT_EX) {
            item = Py_XNewRef(*(PyObject **)((char *)value + member->offset));
        }
        else {
            item = PyMember_GetOne((const char *)value, member);
            PyErr_Clear();
        }
        if (item != NULL) {
            collect(collected, info->slots[i].name, item);
            Py_DECREF(item);
        }
    }
    if (!info->has_dict) {
        return;
    }
    Attributes found;
    PyObject *name, *item;
    Py_ssize_t at = 0;
    attributes_find(value, &found);
    for (Py_ssize_t i = 0; found.values != NULL && i < found.count; i++) {
        Py_ssize_t place;
        item = attributes_get(&found, i, &name, &place);
        if (item != NULL && PyUnicode_CheckExact(name)) {
            collect(collected, name, item);
        }
    }
    while (found.dict != NULL && PyDict_CheckExact(found.dict) && PyDict_Next(found.dict, &at, &name, &item)) {
        if (PyUnicode_CheckExact(name)) {
            collect(collected, name, item);
        }
    }
}

static void put_content(Renderer *r, PyObject *value, Kind content)
{
    switch (content) {
    case KIND_STRING:
        put_string(r, value);
        break;
    case KIND_BYTES:
        put_byte_string(r, value, false);
        break;
    case KIND_INT:
        put_integer(r, value);
        break;
    case KIND_FLOAT:
        put_float(r, PyFloat_AS_DOUBLE(value));
        break;
    case KIND_LIST:
        put_list(r, value);
        break;
    case KIND_TUPLE:
        put_tuple(r, value);
        break;
    case KIND_DEQUE:
        put_deque(r, value, false);
        break;
    case KIND_SET:
    case KIND_FROZENSET:
        put_set(r, value, content);
        break;
    default:
        put_mapping(r, value, KIND_DICT);
    }
}

void put_named_tuple(Renderer *r, PyObject *value)
{
    static PyObject *str_fields;
    if (str_fields == NULL) {
        str_fields = PyUnicode_InternFromString("_fields");
    }
    PyObject *fields = PyDict_GetItemWithError(Py_TYPE(value)->tp_dict, str_fields);
    PyErr_Clear();
    put_type_name(r, Py_TYPE(value));
    put_char(r->out, '(');
    Py_XINCREF(fields);
    Py_ssize_t count = fields != NULL ? PyTuple_GET_SIZE(fields) : 0;
    count = count < PyTuple_GET_SIZE(value) ? count : PyTuple_GET_SIZE(value);
    for (Py_ssize_t i = 0; i < count && i < r->limits.items; i++) {
        put_comma(r, i);
        put_name(r, PyTuple_GET_ITEM(fields, i));
        put_char(r->out, '=');
        put_value(r, PyTuple_GET_ITEM(value, i));
    }
    Py_XDECREF(fields);
    put_char(r->out, ')');
}

void put_exception(Renderer *r, PyObject *value)
{
    PyObject *arguments = Py_XNewRef(((PyBaseExceptionObject *)value)->args);
    put_type_name(r, Py_TYPE(value));
    put_char(r->out, '(');
    if (arguments != NULL && PyTuple_Check(arguments)) {
        put_items(r, arguments, false);
    }
    Py_XDECREF(arguments);
    put_char(r->out, ')');
}

void put_object(Renderer *r, PyObject *value, const TypeInfo *info)
{
    bool is_dataclass = info->kind == KIND_DATACLASS;
    Kind content = is_dataclass ? KIND_OBJECT : info->content;
    Collected collected;
    collected.shown = collected.few;
    collected.capacity = 32;
    collected.limit = r->limits.items;
    collect_attributes(&collected, value, info); /* what follows may reuse `info` */
    Py_ssize_t parts = 0;
    if (is_dataclass) {
        put_type_name(r, Py_TYPE(value));
    }
    else {
        put_char(r->out, '<');
        put_object_name(r, value);
    }
    const char *before = is_dataclass ? "(" : " ";
    if (content != KIND_OBJECT) {
        put_string_literal(r, before);
        put_content(r, value, content);
        parts++;
    }
    for (Py_ssize_t i = 0; i < collected.count && i < collected.limit; i++) {
        put_string_literal(r, parts++ ? ", " : before);
        put_name(r, collected.shown[i].name);
        put_char(r->out, '=');
        put_value(r, collected.shown[i].value);
        Py_DECREF(collected.shown[i].name);
        Py_DECREF(collected.shown[i].value);
    }
    if (collected.count > collected.limit) {
        PUT_LITERAL(r->out, ", ");
        put_rest(r, collected.count - collected.limit);
    }
    if (collected.shown != collected.few) {
        free(collected.shown);
    }
    put_string_literal(r, is_dataclass ? (parts ? ")" : "()") : ">");
}

void put_attribute_value(Renderer *r, PyObject *value, const char *name)
{
    PyObject *part = PyObject_GetAttrString(value, name);
    if (part != NULL) {
        put_owned(r, part);
    }
    r->is_broken |= part == NULL;
}

void put_slice(Renderer *r, PyObject *value)
{
    PySliceObject *slice = (PySliceObject *)value;
    PUT_LITERAL(r->out, "slice(");
    put_value(r, slice->start);
    PUT_LITERAL(r->out, ", ");
    put_value(r, slice->stop);
    PUT_LITERAL(r->out, ", ");
    put_value(r, slice->step);
    put_char(r->out, ')');
}

void put_array(Renderer *r, PyObject *value)
{
    PyObject *code = PyObject_GetAttrString(value, "typecode");
    PyObject *first = PySequence_GetSlice(value, 0, r->limits.items);
    PyObject *items = first != NULL ? PyObject_CallMethod(first, "tolist", NULL) : NULL;
    Py_ssize_t count = PySequence_Size(value);
    PUT_LITERAL(r->out, "array('");
    if (code != NULL) {
        put_unicode(r, code, 1);
    }
    PUT_LITERAL(r->out, "', [");
    if (items != NULL) {
        put_items(r, items, true);
    }
    if (count > r->limits.items) {
        PUT_LITERAL(r->out, ", ");
        put_rest(r, count - r->limits.items);
    }
    PUT_LITERAL(r->out, "])");
    r->is_broken |= code == NULL || items == NULL;
    Py_XDECREF(code);
    Py_XDECREF(first);
    Py_XDECREF(items);
}

/* A date or time whose zone is the program's. */
void put_dated(Renderer *r, PyObject *value)
{
    PyObject *replace = PyObject_GetAttrString(value, "replace"), *none = PyDict_New(), *nothing = PyTuple_New(0);
    PyObject *naive = NULL, *text = NULL;
    if (replace != NULL && none != NULL && nothing != NULL && PyDict_SetItemString(none, "tzinfo", Py_None) == 0) {
        naive = PyObject_Call(replace, nothing, none);
        text = naive != NULL ? PyObject_Repr(naive) : NULL;
    }
    PyObject *zone = PyObject_GetAttrString(value, "tzinfo");
    r->is_broken |= text == NULL || zone == NULL;
    if (text != NULL && zone != NULL) {
        put_unicode(r, text, PyUnicode_GET_LENGTH(text) - 1);
        PUT_LITERAL(r->out, ", tzinfo=");
        put_value(r, zone);
        put_char(r->out, ')');
    }
    Py_XDECREF(replace);
    Py_XDECREF(none);
    Py_XDECREF(nothing);
    Py_XDECREF(naive);
    Py_XDECREF(text);
    Py_XDECREF(zone);
}

void put_ndarray(Renderer *r, PyObject *value)
{
    PyObject *text = PyObject_CallOneArg(r->describe_array, value);
    if (text != NULL && PyUnicode_Check(text)) {
        put_unicode(r, text, PY_SSIZE_T_MAX);
    }
    r->is_broken |= text == NULL;
    Py_XDECREF(text);
}
