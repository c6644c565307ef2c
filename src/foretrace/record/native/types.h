/* What kind of value a type makes, and where its instances keep their attributes. */
#ifndef FORETRACE_TYPES_H
#define FORETRACE_TYPES_H

#include "compat.h"

typedef enum {
    /* leaves: values without parts */
    KIND_STRING, KIND_BYTES, KIND_BYTEARRAY, KIND_INT, KIND_FLOAT, KIND_CLASS, KIND_ENUM, KIND_REPR, KIND_FUNCTION, KIND_MODULE,
    KIND_RANGE, KIND_FRACTION, KIND_DATED,
    /* containers with brackets */
    KIND_LIST, KIND_TUPLE, KIND_DEQUE, KIND_SET, KIND_FROZENSET, KIND_DICT, KIND_COUNTER, KIND_ORDERED_DICT, KIND_KEYS,
    KIND_VALUES, KIND_ITEMS,
    /* all others */
    KIND_PROXY, KIND_DEFAULT_DICT, KIND_SLICE, KIND_ARRAY, KIND_NDARRAY, KIND_NAMED_TUPLE, KIND_EXCEPTION, KIND_DATACLASS,
    KIND_OBJECT,
} Kind;

typedef struct {
    PyObject *name;
    PyMemberDef *member;
} SlotOfType;

typedef struct {
    PyTypeObject *type; /* not owned: valid as long as `version` is the type's */
    unsigned int version;
    Kind kind;
    Kind content; /* of an instance of a subclass of a built-in type; KIND_OBJECT if there is none */
    bool has_dict;
    int slot_count;
    SlotOfType *slots;
} TypeInfo;

/* Types of the standard library that render.c names. */
extern PyTypeObject *type_deque, *type_datetime_timezone;

int types_init(void);

#define CACHED_TYPES 256
extern TypeInfo type_cache[CACHED_TYPES];
const TypeInfo *type_find_out(PyTypeObject *type, TypeInfo *info, unsigned int version);

/* Never NULL and never raises; valid until the next call. */
static inline const TypeInfo *type_info(PyTypeObject *type)
{
    TypeInfo *info = &type_cache[((uintptr_t)type >> 4) * 0x9E3779B97F4A7C15u >> 56];
    unsigned int version = class_version(type);
    return info->type == type && info->version == version && version != 0 ? info : type_find_out(type, info, version);
}

#endif
