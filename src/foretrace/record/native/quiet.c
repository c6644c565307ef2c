/* Lines that change no object: after one, the containers that a scope shows need not be looked at again.

   What a line will do is followed from its first instruction to its last, with the values that the scope has: arithmetic on
   numbers and strings, attributes and items that are only read, iteration over built-in containers, calls of a few built-in
   functions. Everything else, and whatever could run code of the program, ends the attempt. What signal handlers and finalisers
   do in between, which is so rarely that few recordings have any, is seen up to MAX_QUIET_LINES lines later. */
#include "harmless.h"
#include "session.h"

#ifndef WORTH_A_MAP /* a build for tests may set both to 0 */
#define WORTH_A_MAP 1000 /* parts of values looked at in a function before its lines are found out */
#define WORTH_A_LOOK 6   /* parts that a scope shows */
#endif
#define MAX_STEPS 64
#define MAX_STACK 8
#define MAX_STORED 4
#define HOPELESS 8 /* attempts in vain */

#if HAS_MONITORING
#define JUMP_IF_NONE POP_JUMP_IF_NONE
#define JUMP_IF_NOT_NONE POP_JUMP_IF_NOT_NONE
#define JUMP_IF_TRUE POP_JUMP_IF_TRUE
#define JUMP_IF_FALSE POP_JUMP_IF_FALSE
#else
#define JUMP_IF_NONE POP_JUMP_FORWARD_IF_NONE
#define JUMP_IF_NOT_NONE POP_JUMP_FORWARD_IF_NOT_NONE
#define JUMP_IF_TRUE POP_JUMP_FORWARD_IF_TRUE
#define JUMP_IF_FALSE POP_JUMP_FORWARD_IF_FALSE
#endif

/* ---- a path through a line ----------------------------------------------------------------------- */

typedef struct {
    Quiet *quiet;
    InterpreterFrame *frame;
    PyCodeObject *code;
    const CodeMap *map;
    const unsigned char *codes;
    int line, steps;
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
        case JUMP_IF_NONE:
            return jump_if(path, target, true, true);
        case JUMP_IF_NOT_NONE:
            return jump_if(path, target, true, false);
        case JUMP_IF_TRUE:
            return jump_if(path, target, false, true);
        case JUMP_IF_FALSE:
            return jump_if(path, target, false, false);
#if !HAS_MONITORING
        case POP_JUMP_BACKWARD_IF_FALSE:
        case POP_JUMP_BACKWARD_IF_TRUE:
            target = next - 2 * argument;
            return scan->map->lines[target / 2] != scan->line &&
                   jump_if(path, target, false, opcode == POP_JUMP_BACKWARD_IF_TRUE);
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
