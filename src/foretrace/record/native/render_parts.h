/* What the parts of the renderer have of each other. A function appends to `renderer->out`; what goes wrong sets
   `renderer->is_broken`. */
#ifndef FORETRACE_RENDER_PARTS_H
#define FORETRACE_RENDER_PARTS_H

#include "render.h"
#include "types.h"

/* ---- render.c ---- */
void put_value(Renderer *r, PyObject *value);

/* ---- render_text.c ---- */
/* A Python string, as UTF-8 with lone surrogates passed through; `count` code points of it at most. */
void put_unicode(Renderer *r, PyObject *text, Py_ssize_t count);
void put_ellipsis(Renderer *r);
void put_rest(Renderer *r, Py_ssize_t left);
void put_name(Renderer *r, PyObject *name);
/* What `type.__name__` is. */
void put_type_name(Renderer *r, PyTypeObject *type);
void put_repr(Renderer *r, PyObject *value);
void put_string(Renderer *r, PyObject *value);
void put_byte_string(Renderer *r, PyObject *value, bool is_array);
void put_integer(Renderer *r, PyObject *value);
void put_float(Renderer *r, double value);

/* ---- render_numbers.c ---- */
void put_object_name(Renderer *r, PyObject *value);

/* ---- render_leaf.c ---- */
/* Writes a value that has no parts; false if it has some. */
bool put_leaf(Renderer *r, PyObject *value, Kind kind);

/* ---- render_container.c ---- */
void put_items(Renderer *r, PyObject *value, bool is_list);
void put_list(Renderer *r, PyObject *value);
void put_tuple(Renderer *r, PyObject *value);
void put_deque(Renderer *r, PyObject *value, bool is_exact);
void put_set(Renderer *r, PyObject *value, Kind kind);
void put_mapping(Renderer *r, PyObject *dict, Kind kind);
/* What a mapping proxy or a view of a dictionary holds, borrowed. */
PyObject *inner_mapping(PyObject *value);
/* What stands for a container inside itself or below the depth limit. */
void put_stub(Renderer *r, PyObject *value, Kind kind, bool is_cyclic);

/* ---- render_object.c ---- */
void put_object(Renderer *r, PyObject *value, const TypeInfo *info);
void put_named_tuple(Renderer *r, PyObject *value);
void put_exception(Renderer *r, PyObject *value);
void put_attribute_value(Renderer *r, PyObject *value, const char *name);
void put_slice(Renderer *r, PyObject *value);
void put_array(Renderer *r, PyObject *value);
void put_dated(Renderer *r, PyObject *value);
void put_ndarray(Renderer *r, PyObject *value);

/* ---- small ones ---- */

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

#endif
