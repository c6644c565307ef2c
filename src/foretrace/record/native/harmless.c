/* See harmless.h. */
#include "harmless.h"

#define MAX_PLAIN 16 /* items that are looked at one by one */

char plain_mark, some_mark, pair_mark;

/* ---- what the standard library's own objects do -------------------------------------------------- */

typedef enum { TAKES_PLAIN, LEN, ISINSTANCE, ID } Takes;

static struct {
    const char *name;
    Takes takes;
    PyObject *function;
} functions[] = {{"len", LEN, 0},           {"isinstance", ISINSTANCE, 0}, {"id", ID, 0},          {"abs", TAKES_PLAIN, 0},
                 {"ord", TAKES_PLAIN, 0},   {"chr", TAKES_PLAIN, 0},       {"min", TAKES_PLAIN, 0}, {"max", TAKES_PLAIN, 0},
                 {"round", TAKES_PLAIN, 0}, {"int", TAKES_PLAIN, 0},       {"str", TAKES_PLAIN, 0}, {"float", TAKES_PLAIN, 0},
                 {"bool", TAKES_PLAIN, 0}};
#define FUNCTION_COUNT (sizeof functions / sizeof *functions)

/* Methods of strings whose result is plain if the arguments are. */
static const char *const method_names[] = {"startswith", "endswith", "upper",   "lower",   "strip",   "lstrip",  "rstrip",
                                           "find",       "rfind",    "count",   "replace", "isdigit", "isalpha", "isalnum",
                                           "isspace",    "isupper",  "islower", "title",   "zfill",   "ljust",   "rjust"};
#define METHOD_COUNT (sizeof method_names / sizeof *method_names)
static PyObject *methods[METHOD_COUNT], *method_get, *str_class, *class_of_object;

static PyTypeObject *type_string_iterators[2];

int harmless_init(void)
{
    PyObject *builtins = PyEval_GetBuiltins();
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        functions[i].function = PyDict_GetItemString(builtins, functions[i].name); /* kept: the module lives on */
        Py_XINCREF(functions[i].function);
    }
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        methods[i] = PyObject_GetAttrString((PyObject *)&PyUnicode_Type, method_names[i]);
    }
    method_get = PyObject_GetAttrString((PyObject *)&PyDict_Type, "get");
    str_class = PyUnicode_InternFromString("__class__");
    class_of_object = str_class != NULL ? _PyType_Lookup(&PyBaseObject_Type, str_class) : NULL;
    static const char *const samples[] = {"a", "\u00e9\u4e00"};
    for (int i = 0; i < 2; i++) {
        PyObject *sample = PyUnicode_FromString(samples[i]);
        PyObject *iterator = sample != NULL ? PyObject_GetIter(sample) : NULL;
        type_string_iterators[i] = iterator != NULL ? Py_TYPE(iterator) : NULL;
        Py_XDECREF(iterator);
        Py_XDECREF(sample);
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* Whether a container is small and all that it holds, or the keys of a dictionary, is plain: comparing with it runs no code. */
static bool holds_plain(PyObject *container)
{
    PyTypeObject *type = Py_TYPE(container);
    if (type == &PyList_Type || type == &PyTuple_Type) {
        PyObject **items = PySequence_Fast_ITEMS(container);
        bool holds = Py_SIZE(container) <= MAX_PLAIN;
        for (Py_ssize_t i = 0; holds && i < Py_SIZE(container); i++) {
            holds = is_plain_object(items[i]);
        }
        return holds;
    }
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (type == &PyDict_Type) {
        bool holds = PyDict_GET_SIZE(container) <= MAX_PLAIN;
        while (holds && PyDict_Next(container, &at, &key, &value)) {
            holds = is_plain_object(key);
        }
        return holds;
    }
    if (type == &PySet_Type || type == &PyFrozenSet_Type) {
        Py_hash_t hash;
        bool holds = PySet_GET_SIZE(container) <= MAX_PLAIN;
        while (holds && _PySet_NextEntry(container, &at, &key, &hash)) {
            holds = is_plain_object(key);
        }
        return holds;
    }
    return false;
}

static bool is_sized(PyTypeObject *type)
{
    return type == &PyList_Type || type == &PyTuple_Type || type == &PyDict_Type || type == &PySet_Type ||
           type == &PyFrozenSet_Type || type == &PyBytes_Type || type == &PyRange_Type;
}

int truth_of(PyObject *value)
{
    if (value == PLAIN) {
        return 2;
    }
    if (!is_known(value)) {
        return -1;
    }
    PyTypeObject *type = Py_TYPE(value);
    bool is_asked = type->tp_as_number != NULL && type->tp_as_number->nb_bool != NULL;
    is_asked |= type->tp_as_mapping != NULL && type->tp_as_mapping->mp_length != NULL;
    is_asked |= type->tp_as_sequence != NULL && type->tp_as_sequence->sq_length != NULL;
    return !is_asked ? 1 : is_plain_object(value) || is_sized(type) ? PyObject_IsTrue(value) : -1;
}

PyObject *attribute_of(PyObject *object, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_getattro != PyObject_GenericGetAttr) {
        return NULL;
    }
    PyObject *found = _PyType_Lookup(type, name);
    if (found != NULL && Py_TYPE(found)->tp_descr_get != NULL && !Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        return NULL;
    }
    Attributes own;
    attributes_find(object, &own);
    if (own.dict != NULL && !has_string_keys(own.dict)) {
        return NULL;
    }
    PyObject *value = _PyObject_GenericGetAttrWithDict(object, name, NULL, 1);
    if (value == NULL) {
        PyErr_Clear();
        return NULL;
    }
    bool is_held = Py_REFCNT(value) > 1; /* else it was made just now */
    Py_DECREF(value);
    return is_held ? value : NULL;
}

