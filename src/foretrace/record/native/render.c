#include "render.h"

#include "types.h"

static void put_value(Renderer *r, PyObject *value);

/* ---- text ---------------------------------------------------------------------------------------- */

/* A Python string, as UTF-8 with lone surrogates passed through; `count` code points of it at most. */
static void put_unicode(Renderer *r, PyObject *text, Py_ssize_t count)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (PyUnicode_IS_ASCII(text)) {
        put_bytes(r->out, PyUnicode_DATA(text), (size_t)(length < count ? length : count));
        return;
    }
    PyObject *part = length > count ? PyUnicode_Substring(text, 0, count) : Py_NewRef(text);
    PyObject *bytes = part != NULL ? PyUnicode_AsEncodedString(part, "utf-8", "surrogatepass") : NULL;
    if (bytes != NULL) {
        put_bytes(r->out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
        r->is_ascii = false;
    }
    else {
        r->is_broken = true;
    }
    Py_XDECREF(bytes);
    Py_XDECREF(part);
}

static void put_ellipsis(Renderer *r)
{
    PUT_LITERAL(r->out, "…");
    r->is_ascii = false;
}

static void put_rest(Renderer *r, Py_ssize_t left)
{
    put_ellipsis(r);
    put_char(r->out, '+');
    put_decimal(r->out, left);
}

static void put_name(Renderer *r, PyObject *name)
{
    if (PyUnicode_IS_ASCII(name) && PyUnicode_GET_LENGTH(name) <= MAX_NAME) {
        put_bytes(r->out, PyUnicode_DATA(name), (size_t)PyUnicode_GET_LENGTH(name));
        return;
    }
    put_unicode(r, name, MAX_NAME);
    if (PyUnicode_GET_LENGTH(name) > MAX_NAME) {
        put_ellipsis(r);
    }
}

/* What `type.__name__` is. */
static void put_type_name(Renderer *r, PyTypeObject *type)
{
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        put_name(r, ((PyHeapTypeObject *)type)->ht_name);
        return;
    }
    const char *dot = strrchr(type->tp_name, '.');
    const char *name = dot != NULL ? dot + 1 : type->tp_name;
    put_bytes(r->out, name, strlen(name));
}

/* What `repr` of an object of a type of the interpreter or its library writes. */
static void put_repr(Renderer *r, PyObject *value)
{
    PyObject *text = Py_TYPE(value)->tp_repr(value);
    if (text != NULL) {
        put_unicode(r, text, PY_SSIZE_T_MAX);
        Py_DECREF(text);
    }
    else {
        r->is_broken = true;
    }
}

static void put_ascii_string(Renderer *r, const unsigned char *text, Py_ssize_t length)
{
    static const char hex[] = "0123456789abcdef";
    Buffer *out = r->out;
    if (!buffer_reserve(out, 4 * (size_t)length + 2)) {
        return;
    }
    char *start = out->data + out->size, *at = start;
    int special = 0;
    *at++ = '\'';
    for (Py_ssize_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        special |= (c < 0x20) | (c == 0x7F) | (c == '\\') | (c == '\'');
        at[i] = (char)c;
    }
    if (!special) {
        at[length] = '\'';
        out->size += (size_t)length + 2;
        return;
    }
    char quote = memchr(text, '\'', (size_t)length) && !memchr(text, '"', (size_t)length) ? '"' : '\'';
    *start = quote;
    for (Py_ssize_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        if (c == '\\' || c == quote) {
            *at++ = '\\';
            *at++ = (char)c;
        }
        else if (c == '\n' || c == '\t' || c == '\r') {
            *at++ = '\\';
            *at++ = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
        }
        else if (c < 0x20 || c == 0x7F) {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
        else {
            *at++ = (char)c;
        }
    }
    *at++ = quote;
    out->size = (size_t)(at - out->data);
}

/* An exact string, or the content of an instance of a subclass. */
static void put_string(Renderer *r, PyObject *value)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(value), shown = length < r->limits.characters ? length : (Py_ssize_t)r->limits.characters;
    if (PyUnicode_IS_ASCII(value)) {
        put_ascii_string(r, PyUnicode_DATA(value), shown);
    }
    else {
        PyObject *part = PyUnicode_Substring(value, 0, shown);
        PyObject *text = part != NULL ? PyUnicode_Type.tp_repr(part) : NULL;
        if (text != NULL) {
            put_unicode(r, text, PY_SSIZE_T_MAX);
        }
        r->is_broken |= text == NULL;
        Py_XDECREF(text);
        Py_XDECREF(part);
    }
    if (length > shown) {
        put_rest(r, length - shown);
    }
}

