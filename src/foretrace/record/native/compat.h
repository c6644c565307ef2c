/* What differs between the versions of CPython: frames, code objects, instances. Nothing else here looks inside them. */
#ifndef FORETRACE_COMPAT_H
#define FORETRACE_COMPAT_H

#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <structmember.h>
#include "internal/pycore_code.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_genobject.h"
#include "internal/pycore_object.h"
#if PY_VERSION_HEX >= 0x030D0000
#include "internal/pycore_setobject.h"
#endif
#include "opcode.h"

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030E0000
#error "the recorder in C knows Python 3.11, 3.12 and 3.13; the reference recorder takes its place"
#endif
#ifdef Py_GIL_DISABLED
#error "the recorder in C needs the global interpreter lock; the reference recorder takes its place"
#endif

#define HAS_MONITORING (PY_VERSION_HEX >= 0x030C0000)

typedef _PyInterpreterFrame InterpreterFrame;

static inline PyCodeObject *frame_code(const InterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    return (PyCodeObject *)frame->f_executable;
#else
    return frame->f_code;
#endif
}

/* Offset in bytes of the instruction at which a frame stands. */
static inline int frame_offset(InterpreterFrame *frame)
{
    return _PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT);
}

/* The instruction at an offset as it stands: it may be instrumented or specialised. */
static inline int raw_opcode(PyCodeObject *code, int offset)
{
#if HAS_MONITORING
    return _PyCode_CODE(code)[offset / (int)sizeof(_Py_CODEUNIT)].op.code;
#else
    return _Py_OPCODE(_PyCode_CODE(code)[offset / (int)sizeof(_Py_CODEUNIT)]);
#endif
}

static inline int raw_argument(PyCodeObject *code, int offset)
{
#if HAS_MONITORING
    return _PyCode_CODE(code)[offset / (int)sizeof(_Py_CODEUNIT)].op.arg;
#else
    return _Py_OPARG(_PyCode_CODE(code)[offset / (int)sizeof(_Py_CODEUNIT)]);
#endif
}

static inline int returns_value(int opcode)
{
#if HAS_MONITORING
    return opcode == RETURN_VALUE || opcode == INSTRUMENTED_RETURN_VALUE;
#else
    return opcode == RETURN_VALUE;
#endif
}

#if HAS_MONITORING
/* The innermost Python frame of this thread. */
static inline InterpreterFrame *current_frame(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked()->current_frame;
#else
    return PyThreadState_Get()->cframe->current_frame;
#endif
}
#endif

/* The exception that a running handler or `finally` of this thread was entered with, borrowed; NULL if none runs. */
static inline PyObject *handled_exception(void)
{
    const _PyErr_StackItem *item = PyThreadState_Get()->exc_info;
    while ((item->exc_value == NULL || item->exc_value == Py_None) && item->previous_item != NULL) {
        item = item->previous_item;
    }
    return item->exc_value != Py_None ? item->exc_value : NULL;
}

/* The value of variable `i` of a frame, borrowed, out of its cell if it has one; NULL if it is not bound. */
static inline PyObject *frame_local(InterpreterFrame *frame, int i, unsigned char kind)
{
    PyObject *value = frame->localsplus[i];
    if (value != NULL && kind & (CO_FAST_CELL | CO_FAST_FREE) && PyCell_Check(value)) {
        return PyCell_GET(value);
    }
    return value;
}

static inline int variable_is_hidden(unsigned char kind)
{
#ifdef CO_FAST_HIDDEN
    return (kind & CO_FAST_HIDDEN) != 0;
#else
    (void)kind;
    return 0;
#endif
}

/* Whether an exact or subclassed int fits one digit, and its value then. */
static inline int int_is_compact(PyObject *value, long long *out)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)value)) {
        return 0;
    }
    *out = PyUnstable_Long_CompactValue((PyLongObject *)value);
    return 1;
#else
    Py_ssize_t size = Py_SIZE(value);
    if (size < -1 || size > 1) {
        return 0;
    }
    *out = size == 0 ? 0 : (long long)size * ((PyLongObject *)value)->ob_digit[0];
    return 1;
#endif
}

/* A number that changes whenever a class is changed, 0 if it has none. */
static inline unsigned int class_version(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyUnstable_Type_AssignVersionTag(type) ? type->tp_version_tag : 0;
#else
    if (!(type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG)) {
        _PyType_Lookup(type, Py_None); /* assigns one */
        PyErr_Clear();
    }
    return type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG ? type->tp_version_tag : 0;
#endif
}

/* The attributes of an instance: a dictionary, or values whose names its class shares. */
typedef struct {
    PyObject *dict;
    PyDictValues *values;
    PyDictKeysObject *keys;
    Py_ssize_t count;
} Attributes;

