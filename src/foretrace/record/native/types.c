#include <stdbool.h>

#include "types.h"

PyTypeObject *type_deque, *type_datetime_timezone;
static PyTypeObject *type_enum;
static PyObject *str_dict, *str_fields, *str_dataclass_fields;
TypeInfo type_cache[CACHED_TYPES];
static struct {
    PyTypeObject *type;
    Kind kind;
} exact[64];
static int exact_count;

static void add_exact(PyTypeObject *type, Kind kind)
{
    exact[exact_count].type = type;
    exact[exact_count++].kind = kind;
}

/* Imports a class; the reference is kept for as long as the process lives. */
static PyTypeObject *import_class(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module);
    PyObject *type = found != NULL ? PyObject_GetAttrString(found, name) : NULL;
    Py_XDECREF(found);
    if (type != NULL && !PyType_Check(type)) {
        Py_CLEAR(type);
        PyErr_Format(PyExc_TypeError, "%s.%s is not a class", module, name);
    }
    return (PyTypeObject *)type;
}

int types_init(void)
{
    static const struct {
        const char *module, *name;
        Kind kind;
    } imported[] = {
        {"datetime", "date", KIND_REPR},
        {"datetime", "timedelta", KIND_REPR},
        {"datetime", "timezone", KIND_REPR},
        {"datetime", "datetime", KIND_DATED},
        {"datetime", "time", KIND_DATED},
        {"decimal", "Decimal", KIND_REPR},
        {"pathlib", "PosixPath", KIND_REPR},
        {"pathlib", "WindowsPath", KIND_REPR},
        {"pathlib", "PurePosixPath", KIND_REPR},
        {"pathlib", "PureWindowsPath", KIND_REPR},
        {"fractions", "Fraction", KIND_FRACTION},
        {"types", "FunctionType", KIND_FUNCTION},
        {"types", "BuiltinFunctionType", KIND_FUNCTION},
        {"types", "MethodType", KIND_FUNCTION},
        {"types", "MethodDescriptorType", KIND_FUNCTION},
        {"types", "MethodWrapperType", KIND_FUNCTION},
        {"types", "ClassMethodDescriptorType", KIND_FUNCTION},
        {"types", "MappingProxyType", KIND_PROXY},
        {"collections", "deque", KIND_DEQUE},
        {"collections", "Counter", KIND_COUNTER},
        {"collections", "OrderedDict", KIND_ORDERED_DICT},
        {"collections", "defaultdict", KIND_DEFAULT_DICT},
        {"array", "array", KIND_ARRAY},
    };
    if (exact_count) {
        return 0;
    }
    str_dict = PyUnicode_InternFromString("__dict__");
    str_fields = PyUnicode_InternFromString("_fields");
    str_dataclass_fields = PyUnicode_InternFromString("__dataclass_fields__");
    type_enum = import_class("enum", "Enum");
    type_deque = import_class("collections", "deque");
    type_datetime_timezone = import_class("datetime", "timezone");
    if (!str_dict || !str_fields || !str_dataclass_fields || !type_enum || !type_deque || !type_datetime_timezone) {
        return -1;
    }
    for (size_t i = 0; i < sizeof imported / sizeof *imported; i++) {
        PyTypeObject *type = import_class(imported[i].module, imported[i].name);
        if (type == NULL) {
            exact_count = 0;
            return -1;
        }
        add_exact(type, imported[i].kind);
    }
    add_exact(&PyUnicode_Type, KIND_STRING);
    add_exact(&PyBytes_Type, KIND_BYTES);
    add_exact(&PyByteArray_Type, KIND_BYTEARRAY);
    add_exact(&PyLong_Type, KIND_INT);
    add_exact(&PyFloat_Type, KIND_FLOAT);
    add_exact(&PyBool_Type, KIND_REPR);
    add_exact(&PyComplex_Type, KIND_REPR);
    add_exact(Py_TYPE(Py_None), KIND_REPR);
    add_exact(Py_TYPE(Py_Ellipsis), KIND_REPR);
    add_exact(Py_TYPE(Py_NotImplemented), KIND_REPR);
    add_exact(&PyModule_Type, KIND_MODULE);
    add_exact(&PyRange_Type, KIND_RANGE);
    add_exact(&PyList_Type, KIND_LIST);
    add_exact(&PyTuple_Type, KIND_TUPLE);
    add_exact(&PySet_Type, KIND_SET);
    add_exact(&PyFrozenSet_Type, KIND_FROZENSET);
    add_exact(&PyDict_Type, KIND_DICT);
    add_exact(&PyDictKeys_Type, KIND_KEYS);
    add_exact(&PyDictValues_Type, KIND_VALUES);
    add_exact(&PyDictItems_Type, KIND_ITEMS);
    add_exact(&PySlice_Type, KIND_SLICE);
    return 0;
}

/* The dictionary of a class, owned; static built-in types keep theirs elsewhere from 3.12 on. */
static PyObject *class_dict(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyType_GetDict(type);
#else
    Py_XINCREF(type->tp_dict);
    return type->tp_dict;
#endif
}