static void put_byte_string(Renderer *r, PyObject *value, bool is_array)
{
    const char *data = is_array ? PyByteArray_AS_STRING(value) : PyBytes_AS_STRING(value);
    Py_ssize_t length = Py_SIZE(value), shown = length < r->limits.characters ? length : (Py_ssize_t)r->limits.characters;
    PyObject *part = is_array ? PyByteArray_FromStringAndSize(data, shown) : PyBytes_FromStringAndSize(data, shown);
    if (part != NULL) {
        put_repr(r, part);
        Py_DECREF(part);
    }
    r->is_broken |= part == NULL;
    if (length > shown) {
        put_rest(r, length - shown);
    }
}

static void put_integer(Renderer *r, PyObject *value)
{
    long long small;
    if (int_is_compact(value, &small)) {
        put_decimal(r->out, small);
        return;
    }
    int overflow;
    small = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow) {
        put_decimal(r->out, small);
        return;
    }
    size_t bits = _PyLong_NumBits(value);
    if (bits >= MAX_INT_BITS) {
        PUT_LITERAL(r->out, "<int, ");
        put_decimal(r->out, (int64_t)bits);
        PUT_LITERAL(r->out, " bits>");
        return;
    }
    PyObject *text = PyLong_Type.tp_repr(value);
    if (text != NULL) {
        put_unicode(r, text, PY_SSIZE_T_MAX);
        Py_DECREF(text);
    }
    r->is_broken |= text == NULL;
}

/* The shortest text of a float takes long to find, and the same ones come again. */
static struct {
    double value;
    uint8_t size;
    char text[31];
} float_texts[256];

static void put_float(Renderer *r, double value)
{
    if (value > -1e15 && value < 1e15 && value != 0 && value == (double)(int64_t)value) {
        put_decimal(r->out, (int64_t)value);
        PUT_LITERAL(r->out, ".0");
        return;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int at = (int)(bits * 0x9E3779B97F4A7C15u >> 56);
    if (float_texts[at].size == 0 || memcmp(&float_texts[at].value, &value, sizeof value) != 0) {
        char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
        if (text == NULL) {
            r->is_broken = true;
            return;
        }
        float_texts[at].value = value;
        float_texts[at].size = (uint8_t)strlen(text); /* at most 24 */
        memcpy(float_texts[at].text, text, float_texts[at].size);
        PyMem_Free(text);
    }
    put_bytes(r->out, float_texts[at].text, float_texts[at].size);
}

/* ---- numbers of objects -------------------------------------------------------------------------- */

static size_t number_slot(const Renderer *r, const PyObject *object)
{
    size_t at = ((uintptr_t)object >> 4) * 0x9E3779B97F4A7C15u >> 32 & (r->numbers_capacity - 1);
    while (r->numbers[at].frame == r->frame && r->numbers[at].object != object) {
        at = (at + 1) & (r->numbers_capacity - 1);
    }
    return at;
}

static bool numbers_grow(Renderer *r)
{
    Number *old = r->numbers;
    size_t old_capacity = r->numbers_capacity, capacity = old_capacity ? 2 * old_capacity : 64;
    Number *numbers = calloc(capacity, sizeof *numbers);
    if (numbers == NULL) {
        return false;
    }
    r->numbers = numbers;
    r->numbers_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].frame == r->frame) {
            numbers[number_slot(r, old[i].object)] = old[i];
        }
    }
    free(old);
    return true;
}

