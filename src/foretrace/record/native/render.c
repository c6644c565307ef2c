/* Which of its kinds a value is, and the limits that hold for all of them. */
#include "render_parts.h"

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

void put_value(Renderer *r, PyObject *value)
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
    if (r->is_broken) { /* nothing of it will be shown: no object gets a number any more */
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
