/* Sequences, sets and mappings. */
#include "render_parts.h"

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

/* The items of a list or tuple, read anew each time: what is called in between may change a list. */
void put_items(Renderer *r, PyObject *value, bool is_list)
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

void put_list(Renderer *r, PyObject *value)
{
    put_char(r->out, '[');
    put_items(r, value, true);
    put_char(r->out, ']');
}

void put_tuple(Renderer *r, PyObject *value)
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
void put_deque(Renderer *r, PyObject *value, bool is_exact)
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
    size_t size = x->size < y->size ? x->size : y->size;
    int order = size ? memcmp(element_texts + x->start, element_texts + y->start, size) : 0;
    if (order == 0 && x->size != y->size) {
        return x->size < y->size ? -1 : 1;
    }
    return order ? order : x->index < y->index ? -1 : 1;
}

/* Elements by their texts; the numbers of objects among them are given in that order. */
void put_set(Renderer *r, PyObject *value, Kind kind)
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

void put_mapping(Renderer *r, PyObject *dict, Kind kind)
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
PyObject *inner_mapping(PyObject *value)
{
    struct {
        PyObject_HEAD
        PyObject *inner;
    } *holder = (void *)value;
    return holder->inner;
}

/* What stands for a container inside itself (as `repr` writes it) or below the depth limit. */
void put_stub(Renderer *r, PyObject *value, Kind kind, bool is_cyclic)
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