/* The name of a type, which keeps the text; all of it. */
static const char *type_name_bytes(PyTypeObject *type, size_t *size)
{
    const char *name;
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        Py_ssize_t length = 0;
        name = PyUnicode_AsUTF8AndSize(((PyHeapTypeObject *)type)->ht_name, &length);
        if (name == NULL) { /* a lone surrogate in it */
            PyErr_Clear();
            name = "";
        }
        *size = (size_t)length;
        return name;
    }
    name = strrchr(type->tp_name, '.');
    name = name != NULL ? name + 1 : type->tp_name;
    *size = strlen(name);
    return name;
}

/* Cuts a name to what is shown of it; whether there was more. */
static bool cut_name(const char *name, size_t *size)
{
    size_t at = 0;
    for (int characters = 0; at < *size; at++) {
        characters += (name[at] & 0xC0) != 0x80;
        if (characters > MAX_NAME) {
            *size = at;
            return true;
        }
    }
    return false;
}

/* Where objects of a type's name are counted; -1 if there is no memory. */
static int64_t type_count(Renderer *r, PyTypeObject *type)
{
    size_t size;
    for (size_t i = 0; i < r->types_used; i++) {
        if (r->type_counts[i].type == type) {
            return (int64_t)i;
        }
    }
    const char *name = type_name_bytes(type, &size);
    bool is_cut = size > MAX_NAME && cut_name(name, &size);
    for (size_t i = 0; i < r->types_used; i++) {
        const TypeCount *count = &r->type_counts[i];
        if (count->size == size && count->is_cut == is_cut && memcmp(count->name, name, size) == 0) {
            return (int64_t)i;
        }
    }
    if (r->types_used == r->types_capacity) {
        size_t capacity = r->types_capacity ? 2 * r->types_capacity : 16;
        TypeCount *counts = realloc(r->type_counts, capacity * sizeof *counts);
        if (counts == NULL) {
            return -1;
        }
        r->type_counts = counts;
        r->types_capacity = capacity;
    }
    r->type_counts[r->types_used] = (TypeCount){type, name, size, is_cut, 0};
    return (int64_t)r->types_used++;
}

static bool log_given(Renderer *r, PyObject *object)
{
    if (r->given_count == r->given_capacity) {
        size_t capacity = r->given_capacity ? 2 * r->given_capacity : 64;
        PyObject **given = realloc(r->given, capacity * sizeof *given);
        if (given == NULL) {
            return false;
        }
        r->given = given;
        r->given_capacity = capacity;
    }
    r->given[r->given_count++] = object;
    return true;
}

uint32_t render_number(Renderer *r, PyObject *object)
{
    if (2 * r->numbers_used >= r->numbers_capacity && !numbers_grow(r)) {
        return 0;
    }
    Number *number = &r->numbers[number_slot(r, object)];
    bool is_new = number->frame != r->frame;
    if (!is_new && number->number) {
        return number->number;
    }
    int64_t type = type_count(r, Py_TYPE(object));
    if (type < 0 || (r->is_logging && !log_given(r, object))) {
        return 0;
    }
    r->numbers_used += is_new;
    *number = (Number){object, ++r->type_counts[type].count, r->frame, (uint32_t)type};
    return number->number;
}

void fingerprint_undo(Renderer *r)
{
    for (size_t i = r->given_count; i-- > 0;) {
        Number *number = &r->numbers[number_slot(r, r->given[i])];
        number->number = 0;
        r->type_counts[number->type].count--;
    }
    r->given_count = 0;
}

/* `Node#2`: the type and a number, by first appearance in this frame. */
static void put_object_name(Renderer *r, PyObject *value)
{
    put_type_name(r, Py_TYPE(value));
    if (!r->is_numbering) {
        r->unnumbered++;
        return;
    }
    uint32_t number = render_number(r, value);
    r->is_broken |= number == 0;
    put_char(r->out, '#');
    put_decimal(r->out, number);
}

