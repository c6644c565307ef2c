/* `Node#2`: which of its kind an object is in its frame. */
#include "render_parts.h"

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
    r->numberings++;
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
void put_object_name(Renderer *r, PyObject *value)
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