/* Finds them without making a dictionary. Nothing is owned; both pointers are NULL if there are none. */
static inline void attributes_find(PyObject *object, Attributes *found)
{
    PyTypeObject *type = Py_TYPE(object);
    found->dict = NULL;
    found->values = NULL;
    found->count = 0;
    if (!(type->tp_flags & Py_TPFLAGS_MANAGED_DICT)) {
        PyObject **pointer = _PyObject_GetDictPtr(object);
        found->dict = pointer != NULL ? *pointer : NULL;
        return;
    }
#if PY_VERSION_HEX >= 0x030D0000
    if (type->tp_flags & Py_TPFLAGS_INLINE_VALUES && _PyObject_InlineValues(object)->valid) {
        found->values = _PyObject_InlineValues(object);
        found->count = found->values->size;
    }
    else {
        found->dict = (PyObject *)_PyObject_GetManagedDict(object);
    }
#elif PY_VERSION_HEX >= 0x030C0000
    PyDictOrValues pointer = *_PyObject_DictOrValuesPointer(object);
    if (_PyDictOrValues_IsValues(pointer)) {
        found->values = _PyDictOrValues_GetValues(pointer);
    }
    else {
        found->dict = _PyDictOrValues_GetDict(pointer);
    }
#else
    found->values = *_PyObject_ValuesPointer(object);
    if (found->values == NULL) {
        found->dict = *_PyObject_ManagedDictPointer(object);
    }
#endif
    if (found->values != NULL) {
        found->keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
#if PY_VERSION_HEX < 0x030D0000
        found->count = ((uint8_t *)found->values)[-2];
#endif
    }
}

/* Attribute `at` of `found->values` in the order in which they were set, and its place among the names of the class; the
   value may be NULL. */
static inline PyObject *attributes_get(const Attributes *found, Py_ssize_t at, PyObject **name, Py_ssize_t *place)
{
#if PY_VERSION_HEX >= 0x030D0000
    Py_ssize_t index = ((uint8_t *)&found->values->values[found->values->capacity])[at];
#else
    Py_ssize_t index = ((uint8_t *)found->values)[-3 - at];
#endif
    *place = index;
    *name = DK_UNICODE_ENTRIES(found->keys)[index].me_key;
    return found->values->values[index];
}

/* The entries of a dictionary all of whose keys are strings, and how many there are, unused ones with a NULL value among them;
   NULL for other dictionaries. */
static inline const PyDictUnicodeEntry *dict_entries(PyObject *dict, Py_ssize_t *count)
{
    PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
    *count = keys->dk_nentries;
    return ((PyDictObject *)dict)->ma_values == NULL && DK_IS_UNICODE(keys) ? DK_UNICODE_ENTRIES(keys) : NULL;
}

/* Whether all keys are strings, so that looking one up runs no code of the program. */
static inline int has_string_keys(PyObject *dict)
{
    return PyDict_CheckExact(dict) && DK_IS_UNICODE(((PyDictObject *)dict)->ma_keys);
}

/* The end of a frame's stack of values, and how many there are; 0 if that is not known. */
static inline Py_ssize_t frame_stack(InterpreterFrame *frame, PyObject ***top)
{
    Py_ssize_t depth = frame->stacktop - frame_code(frame)->co_nlocalsplus;
    *top = frame->localsplus + frame->stacktop;
    return depth > 0 ? depth : 0;
}

/* The frame of a generator or a coroutine. */
static inline const InterpreterFrame *generator_frame(PyObject *generator)
{
    return (const InterpreterFrame *)((PyGenObject *)generator)->gi_iframe;
}

/* Whether the interpreter tells of a new line at an instruction that is reached from another line. */
static inline int starts_line(PyCodeObject *code, int offset)
{
#if HAS_MONITORING
    return raw_opcode(code, offset) == INSTRUMENTED_LINE;
#else
    (void)code;
    (void)offset;
    return 1;
#endif
}

/* Memory of ours that goes with a code object. */
static inline Py_ssize_t code_extra_index(freefunc release)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyUnstable_Eval_RequestCodeExtraIndex(release);
#else
    return _PyEval_RequestCodeExtraIndex(release);
#endif
}

static inline void *code_extra(PyCodeObject *code, Py_ssize_t index)
{
    void *extra = NULL;
#if PY_VERSION_HEX >= 0x030C0000
    PyUnstable_Code_GetExtra((PyObject *)code, index, &extra);
#else
    _PyCode_GetExtra((PyObject *)code, index, &extra);
#endif
    return extra;
}

static inline int code_set_extra(PyCodeObject *code, Py_ssize_t index, void *extra)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyUnstable_Code_SetExtra((PyObject *)code, index, extra);
#else
    return _PyCode_SetExtra((PyObject *)code, index, extra);
#endif
}

#endif