/* ---- leaves -------------------------------------------------------------------------------------- */

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
static bool put_leaf(Renderer *r, PyObject *value, Kind kind)
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

/* ---- containers ---------------------------------------------------------------------------------- */

typedef struct {
    const char *opening, *closing, *empty;
} Brackets;

static const Brackets brackets[] = {
    [KIND_LIST] = {"[", "]", "[]"},
    [KIND_TUPLE] = {"(", ")", "()"},
    [KIND_DEQUE] = {"deque([", "])", "deque([])"},
    [KIND_SET] = {"{", "}", "set()"},
    [KIND_FROZENSET] = {"frozenset({", "})", "frozenset()"},
    [KIND_DICT] = {"{", "}", "{}"},
    [KIND_COUNTER] = {"Counter({", "})", "Counter()"},
    [KIND_ORDERED_DICT] = {"OrderedDict({", "})", "OrderedDict({})"},
    [KIND_KEYS] = {"dict_keys([", "])", "dict_keys([])"},
    [KIND_VALUES] = {"dict_values([", "])", "dict_values([])"},
    [KIND_ITEMS] = {"dict_items([", "])", "dict_items([])"},
    [KIND_PROXY] = {"mappingproxy({", "})", "mappingproxy({})"},
};

static inline void put_string_literal(Renderer *r, const char *text)
{
    put_bytes(r->out, text, strlen(text));
}

static inline void put_comma(Renderer *r, Py_ssize_t at)
{
    if (at) {
        PUT_LITERAL(r->out, ", ");
    }
}

static inline void put_owned(Renderer *r, PyObject *value)
{
    put_value(r, value);
    Py_DECREF(value);
}

/* The items of a list or tuple, read anew each time: what is called in between may change a list. */
static void put_items(Renderer *r, PyObject *value, bool is_list)
{
    Py_ssize_t i = 0;
    for (; i < r->limits.items && i < Py_SIZE(value); i++) {
        put_comma(r, i);
        put_owned(r, Py_NewRef(is_list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i)));
    }
    if (Py_SIZE(value) > r->limits.items) {
        put_comma(r, i);
        put_rest(r, Py_SIZE(value) - r->limits.items);
    }
}

static void put_list(Renderer *r, PyObject *value)
{
    put_char(r->out, '[');
    put_items(r, value, true);
    put_char(r->out, ']');
}

static void put_tuple(Renderer *r, PyObject *value)
{
    put_char(r->out, '(');
    put_items(r, value, false);
    if (Py_SIZE(value) == 1) {
        put_char(r->out, ',');
    }
    put_char(r->out, ')');
}

static void put_iterated(Renderer *r, PyObject *iterator, Py_ssize_t count)
{
    Py_ssize_t i = 0;
    PyObject *item;
    while (iterator != NULL && i < r->limits.items && (item = Py_TYPE(iterator)->tp_iternext(iterator)) != NULL) {
        put_comma(r, i++);
        put_owned(r, item);
    }
    r->is_broken |= iterator == NULL || PyErr_Occurred() != NULL;
    if (count > r->limits.items) {
        put_comma(r, i);
        put_rest(r, count - r->limits.items);
    }
    Py_XDECREF(iterator);
}

/* A deque, or the content of an instance of a subclass, which is shown as a list. */
static void put_deque(Renderer *r, PyObject *value, bool is_exact)
{
    put_string_literal(r, is_exact ? "deque([" : "[");
    put_iterated(r, type_deque->tp_iter(value), type_deque->tp_as_sequence->sq_length(value));
    put_char(r->out, ']');
    if (!is_exact) {
        return;
    }
    PyObject *longest = PyObject_GetAttrString(value, "maxlen");
    if (longest != NULL && longest != Py_None) {
        PUT_LITERAL(r->out, ", maxlen=");
        put_integer(r, longest);
    }
    r->is_broken |= longest == NULL;
    Py_XDECREF(longest);
    put_char(r->out, ')');
}

