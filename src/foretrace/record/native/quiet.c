/* Lines that change no object: after one, the containers that a scope shows need not be looked at again.

   What a line will do is followed from its first instruction to its last, with the values that the scope has: arithmetic on
   numbers and strings, attributes and items that are only read, iteration over built-in containers, calls of a few built-in
   functions. Everything else, and whatever could run code of the program, ends the attempt. What signal handlers and finalisers
   do in between, which is so rarely that few recordings have any, is seen up to MAX_QUIET_LINES lines later. */
#include "session.h"

#ifndef WORTH_A_MAP /* a build for tests may set both to 0 */
#define WORTH_A_MAP 1000 /* parts of values looked at in a function before its lines are found out */
#define WORTH_A_LOOK 6   /* parts that a scope shows */
#endif
#define MAX_STEPS 64
#define MAX_STACK 8
#define MAX_STORED 4
#define MAX_PLAIN 16 /* items that are looked at one by one */
#define HOPELESS 8   /* attempts in vain */

/* Values that are not known. `plain`: a number, a string, or None; `some`: an object that lives on elsewhere; `pair`: a tuple of
   two such. */
static char plain_mark, some_mark, pair_mark;
#define PLAIN ((PyObject *)&plain_mark)
#define SOME ((PyObject *)&some_mark)
#define PAIR ((PyObject *)&pair_mark)

static bool is_known(const PyObject *value)
{
    return value != NULL && value != PLAIN && value != SOME && value != PAIR;
}

static bool is_plain_object(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type || type == &PyBool_Type || value == Py_None;
}

static bool is_plain(PyObject *value)
{
    return value == PLAIN || (is_known(value) && is_plain_object(value));
}

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

int quiet_init(void)
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

/* Whether a value is true: 1 or 0; 2 if that is not known; -1 if asking could run code. */
static int truth_of(PyObject *value)
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

/* An attribute that is only read; NULL if it is not there or reading could run code. */
static PyObject *attribute_of(PyObject *object, PyObject *name)
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

static PyObject *item_of(PyObject *container, PyObject *index)
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

static bool can_contain(PyObject *container, PyObject *value)
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