/* What a class itself says of `name`, owned; NULL without an exception if nothing. */
static PyObject *class_own(PyTypeObject *type, PyObject *name)
{
    PyObject *dict = class_dict(type);
    PyObject *found = dict != NULL ? PyDict_GetItemWithError(dict, name) : NULL;
    Py_XINCREF(found);
    Py_XDECREF(dict);
    PyErr_Clear();
    return found;
}

static bool is_field_names(PyObject *fields)
{
    if (fields == NULL || !PyTuple_CheckExact(fields)) {
        return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); i++) {
        if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(fields, i))) {
            return false;
        }
    }
    return true;
}

/* The first class in the order of inheritance whose content an instance shows. */
static Kind content_of(PyTypeObject *type)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        if (base == &PyList_Type) return KIND_LIST;
        if (base == &PyTuple_Type) return KIND_TUPLE;
        if (base == &PySet_Type) return KIND_SET;
        if (base == &PyFrozenSet_Type) return KIND_FROZENSET;
        if (base == &PyDict_Type) return KIND_DICT;
        if (base == &PyUnicode_Type) return KIND_STRING;
        if (base == &PyLong_Type) return KIND_INT;
        if (base == &PyFloat_Type) return KIND_FLOAT;
        if (base == &PyBytes_Type) return KIND_BYTES;
        if (base == type_deque) return KIND_DEQUE;
    }
    return KIND_OBJECT;
}

static Kind kind_of(PyTypeObject *type)
{
    for (int i = 0; i < exact_count; i++) {
        if (exact[i].type == type) {
            return exact[i].kind;
        }
    }
    if (PyType_FastSubclass(type, Py_TPFLAGS_TYPE_SUBCLASS)) {
        return KIND_CLASS;
    }
    if (Py_TYPE(type) != &PyType_Type) {
        if (PyType_IsSubtype(type, type_enum)) {
            return KIND_ENUM;
        }
    }
    else if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) && strcmp(type->tp_name, "numpy.ndarray") == 0) {
        return KIND_NDARRAY;
    }
    if (PyType_FastSubclass(type, Py_TPFLAGS_TUPLE_SUBCLASS)) {
        PyObject *fields = class_own(type, str_fields);
        bool is_named = is_field_names(fields);
        Py_XDECREF(fields);
        if (is_named) {
            return KIND_NAMED_TUPLE;
        }
    }
    if (PyType_FastSubclass(type, Py_TPFLAGS_BASE_EXC_SUBCLASS)) {
        return KIND_EXCEPTION;
    }
    PyObject *fields = class_own(type, str_dataclass_fields);
    Py_XDECREF(fields);
    return fields != NULL ? KIND_DATACLASS : KIND_OBJECT;
}

static bool is_dunder(PyObject *name)
{
    return PyUnicode_GET_LENGTH(name) >= 2 && PyUnicode_READ_CHAR(name, 0) == '_' && PyUnicode_READ_CHAR(name, 1) == '_';
}

/* Appends the slots that `base` itself has. Its dictionary may also hold some of a class that `type` is none of. */
static void add_slots(TypeInfo *info, PyTypeObject *type, PyTypeObject *base)
{
    PyObject *dict = base->tp_flags & Py_TPFLAGS_HEAPTYPE ? class_dict(base) : NULL;
    PyObject *name, *member;
    Py_ssize_t at = 0;
    while (dict != NULL && PyDict_Next(dict, &at, &name, &member)) {
        if (Py_TYPE(member) != &PyMemberDescr_Type || !PyUnicode_CheckExact(name) || is_dunder(name) ||
            !PyType_IsSubtype(type, PyDescr_TYPE(member))) {
            continue;
        }
        SlotOfType *slots = realloc(info->slots, (size_t)(info->slot_count + 1) * sizeof *slots);
        if (slots == NULL) {
            break;
        }
        info->slots = slots;
        slots[info->slot_count].name = name;
        slots[info->slot_count++].member = ((PyMemberDescrObject *)member)->d_member;
    }
    Py_XDECREF(dict);
}

static void find_attributes(TypeInfo *info, PyTypeObject *type)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = mro != NULL ? PyTuple_GET_SIZE(mro) - 1 : -1; i >= 0; i--) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        add_slots(info, type, base);
        PyObject *member = class_own(base, str_dict);
        info->has_dict |= member != NULL && Py_TYPE(member) == &PyGetSetDescr_Type;
        Py_XDECREF(member);
    }
}

const TypeInfo *type_find_out(PyTypeObject *type, TypeInfo *info, unsigned int version)
{
    free(info->slots);
    *info = (TypeInfo){.type = type, .version = version, .kind = kind_of(type), .content = KIND_OBJECT};
    if (info->kind >= KIND_NAMED_TUPLE || info->kind == KIND_ENUM) {
        find_attributes(info, type);
        info->content = content_of(type);
    }
    return info;
}