typedef struct {
    size_t start, size;
    Py_ssize_t index;
    PyObject *object;
} Element;

static const char *element_texts; /* what `compare_elements` compares; qsort has no argument for it */

static int compare_elements(const void *a, const void *b)
{
    const Element *x = a, *y = b;
    int order = memcmp(element_texts + x->start, element_texts + y->start, x->size < y->size ? x->size : y->size);
    if (order == 0 && x->size != y->size) {
        return x->size < y->size ? -1 : 1;
    }
    return order ? order : x->index < y->index ? -1 : 1;
}

/* Elements by their texts; the numbers of objects among them are given in that order. */
static void put_set(Renderer *r, PyObject *value, Kind kind)
{
    Py_ssize_t count = PySet_GET_SIZE(value), used = 0, at = 0;
    const Brackets *b = &brackets[kind];
    if (count == 0) {
        put_string_literal(r, b->empty);
        return;
    }
    put_string_literal(r, b->opening);
    if (count > r->limits.parts) {
        put_rest(r, count);
        put_string_literal(r, b->closing);
        return;
    }
    Element *elements = malloc((size_t)count * sizeof *elements);
    Buffer texts = {0}, *out = r->out;
    bool was_numbering = r->is_numbering;
    long unnumbered = r->unnumbered;
    PyObject *item;
    Py_hash_t hash;
    r->out = &texts;
    r->is_numbering = false;
    while (elements != NULL && used < count && _PySet_NextEntry(value, &at, &item, &hash)) {
        Element *element = &elements[used];
        *element = (Element){texts.size, 0, used, Py_NewRef(item)};
        put_value(r, item);
        element->size = texts.size - element->start;
        used++;
    }
    r->out = out;
    r->is_numbering = was_numbering;
    r->is_broken |= elements == NULL || texts.failed;
    element_texts = texts.data;
    if (used > 1 && !texts.failed) {
        qsort(elements, (size_t)used, sizeof *elements, compare_elements);
    }
    bool again = was_numbering && r->unnumbered != unnumbered;
    for (Py_ssize_t i = 0; i < used && i < r->limits.items && !texts.failed; i++) {
        put_comma(r, i);
        if (again) {
            put_value(r, elements[i].object);
        }
        else {
            put_bytes(out, texts.data + elements[i].start, elements[i].size);
        }
    }
    if (count > r->limits.items) {
        put_comma(r, 1);
        put_rest(r, count - r->limits.items);
    }
    put_string_literal(r, b->closing);
    for (Py_ssize_t i = 0; i < used; i++) {
        Py_DECREF(elements[i].object);
    }
    free(elements);
    free(texts.data);
}

static void put_pair(Renderer *r, PyObject *key, PyObject *item, Kind kind)
{
    Py_INCREF(key);
    Py_INCREF(item);
    if (kind == KIND_ITEMS) {
        put_char(r->out, '(');
    }
    if (kind != KIND_VALUES) {
        put_value(r, key);
    }
    if (kind == KIND_ITEMS) {
        PUT_LITERAL(r->out, ", ");
    }
    else if (kind != KIND_KEYS && kind != KIND_VALUES) {
        PUT_LITERAL(r->out, ": ");
    }
    if (kind != KIND_KEYS) {
        put_value(r, item);
    }
    if (kind == KIND_ITEMS) {
        put_char(r->out, ')');
    }
    Py_DECREF(key);
    Py_DECREF(item);
}

/* Items in the order of the dictionary. */
static Py_ssize_t put_pairs(Renderer *r, PyObject *dict, Kind kind)
{
    Py_ssize_t at = 0, i = 0;
    PyObject *key, *item;
    while (i < r->limits.items && PyDict_Next(dict, &at, &key, &item)) {
        put_comma(r, i++);
        put_pair(r, key, item, kind);
    }
    return i;
}

typedef struct {
    PyObject *key, *count;
    Py_ssize_t index;
} Counted;