PyObject *item_of(PyObject *container, PyObject *index)
{
    if (!is_known(container)) {
        return NULL;
    }
    PyTypeObject *type = Py_TYPE(container);
    if (type == &PyUnicode_Type) {
        return is_plain(index) ? PLAIN : NULL;
    }
    if (type == &PyDict_Type) {
        bool is_string = is_known(index) && PyUnicode_CheckExact(index);
        return is_string && has_string_keys(container) ? PyDict_GetItemWithError(container, index) : NULL;
    }
    if (type != &PyList_Type && type != &PyTuple_Type) {
        return NULL;
    }
    long long at;
    if (!is_known(index) || !PyLong_CheckExact(index)) {
        return index == PLAIN ? SOME : NULL;
    }
    if (!int_is_compact(index, &at)) {
        return NULL;
    }
    at += at < 0 ? Py_SIZE(container) : 0;
    return at >= 0 && at < Py_SIZE(container) ? PySequence_Fast_ITEMS(container)[at] : NULL;
}

bool can_contain(PyObject *container, PyObject *value)
{
    if (!is_known(container) || !is_plain(value)) {
        return false;
    }
    bool is_string = is_known(value) && PyUnicode_CheckExact(value);
    return PyUnicode_CheckExact(container) || holds_plain(container) || (is_string && has_string_keys(container));
}

static bool is_class(PyObject *value)
{
    return is_known(value) && Py_TYPE(value) == &PyType_Type;
}

static bool can_be_instance(PyObject *value, PyObject *classes)
{
    if (is_known(classes) && PyTuple_CheckExact(classes)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(classes); i++) {
            if (!is_class(PyTuple_GET_ITEM(classes, i))) {
                return false;
            }
        }
    }
    else if (!is_class(classes)) {
        return false;
    }
    return value == PLAIN || (is_known(value) && Py_TYPE(value)->tp_getattro == PyObject_GenericGetAttr &&
                              _PyType_Lookup(Py_TYPE(value), str_class) == class_of_object);
}

PyObject *call_of(PyObject *callable, PyObject *self, PyObject *const *arguments, int count)
{
    bool are_plain = self == NULL || is_plain(self);
    for (int i = 0; i < count; i++) {
        are_plain &= is_plain(arguments[i]);
    }
    if (callable == method_get && self != NULL && count == 1) {
        bool is_string = is_known(arguments[0]) && PyUnicode_CheckExact(arguments[0]);
        PyObject *value = item_of(self, arguments[0]);
        return value != NULL ? value : is_string && has_string_keys(self) ? Py_None : NULL;
    }
    for (size_t i = 0; self != NULL && i < METHOD_COUNT; i++) {
        if (callable == methods[i]) {
            return are_plain ? PLAIN : NULL;
        }
    }
    for (size_t i = 0; self == NULL && i < FUNCTION_COUNT; i++) {
        if (callable != functions[i].function) {
            continue;
        }
        switch (functions[i].takes) {
        case LEN:
            return count == 1 && (is_plain(arguments[0]) || (is_known(arguments[0]) && is_sized(Py_TYPE(arguments[0])))) ? PLAIN
                                                                                                                         : NULL;
        case ISINSTANCE:
            return count == 2 && can_be_instance(arguments[0], arguments[1]) ? PLAIN : NULL;
        case ID:
            return PLAIN;
        default:
            return are_plain ? PLAIN : NULL;
        }
    }
    return NULL;
}

/* ---- iterators: the first fields of the interpreter's own ---------------------------------------- */

typedef struct {
    PyObject_HEAD
    Py_ssize_t index;
    PyObject *sequence;
} SequenceIterator;

typedef struct {
    PyObject_HEAD
    PyObject *dict;
    Py_ssize_t used, position;
    PyObject *pair; /* that was given last, to be used again */
} DictIterator;

static bool may_be_dropped(PyObject *value, Py_ssize_t references)
{
    return value == NULL || is_plain_object(value) || Py_REFCNT(value) > references;
}

PyObject *next_of(PyObject *iterator, bool *ends)
{
    PyTypeObject *type = Py_TYPE(iterator);
    *ends = true;
    if (type == &PyRangeIter_Type || type == type_string_iterators[0] || type == type_string_iterators[1]) {
        return PLAIN;
    }
    if (type == &PyListIter_Type || type == &PyTupleIter_Type) {
        SequenceIterator *it = (SequenceIterator *)iterator;
        if (it->sequence != NULL && it->index < Py_SIZE(it->sequence)) {
            *ends = false;
            return PySequence_Fast_ITEMS(it->sequence)[it->index];
        }
        *ends = may_be_dropped(it->sequence, 1);
        return NULL;
    }
    if (type == &PyDictIterKey_Type || type == &PyDictIterValue_Type || type == &PyDictIterItem_Type) {
        DictIterator *it = (DictIterator *)iterator;
        PyObject *pair = type == &PyDictIterItem_Type ? it->pair : NULL;
        *ends = it->dict != NULL && may_be_dropped(it->dict, 1);
        *ends = *ends && (pair == NULL || (may_be_dropped(PyTuple_GET_ITEM(pair, 0), 2) &&
                                           may_be_dropped(PyTuple_GET_ITEM(pair, 1), 2)));
        return !*ends ? NULL : type == &PyDictIterItem_Type ? PAIR : SOME;
    }
    *ends = false;
    return NULL;
}