/* What a call returns; NULL if it could change something. */
static PyObject *call_of(PyObject *callable, PyObject *self, PyObject *const *arguments, int count)
{
    bool are_plain = self == NULL || is_plain(self);
    for (int i = 0; i < count; i++) {
        are_plain &= is_plain(arguments[i]);
    }
    if (callable == method_get && count == 1) {
        PyObject *value = item_of(self, arguments[0]);
        return value != NULL ? value : has_string_keys(self) && is_known(arguments[0]) && PyUnicode_CheckExact(arguments[0]) ? Py_None : NULL;
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

/* What an iterator gives next, with `*ends` whether it may end instead; NULL with `*ends` if it is at its end, without if it could
   change something. */
static PyObject *next_of(PyObject *iterator, bool *ends)
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

/* ---- a path through a line ----------------------------------------------------------------------- */

typedef struct {
    Quiet *quiet;
    InterpreterFrame *frame;
    PyCodeObject *code;
    const CodeMap *map;
    const unsigned char *codes;
    int start, line, steps;
    PyObject **top; /* of the frame's own stack, behind its last value */
    Py_ssize_t depth;
    bool is_unknown; /* stopped by an instruction that is never followed */
} Scan;

typedef struct {
    Scan *scan;
    int at;
    PyObject *stack[MAX_STACK]; /* on the frame's own */
    int height;
    Py_ssize_t taken; /* values of the frame's own stack that are gone */
    int stored[MAX_STORED];
    PyObject *stored_values[MAX_STORED];
    int stored_count;
    int dropped; /* variables whose value, not a plain one, was replaced */
    bool failed;
} Path;

static bool follow(Path *path);

static void push(Path *path, PyObject *value)
{
    if (path->height == MAX_STACK) {
        path->failed = true;
        return;
    }
    path->stack[path->height++] = value;
}

/* Pushes what is not NULL. */
static void push_found(Path *path, PyObject *value)
{
    path->failed |= value == NULL;
    push(path, value);
}

static PyObject *pop(Path *path)
{
    if (path->height) {
        return path->stack[--path->height];
    }
    if (path->taken < path->scan->depth) {
        PyObject *value = path->scan->top[-++path->taken];
        path->failed |= value == NULL || !is_plain_object(value); /* nobody knows who else holds it */
        return value != NULL ? value : PLAIN;
    }
    path->failed = true;
    return PLAIN;
}

static PyObject *pop_plain(Path *path)
{
    path->failed |= !is_plain(pop(path));
    return PLAIN;
}

/* The value of a variable, NULL if it is not bound. */
static PyObject *variable(const Path *path, int i)
{
    for (int k = path->stored_count; k-- > 0;) {
        if (path->stored[k] == i) {
            return path->stored_values[k];
        }
    }
    return path->scan->frame->localsplus[i];
}

static void load(Path *path, int i)
{
    push_found(path, variable(path, i));
}

static void store(Path *path, int i, PyObject *value)
{
    PyObject *before = variable(path, i);
    if (is_known(before) && !is_plain_object(before)) {
        path->failed |= path->dropped++ || Py_REFCNT(before) == 1;
    }
    if (path->stored_count == MAX_STORED) {
        path->failed = true;
        return;
    }
    path->stored[path->stored_count] = i;
    path->stored_values[path->stored_count++] = value;
}

static void load_global(Path *path, PyObject *name)
{
    PyObject *globals = path->scan->frame->f_globals, *builtins = path->scan->frame->f_builtins;
    PyObject *value = has_string_keys(globals) ? PyDict_GetItemWithError(globals, name) : NULL;
    bool is_builtin = value == NULL && has_string_keys(globals) && has_string_keys(builtins);
    push_found(path, is_builtin ? PyDict_GetItemWithError(builtins, name) : value);
}

static void load_attribute(Path *path, PyObject *name)
{
    PyObject *object = pop(path);
    push_found(path, is_known(object) ? attribute_of(object, name) : NULL);
}

static void load_method(Path *path, PyObject *name)
{
    PyObject *self = pop(path);
    PyTypeObject *type = is_known(self) ? Py_TYPE(self) : NULL;
    bool is_simple = type == &PyUnicode_Type || type == &PyDict_Type;
    push_found(path, is_simple ? _PyType_Lookup(type, name) : NULL);
    push(path, self);
}

static void call(Path *path, int count)
{
    PyObject *arguments[MAX_STACK] = {NULL};
    if (count > MAX_STACK) {
        path->failed = true;
        return;
    }
    for (int i = count; i-- > 0;) {
        arguments[i] = pop(path);
    }
    if (path->height < 2) {
        path->failed = true;
        return;
    }
    PyObject *upper = pop(path), *lower = pop(path);
    push_found(path, lower == NULL ? call_of(upper, NULL, arguments, count) : call_of(lower, upper, arguments, count));
}

static void unpack(Path *path, int count)
{
    PyObject *value = pop(path);
    bool is_tuple = is_known(value) && PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == count;
    path->failed |= !is_tuple && !(value == PAIR && count == 2);
    for (int i = count; i-- > 0 && !path->failed;) {
        push(path, is_tuple ? PyTuple_GET_ITEM(value, i) : SOME);
    }
}

/* Both ways that a jump may go. */
static bool branch(Path *path, int target)
{
    Path other = *path;
    other.at = target;
    return follow(&other) && follow(path);
}

/* A jump by whether a value is true, or with `is_none` by whether it is None. */
static bool jump_if(Path *path, int target, bool is_none, bool wanted)
{
    PyObject *value = pop(path);
    int truth = !is_none ? truth_of(value) : is_known(value) ? value == Py_None : 2;
    if (path->failed || truth < 0) {
        return false;
    }
    if (truth == 2) {
        return branch(path, target);
    }
    path->at = truth == wanted ? target : path->at;
    return follow(path);
}

/* The end of a loop, behind what the interpreter skips there. */
static int behind_loop(const Scan *scan, int target)
{
#if HAS_MONITORING
    target += 2 * (scan->codes[target] == END_FOR);
#if PY_VERSION_HEX >= 0x030D0000
    target += 2; /* POP_TOP */
#endif
#else
    (void)scan;
#endif
    return target;
}

static bool follow_loop(Path *path, int target)
{
    if (path->height || path->taken >= path->scan->depth) {
        return false;
    }
    bool ends;
    PyObject *iterator = path->scan->top[-path->taken - 1];
    PyObject *next = iterator != NULL ? next_of(iterator, &ends) : NULL;
    if (iterator == NULL || (next == NULL && !ends)) {
        return false;
    }
    Path end = *path;
    end.taken++;
    end.at = behind_loop(path->scan, target);
    if (ends && !follow(&end)) {
        return false;
    }
    push(path, next);
    return next == NULL || follow(path);
}

static bool add_end(Scan *scan, int at)
{
    Quiet *quiet = scan->quiet;
    for (int i = 0; i < quiet->end_count; i++) {
        if (quiet->ends[i] == at) {
            return true;
        }
    }
    if (quiet->end_count == MAX_ENDS || !starts_line(scan->code, at)) {
        return false;
    }
    quiet->ends[quiet->end_count++] = at;
    return true;
}

static PyObject *name_at(const Path *path, int i)
{
    return PyTuple_GET_ITEM(path->scan->code->co_names, i);
}

/* Follows one instruction that is no jump; false if it is not known. */
static bool step(Path *path, int opcode, int argument)
{
    PyObject *value, *other;
    switch (opcode) {
    case NOP:
    case RESUME:
#ifdef PRECALL
    case PRECALL:
#endif
        return true;
    case LOAD_FAST:
#ifdef LOAD_FAST_CHECK
    case LOAD_FAST_CHECK:
#endif
        load(path, argument);
        return true;
#ifdef LOAD_FAST_LOAD_FAST
    case LOAD_FAST_LOAD_FAST:
        load(path, argument >> 4);
        load(path, argument & 15);
        return true;
    case STORE_FAST_LOAD_FAST:
        store(path, argument >> 4, pop(path));
        load(path, argument & 15);
        return true;
    case STORE_FAST_STORE_FAST:
        store(path, argument >> 4, pop(path));
        store(path, argument & 15, pop(path));
        return true;
#endif
    case STORE_FAST:
        store(path, argument, pop(path));
        return true;
    case LOAD_CONST:
        push(path, PyTuple_GET_ITEM(path->scan->code->co_consts, argument));
        return true;
    case LOAD_DEREF:
        value = path->scan->frame->localsplus[argument];
        push_found(path, value != NULL && PyCell_Check(value) ? PyCell_GET(value) : NULL);
        return true;
    case LOAD_GLOBAL:
#if PY_VERSION_HEX >= 0x030D0000
        load_global(path, name_at(path, argument >> 1));
        if (argument & 1) {
            push(path, NULL);
        }
#else
        if (argument & 1) {
            push(path, NULL);
        }
        load_global(path, name_at(path, argument >> 1));
#endif
        return true;
#if !HAS_MONITORING
    case LOAD_METHOD:
        load_method(path, name_at(path, argument));
        return true;
    case LOAD_ATTR:
        load_attribute(path, name_at(path, argument));
        return true;
#else
    case LOAD_ATTR:
        if (argument & 1) {
            load_method(path, name_at(path, argument >> 1));
        }
        else {
            load_attribute(path, name_at(path, argument >> 1));
        }
        return true;
#endif
    case PUSH_NULL:
        push(path, NULL);
        return true;
    case CALL:
        call(path, argument);
        return true;
    case POP_TOP:
        pop(path);
        return true;
    case UNARY_NOT:
        path->failed |= truth_of(pop(path)) < 0;
        push(path, PLAIN);
        return true;
    case UNARY_NEGATIVE:
    case UNARY_INVERT:
#ifdef FORMAT_SIMPLE
    case FORMAT_SIMPLE:
#endif
        push(path, pop_plain(path));
        return true;
#ifdef TO_BOOL
    case TO_BOOL: {
        int truth = truth_of(pop(path));
        path->failed |= truth < 0;
        push(path, truth == 2 ? PLAIN : truth ? Py_True : Py_False);
        return true;
    }
#endif
    case BINARY_OP:
    case COMPARE_OP:
#ifdef FORMAT_WITH_SPEC
    case FORMAT_WITH_SPEC:
#endif
        pop_plain(path);
        push(path, pop_plain(path));
        return true;
#ifdef FORMAT_VALUE
    case FORMAT_VALUE:
        if (argument & 4) {
            pop_plain(path);
        }
        push(path, pop_plain(path));
        return true;
#endif
    case BUILD_STRING:
        for (int i = 0; i < argument; i++) {
            pop_plain(path);
        }
        push(path, PLAIN);
        return true;
    case IS_OP:
        value = pop(path);
        other = pop(path);
        push(path, !is_known(value) || !is_known(other) ? PLAIN : (value == other) != argument ? Py_True : Py_False);
        return true;
    case CONTAINS_OP:
        value = pop(path);
        path->failed |= !can_contain(value, pop(path));
        push(path, PLAIN);
        return true;
    case BINARY_SUBSCR:
        value = pop(path);
        push_found(path, item_of(pop(path), value));
        return true;
    case UNPACK_SEQUENCE:
        unpack(path, argument);
        return true;
    default:
        return false;
    }
}

/* Whether a path changes no object up to the next event. */
static bool follow(Path *path)
{
    Scan *scan = path->scan;
    while (!path->failed) {
        int at = path->at, unit = at / (int)sizeof(_Py_CODEUNIT);
        if (++scan->steps > MAX_STEPS || unit >= scan->map->units || scan->map->lines[unit] <= 0) {
            return false;
        }
        if (scan->map->lines[unit] != scan->line) {
            return add_end(scan, at);
        }
        int opcode = scan->codes[at], argument = scan->codes[at + 1], next = at + 2;
        for (; opcode == EXTENDED_ARG; next += 2) {
            opcode = scan->codes[next];
            argument = argument << 8 | scan->codes[next + 1];
        }
        while (next / 2 < scan->map->units && scan->codes[next] == CACHE) {
            next += 2;
        }
        path->at = next;
        bool is_none = false, wanted = true;
        int target = next + 2 * argument;
        switch (opcode) {
        case RETURN_VALUE:
        case YIELD_VALUE:
#ifdef RETURN_CONST
        case RETURN_CONST:
#endif
            return true;
        case FOR_ITER:
            return follow_loop(path, target);
        case JUMP_FORWARD:
            path->at = target;
            continue;
        case JUMP_BACKWARD:
            path->at = next - 2 * argument;
            if (scan->map->lines[path->at / 2] == scan->line) { /* a loop within a line */
                return false;
            }
            continue;
#if HAS_MONITORING
        case POP_JUMP_IF_NONE:
        case POP_JUMP_IF_NOT_NONE:
            is_none = true;
            wanted = opcode == POP_JUMP_IF_NONE;
            return jump_if(path, target, is_none, wanted);
        case POP_JUMP_IF_FALSE:
            wanted = false;
            return jump_if(path, target, is_none, wanted);
        case POP_JUMP_IF_TRUE:
            return jump_if(path, target, is_none, wanted);
#else
        case POP_JUMP_FORWARD_IF_NONE:
        case POP_JUMP_FORWARD_IF_NOT_NONE:
            is_none = true;
            wanted = opcode == POP_JUMP_FORWARD_IF_NONE;
            return jump_if(path, target, is_none, wanted);
        case POP_JUMP_FORWARD_IF_FALSE:
            wanted = false;
            return jump_if(path, target, is_none, wanted);
        case POP_JUMP_FORWARD_IF_TRUE:
            return jump_if(path, target, is_none, wanted);
        case POP_JUMP_BACKWARD_IF_FALSE:
        case POP_JUMP_BACKWARD_IF_TRUE:
            target = next - 2 * argument;
            wanted = opcode == POP_JUMP_BACKWARD_IF_TRUE;
            return scan->map->lines[target / 2] != scan->line && jump_if(path, target, is_none, wanted);
#endif
        default:
            if (!step(path, opcode, argument)) {
                scan->is_unknown = true;
                return false;
            }
        }
    }
    return false;
}

/* ---- a line -------------------------------------------------------------------------------------- */

static bool has_other_threads(void)
{
    PyThreadState *thread = PyThreadState_Get();
    return thread->next != NULL || thread->prev != NULL;
}

void quiet_find(Session *session, Activation *activation, int offset)
{
    Quiet *quiet = &activation->quiet;
    CodeInfo *info = activation->code;
    PyCodeObject *code = frame_code(activation->frame);
    quiet->number = session->frames;
    quiet->is_entered = false;
    quiet->delegate = NULL;
    quiet->end_count = 0;
    quiet->returned = code_returned_variable(info, code, offset);
    if (activation->parts < WORTH_A_LOOK || !info->is_optimized || info->parts < WORTH_A_MAP || has_other_threads()) {
        return;
    }
    CodeMap *map = code_map(info, code);
    if (map == NULL || map->failures[offset / 2] >= HOPELESS) {
        return;
    }
    Scan scan = {.quiet = quiet, .frame = activation->frame, .code = code, .map = map};
    scan.codes = (const unsigned char *)PyBytes_AS_STRING(info->opcodes);
    scan.line = map->lines[offset / 2];
    scan.depth = frame_stack(activation->frame, &scan.top);
    Path path = {.scan = &scan, .at = offset};
    bool is_quiet = follow(&path);
    PyErr_Clear();
    map->failures[offset / 2] = is_quiet ? 0 : scan.is_unknown ? HOPELESS : map->failures[offset / 2] + 1;
    if (!is_quiet) {
        quiet->end_count = 0;
    }
}

bool quiet_holds(const Session *session, const Quiet *quiet, int offset)
{
    if (quiet->number != session->frames) {
        return false;
    }
    bool is_end = quiet->is_entered;
    for (int i = 0; i < quiet->end_count; i++) {
        is_end |= quiet->ends[i] == offset;
    }
    return is_end;
}

void quiet_find_resumed(Session *session, Activation *activation, int offset)
{
    quiet_find(session, activation, offset);
    PyCodeObject *code = frame_code(activation->frame);
    if (code_opcode(activation->code, code, offset) != RESUME || (raw_argument(code, offset) & 3) < 2) {
        return; /* it does not wait for another */
    }
    PyObject **top;
    PyObject *other = frame_stack(activation->frame, &top) >= 2 ? top[-2] : NULL; /* below what was sent */
    if (other != NULL && (PyGen_CheckExact(other) || PyCoro_CheckExact(other))) {
        activation->quiet.delegate = generator_frame(other);
    }
}