static int compare_counts(const void *a, const void *b)
{
    const Counted *x = a, *y = b;
    long long p, q;
    if (int_is_compact(x->count, &p) && int_is_compact(y->count, &q)) {
        return p != q ? (p > q ? -1 : 1) : x->index < y->index ? -1 : 1;
    }
    int more = PyObject_RichCompareBool(x->count, y->count, Py_GT);
    int less = more ? 0 : PyObject_RichCompareBool(x->count, y->count, Py_LT);
    return more ? -1 : less ? 1 : x->index < y->index ? -1 : 1;
}

/* A counter, the most common first; false if its counts are not all integers, or too many. */
static bool put_counts(Renderer *r, PyObject *dict)
{
    Py_ssize_t count = PyDict_GET_SIZE(dict), at = 0, used = 0;
    PyObject *key, *item;
    Counted *counts = count <= r->limits.parts ? malloc((size_t)count * sizeof *counts) : NULL;
    if (counts == NULL) {
        return false;
    }
    while (used < count && PyDict_Next(dict, &at, &key, &item)) {
        if (!PyLong_CheckExact(item)) {
            free(counts);
            return false;
        }
        counts[used] = (Counted){key, item, used};
        used++;
    }
    qsort(counts, (size_t)used, sizeof *counts, compare_counts);
    for (Py_ssize_t i = 0; i < used; i++) {
        Py_INCREF(counts[i].key);
        Py_INCREF(counts[i].count);
    }
    for (Py_ssize_t i = 0; i < used && i < r->limits.items; i++) {
        put_comma(r, i);
        put_pair(r, counts[i].key, counts[i].count, KIND_COUNTER);
    }
    for (Py_ssize_t i = 0; i < used; i++) {
        Py_DECREF(counts[i].key);
        Py_DECREF(counts[i].count);
    }
    free(counts);
    return true;
}

/* An ordered dictionary in its own order, which may differ from that of the dictionary in it; false if a key's hash or
   equality is the program's. */
static bool put_ordered(Renderer *r, PyObject *dict)
{
    Py_ssize_t at = 0, i = 0;
    PyObject *key, *item;
    while (PyDict_Next(dict, &at, &key, &item)) {
        if (!PyUnicode_CheckExact(key) && !PyLong_CheckExact(key) && !PyFloat_CheckExact(key) && !PyBool_Check(key) &&
            !PyBytes_CheckExact(key) && key != Py_None) {
            return false;
        }
    }
    PyObject *keys = PyObject_GetIter(dict);
    while (keys != NULL && i < r->limits.items && (key = Py_TYPE(keys)->tp_iternext(keys)) != NULL) {
        put_comma(r, i++);
        item = PyDict_GetItemWithError(dict, key);
        if (item != NULL) {
            put_pair(r, key, item, KIND_ORDERED_DICT);
        }
        Py_DECREF(key);
    }
    r->is_broken |= keys == NULL || PyErr_Occurred() != NULL;
    Py_XDECREF(keys);
    return true;
}

static void put_mapping(Renderer *r, PyObject *dict, Kind kind)
{
    const Brackets *b = &brackets[kind];
    Py_ssize_t count = PyDict_GET_SIZE(dict);
    if (count == 0) {
        put_string_literal(r, b->empty);
        return;
    }
    put_string_literal(r, b->opening);
    bool done = kind == KIND_DICT ? false : kind == KIND_COUNTER ? put_counts(r, dict) : kind == KIND_ORDERED_DICT ? put_ordered(r, dict) : false;
    if (!done) {
        put_pairs(r, dict, kind);
    }
    if (count > r->limits.items) {
        put_comma(r, 1);
        put_rest(r, count - r->limits.items);
    }
    put_string_literal(r, b->closing);
}

/* What a mapping proxy or a view of a dictionary holds, borrowed: their one member. */
static PyObject *inner_mapping(PyObject *value)
{
    struct {
        PyObject_HEAD
        PyObject *inner;
    } *holder = (void *)value;
    return holder->inner;
}

