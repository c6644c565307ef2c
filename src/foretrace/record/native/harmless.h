/* What can be done with values so that no code of the program runs and no object changes: what comes of it. */
#ifndef FORETRACE_HARMLESS_H
#define FORETRACE_HARMLESS_H

#include <stdbool.h>

#include "compat.h"

/* Values that are not known. `plain`: a number, a string, or None; `some`: an object that lives on elsewhere; `pair`: a tuple of
   two such. */
extern char plain_mark, some_mark, pair_mark;
#define PLAIN ((PyObject *)&plain_mark)
#define SOME ((PyObject *)&some_mark)
#define PAIR ((PyObject *)&pair_mark)

static inline bool is_known(const PyObject *value)
{
    return value != NULL && value != PLAIN && value != SOME && value != PAIR;
}

static inline bool is_plain_object(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type || type == &PyBool_Type || value == Py_None;
}

static inline bool is_plain(PyObject *value)
{
    return value == PLAIN || (is_known(value) && is_plain_object(value));
}

int harmless_init(void);
/* Whether a value is true: 1 or 0; 2 if that is not known; -1 if asking could run code. */
int truth_of(PyObject *value);
/* An attribute or an item that is only read; NULL if it is not there or reading could run code. */
PyObject *attribute_of(PyObject *object, PyObject *name);
PyObject *item_of(PyObject *container, PyObject *index);
/* Whether it can be asked if a container has a value. */
bool can_contain(PyObject *container, PyObject *value);
/* What a call returns; NULL if it could change something. `self` is NULL for a function. */
PyObject *call_of(PyObject *callable, PyObject *self, PyObject *const *arguments, int count);
/* What an iterator gives next, with `*ends` whether it may end instead; NULL with `*ends` if it is at its end, without if it could
   change something. */
PyObject *next_of(PyObject *iterator, bool *ends);

#endif