/* ---- objects ------------------------------------------------------------------------------------- */

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

static void put_named_tuple(Renderer *r, PyObject *value)
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

static void put_exception(Renderer *r, PyObject *value)
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

static void put_object(Renderer *r, PyObject *value, const TypeInfo *info)
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

static void put_attribute_value(Renderer *r, PyObject *value, const char *name)
{
    PyObject *part = PyObject_GetAttrString(value, name);
    if (part != NULL) {
        put_owned(r, part);
    }
    r->is_broken |= part == NULL;
}

static void put_slice(Renderer *r, PyObject *value)
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

static void put_array(Renderer *r, PyObject *value)
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
static void put_dated(Renderer *r, PyObject *value)
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

static void put_ndarray(Renderer *r, PyObject *value)
{
    PyObject *text = PyObject_CallOneArg(r->describe_array, value);
    if (text != NULL && PyUnicode_Check(text)) {
        put_unicode(r, text, PY_SSIZE_T_MAX);
    }
    r->is_broken |= text == NULL;
    Py_XDECREF(text);
}

static void put_compound(Renderer *r, PyObject *value, Kind kind)
{
    PyObject *inner;
    switch (kind) {
    case KIND_LIST:
        put_list(r, value);
        break;
    case KIND_TUPLE:
        put_tuple(r, value);
        break;
    case KIND_DEQUE:
        put_deque(r, value, true);
        break;
    case KIND_SET:
    case KIND_FROZENSET:
        put_set(r, value, kind);
        break;
    case KIND_DICT:
    case KIND_COUNTER:
    case KIND_ORDERED_DICT:
        put_mapping(r, value, kind);
        break;
    case KIND_PROXY:
        inner = inner_mapping(value);
        if (PyDict_CheckExact(inner)) {
            put_mapping(r, inner, KIND_PROXY);
            break;
        }
        put_object(r, value, type_info(Py_TYPE(value)));
        break;
    case KIND_KEYS:
    case KIND_VALUES:
    case KIND_ITEMS:
        put_mapping(r, inner_mapping(value), kind);
        break;
    case KIND_DEFAULT_DICT:
        PUT_LITERAL(r->out, "defaultdict(");
        put_attribute_value(r, value, "default_factory");
        PUT_LITERAL(r->out, ", ");
        put_mapping(r, value, KIND_DICT);
        put_char(r->out, ')');
        break;
    case KIND_SLICE:
        put_slice(r, value);
        break;
    case KIND_ARRAY:
        put_array(r, value);
        break;
    case KIND_DATED:
        put_dated(r, value);
        break;
    case KIND_NDARRAY:
        put_ndarray(r, value);
        break;
    case KIND_NAMED_TUPLE:
        put_named_tuple(r, value);
        break;
    case KIND_EXCEPTION:
        put_exception(r, value);
        break;
    default:
        put_object(r, value, type_info(Py_TYPE(value)));
    }
}

/* What stands for a container inside itself (as `repr` writes it) or below the depth limit. */
static void put_stub(Renderer *r, PyObject *value, Kind kind, bool is_cyclic)
{
    if (kind < KIND_LIST || kind > KIND_ITEMS) {
        put_char(r->out, '<');
        put_object_name(r, value);
        put_char(r->out, '>');
        return;
    }
    const Brackets *b = &brackets[kind];
    Py_ssize_t count = is_cyclic ? 1 : PyObject_Size(value);
    if (count == 0) {
        put_string_literal(r, b->empty);
        return;
    }
    put_string_literal(r, b->opening);
    if (is_cyclic) {
        PUT_LITERAL(r->out, "...");
    }
    else {
        put_rest(r, count);
    }
    put_string_literal(r, b->closing);
}

static inline void count_leaf(Renderer *r, size_t start)
{
    size_t size = r->out->size - start;
    r->characters -= (long)(r->is_ascii ? size : count_characters(r->out->data + start, size));
}

/* The kind of a value, without a look at what is known of its type if it is a common one. */
static inline Kind quick_kind(PyObject *value, PyTypeObject *type)
{
    return type == &PyList_Type                             ? KIND_LIST
           : type == &PyDict_Type                           ? KIND_DICT
           : type == &PyTuple_Type                          ? KIND_TUPLE
           : value == Py_None || type == &PyBool_Type       ? KIND_REPR
           : type == &PyFloat_Type                          ? KIND_FLOAT
                                                            : type_info(type)->kind;
}

static void put_value(Renderer *r, PyObject *value)
{
    if (--r->parts < 0 || r->characters < 0) {
        put_ellipsis(r);
        return;
    }
    PyTypeObject *type = Py_TYPE(value);
    size_t start = r->out->size;
    if (type == &PyLong_Type) {
        put_integer(r, value);
        r->characters -= (long)(r->out->size - start);
        return;
    }
    if (type == &PyUnicode_Type) {
        put_string(r, value);
        count_leaf(r, start);
        return;
    }
    Kind kind = quick_kind(value, type);
    if (kind < KIND_LIST && put_leaf(r, value, kind)) {
        count_leaf(r, start);
        return;
    }
    bool is_cyclic = false;
    for (int i = 0; i < r->depth; i++) {
        is_cyclic |= r->inside[i] == value;
    }
    if (is_cyclic || r->depth >= r->limits.depth) {
        put_stub(r, value, kind, is_cyclic);
        return;
    }
    r->inside[r->depth++] = value;
    put_compound(r, value, kind);
    r->depth--;
}

static void render_start(Renderer *renderer, Buffer *out)
{
    renderer->out = out;
    renderer->parts = renderer->limits.parts;
    renderer->characters = 4 * renderer->limits.characters;
    renderer->depth = 0;
    renderer->is_numbering = renderer->is_ascii = true;
    renderer->is_broken = false;
}

size_t render(Renderer *renderer, Buffer *out, PyObject *value)
{
    size_t start = out->size;
    render_start(renderer, out);
    put_value(renderer, value);
    if (renderer->is_broken) { /* an object that is broken inside: whatever it does, the program must not see it */
        PyErr_Clear();
        out->size = start;
        put_char(out, '<');
        put_type_name(renderer, Py_TYPE(value));
        PUT_LITERAL(out, " not shown>");
    }
    size_t size = out->size - start;
    return renderer->is_ascii ? size : count_characters(out->data + start, size);
}

size_t render_list_end_size(const Renderer *r, Py_ssize_t count)
{
    size_t size = 1;
    if (count > r->limits.items) {
        size += sizeof ", …+" - 1;
        for (Py_ssize_t left = count - r->limits.items; left > 0; left /= 10) {
            size++;
        }
    }
    return size;
}

void render_list_more(Renderer *r, Buffer *out, PyObject *list, Py_ssize_t from)
{
    render_start(r, out);
    r->inside[r->depth++] = list;
    Py_ssize_t i = from;
    for (; i < r->limits.items && i < PyList_GET_SIZE(list); i++) {
        put_comma(r, i);
        put_owned(r, Py_NewRef(PyList_GET_ITEM(list, i)));
    }
    if (PyList_GET_SIZE(list) > r->limits.items) {
        PUT_LITERAL(out, ", ");
        put_rest(r, PyList_GET_SIZE(list) - r->limits.items);
    }
    put_char(out, ']');
}

int render_init(void)
{
    return types_init();
}

void render_clear(Renderer *renderer)
{
    for (int i = 0; renderer->texts != NULL && i < CACHED_TEXTS; i++) {
        free(renderer->texts[i].text);
    }
    free(renderer->texts);
    free(renderer->given);
    free(renderer->numbers);
    free(renderer->type_counts);
    renderer->texts = NULL;
    renderer->given = NULL;
    renderer->numbers = NULL;
    renderer->type_counts = NULL;
    renderer->numbers_capacity = renderer->types_capacity = 0;
}
