/* What each event of the interpreter means for the trace: record/reference.py in C, which see. */
#include <unistd.h>

#include "session.h"

/* ---- budgets ------------------------------------------------------------------------------------- */

static int raise_stop(Session *session)
{
    PyErr_SetObject(session->stop_class, session->stopped);
    return -1;
}

static bool is_stopped(const Session *session)
{
    return session->stopped != NULL && PyUnicode_GET_LENGTH(session->stopped) > 0;
}

static void end_trace(Session *session, Outcome outcome, const char *detail)
{
    session->is_open = 0;
    stream_end(session, outcome, detail);
    PyErr_Clear(); /* an output that fails now has said so */
    if (session->stack_size == 0) {
        session->entry = NULL;
    }
    session->is_over = !session->is_many;
}

static Activation *top(Session *session)
{
    return session->stack_size ? &session->stack[session->stack_size - 1] : NULL;
}

static void pop(Session *session)
{
    Activation *activation = top(session);
    slots_clear(session, activation);
    Py_CLEAR(activation->space);
    session->stack_size--;
}

int session_fill(Session *session, const char *why)
{
    if (session->is_open) {
        end_trace(session, OUTCOME_TRUNCATED, why);
    }
    if (session->when_full == FULL_MUTE) {
        for (int i = 0; i < session->stack_size; i++) {
            session->stack[i].is_hidden = true;
        }
        return 0;
    }
    if (!is_stopped(session)) {
        PyObject *reason = PyUnicode_FromString(why);
        if (reason == NULL) {
            return -1;
        }
        Py_XSETREF(session->stopped, reason);
    }
    while (session->stack_size) { /* from here on every event in scope raises, whatever its frame */
        pop(session);
    }
    if (session->when_full == FULL_EXIT) {
        stream_close(session);
        _exit(0);
    }
    return raise_stop(session);
}

/* Once a budget has run out: stops the program again, wherever it is in scope. */
static int stop_again(Session *session, InterpreterFrame *frame)
{
    CodeInfo *info = code_info(session, frame_code(frame));
    return info == NULL ? -1 : info->file != NULL ? raise_stop(session) : 0;
}

/* Acts when a budget is spent. */
static inline int check(Session *session)
{
    if (__builtin_expect(session->frames >= (uint64_t)session->max_events, 0)) {
        return session_fill(session, "events");
    }
    if (__builtin_expect(session->characters >= session->max_bytes, 0)) {
        return session_fill(session, "bytes");
    }
    return 0;
}

/* Whether a call is stepped into: record/scope.py's Sampler. */
static bool draw(Session *session)
{
    if (session->step_in >= 1) {
        return true;
    }
    uint64_t z = session->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) < session->step_in * 9007199254740992.0;
}

/* ---- running scopes ------------------------------------------------------------------------------ */

/* The innermost scope, if it is `frame`. */
static inline Activation *running(Session *session, InterpreterFrame *frame)
{
    Activation *activation = top(session);
    return activation != NULL && activation->frame == frame ? activation : NULL;
}

static Activation *push(Session *session, InterpreterFrame *frame, CodeInfo *code)
{
    if (session->stack_size == session->stack_capacity) {
        int capacity = session->stack_capacity ? 2 * session->stack_capacity : 64;
        Activation *grown = realloc(session->stack, (size_t)capacity * sizeof *grown);
        if (grown == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        memset(grown + session->stack_capacity, 0, (size_t)(capacity - session->stack_capacity) * sizeof *grown);
        session->stack = grown;
        session->stack_capacity = capacity;
    }
    Activation *activation = &session->stack[session->stack_size++];
    activation->frame = frame;
    activation->code = code;
    activation->is_hidden = activation->is_held = false;
    activation->is_reset = true;
    activation->last_raised = UINT64_MAX;
    activation->raised.size = activation->raised_characters = 0;
    return activation;
}

/* A scope is left: its caller's next frame shows all locals, if anything of this one was written. */
static void leave(Session *session, InterpreterFrame *frame, Outcome outcome, bool is_suspended)
{
    Activation *activation = top(session);
    bool was_written = !activation->is_held;
    bool ends_here = !is_suspended || (session->is_many && activation->code->is_generator);
    session->depth--;
    if (is_suspended) {
        kept_put(session, activation);
    }
    pop(session);
    if (was_written && session->stack_size) {
        top(session)->is_reset = true;
    }
    if (frame == session->entry && ends_here && session->is_open) {
        end_trace(session, outcome, "");
    }
}

static void leave_hidden(Session *session)
{
    pop(session);
    if (!session->is_open && session->stack_size == 0) {
        session->entry = NULL;
    }
}

static int begin(Session *session, InterpreterFrame *frame)
{
    session->entry = frame;
    session->is_open = 1;
    session->frames = 0;
    session->characters = 0;
    session->depth = -1;
    kept_clear(session);
    session->traces++;
    return stream_begin(session);
}

/* ---- events -------------------------------------------------------------------------------------- */

int on_call(Session *session, InterpreterFrame *frame, bool is_resumed, int offset)
{
    Activation *caller = top(session);
    if (__builtin_expect(is_stopped(session), 0)) {
        return stop_again(session, frame);
    }
    if (session->is_over) {
        return 0;
    }
    PyCodeObject *code = frame_code(frame);
    CodeInfo *info = code_info(session, code);
    if (info == NULL || info->file == NULL) {
        return info == NULL ? -1 : 0;
    }
    if (info->is_suspendable && !is_resumed) {
        kept_forget(session, frame);
    }
    if (caller != NULL && caller->is_hidden) {
        return 0;
    }
    bool is_hidden = false;
    if (session->entry == NULL) {
        if (begin(session, frame) < 0) {
            return -1;
        }
    }
    else {
        if (check(session) < 0) {
            return -1;
        }
        if (!session->is_open) { /* the budget has just run out */
            return 0;
        }
        is_hidden = frame != session->entry &&
                    ((session->depth_limit && session->depth >= session->depth_limit) || !draw(session));
    }
    Activation *activation = push(session, frame, info);
    if (activation == NULL) {
        return -1;
    }
    activation->is_hidden = is_hidden;
    if (is_hidden) {
        return 0;
    }
    caller = session->stack_size > 1 ? activation - 1 : NULL;
    if (caller != NULL && caller->is_held && stream_release(session, caller) < 0) {
        return -1;
    }
    session->depth++;
    bool is_delegate = caller != NULL && caller->quiet.number == session->frames && caller->quiet.delegate == frame;
    session->epoch += !is_delegate;
    activation->age = 0;
    if (is_resumed) {
        kept_take(session, activation);
    }
    if (!info->is_optimized) {
        activation->space = Py_XNewRef(frame->f_locals);
    }
    int line = code_line(info, code, offset);
    line = line == info->first_line ? info->call_line : file_def_line(info->file, line);
    activation->is_resumed = is_resumed;
    activation->call_number = session->frames + 1;
    int result = stream_frame(session, activation, EVENT_CALL, is_resumed ? FLAG_RESUMED : 0, line, NULL, 0);
    if (result == 0 && is_resumed) {
        quiet_find_resumed(session, activation, offset);
    }
    else {
        activation->quiet = (Quiet){.number = session->frames, .is_entered = info->is_optimized, .returned = -1};
    }
    return result;
}

/* The scope that an event is of, if its frames are to be written; NULL else, with `*result` -1 if the program has to stop. */
static inline Activation *recorded(Session *session, InterpreterFrame *frame, int *result)
{
    if (__builtin_expect(is_stopped(session), 0)) {
        *result = stop_again(session, frame);
        return NULL;
    }
    Activation *activation = running(session, frame);
    *result = 0;
    if (activation == NULL || activation->is_hidden) {
        return NULL;
    }
    *result = check(session);
    return *result == 0 && !activation->is_hidden ? activation : NULL;
}

/* Renders an exception that may not be made yet: only its type and argument are there. */
static void render_raised(Session *session, Activation *activation, PyObject *type, PyObject *value)
{
    Buffer *out = &activation->raised;
    out->size = 0;
    render_begin(&session->renderer);
    if (value != NULL && PyExceptionInstance_Check(value)) {
        activation->raised_characters = render(&session->renderer, out, value);
        return;
    }
    const char *name = PyType_Check(type) ? ((PyTypeObject *)type)->tp_name : "?";
    const char *dot = strrchr(name, '.');
    name = dot != NULL ? dot + 1 : name;
    put_bytes(out, name, strlen(name));
    put_char(out, '(');
    if (value != NULL && value != Py_None) {
        render(&session->renderer, out, value);
    }
    put_char(out, ')');
    activation->raised_characters = count_characters(out->data, out->size);
}

/* In a handler or a `finally`: what leaves the scope if nothing else is raised before, which no event says. A line may also
   start with the entry of its handler: that is of the exception just raised. */
static void render_handled(Session *session, Activation *activation, int offset)
{
    PyObject *handled = handled_exception();
    PyCodeObject *code = frame_code(activation->frame);
    if (handled != NULL && code_raises_again(activation->code, code) &&
        code_opcode(activation->code, code, offset) != PUSH_EXC_INFO) {
        Py_INCREF(handled);
        render_raised(session, activation, (PyObject *)Py_TYPE(handled), handled);
        Py_DECREF(handled);
    }
}

int on_line(Session *session, InterpreterFrame *frame, int line, int offset)
{
    int result;
    Activation *activation = recorded(session, frame, &result);
    if (activation == NULL) {
        return result;
    }
    if (activation->is_held && stream_release(session, activation) < 0) {
        return -1;
    }
    render_handled(session, activation, offset);
    bool is_quiet = session->quiet_lines < MAX_QUIET_LINES && quiet_holds(session, &activation->quiet, offset);
    session->quiet_lines = is_quiet ? session->quiet_lines + 1 : 0;
    session->epoch += !is_quiet;
    result = stream_frame(session, activation, EVENT_LINE, 0, line, NULL, 0);
    if (result == 0) {
        quiet_find(session, activation, offset);
    }
    return result;
}

static bool is_consuming(int opcode)
{
#ifdef END_ASYNC_FOR
    if (opcode == END_ASYNC_FOR) {
        return true;
    }
#endif
    return opcode == FOR_ITER || opcode == SEND;
}

static bool is_suspending(int opcode)
{
    return opcode == YIELD_VALUE || opcode == SEND || opcode == RESUME || opcode == RETURN_GENERATOR;
}

int on_exception(Session *session, InterpreterFrame *frame, PyObject *type, PyObject *value, int offset)
{
    int result;
    Activation *activation = recorded(session, frame, &result);
    if (activation == NULL) {
        return result;
    }
    PyCodeObject *code = frame_code(frame);
    bool ends_iteration = false, is_exit = false;
    if (PyErr_GivenExceptionMatches(type, PyExc_StopIteration) || PyErr_GivenExceptionMatches(type, PyExc_StopAsyncIteration)) {
        ends_iteration = is_consuming(code_opcode(activation->code, code, offset));
    }
    else if (PyErr_GivenExceptionMatches(type, PyExc_GeneratorExit)) {
        is_exit = is_suspending(code_opcode(activation->code, code, offset));
    }
    if (ends_iteration) {
        return 0;
    }
    if (activation->is_held && !is_exit && stream_release(session, activation) < 0) {
        return -1;
    }
    render_raised(session, activation, type, value);
    int line = activation->raised_line = code_line(activation->code, code, offset);
    if (is_exit) {
        if (activation->is_resumed && session->frames == activation->call_number) {
            stream_hold(session, activation);
        }
        return 0;
    }
    return stream_exception(session, activation, line);
}

/* Writes the text of a value that is returned into `session->value`; returns its characters. */
static size_t put_value_text(Session *session, Activation *activation, PyObject *value)
{
    Buffer *text = &session->value;
    const Quiet *quiet = &activation->quiet;
    text->size = 0;
    if (quiet->number == session->frames && quiet->returned >= 0 && quiet->returned < activation->slot_count) {
        const Slot *slot = &activation->slots[quiet->returned];
        if (slot->is_bound && slot->is_first) { /* the frame just written shows it as it would stand alone */
            put_bytes(text, slot->text, slot->size);
            return slot->characters;
        }
    }
    render_begin(&session->renderer);
    return render_remembered(&session->renderer, text, value);
}

static int on_value(Session *session, InterpreterFrame *frame, PyObject *value, int offset, bool is_suspended)
{
    int result;
    Activation *activation = recorded(session, frame, &result);
    if (activation == NULL) {
        if (result == 0 && running(session, frame) != NULL) {
            leave_hidden(session);
        }
        return result;
    }
    if (!activation->is_held) {
        Buffer *text = &session->value;
        size_t characters = put_value_text(session, activation, value);
        int line = code_line(activation->code, frame_code(frame), offset);
        result = stream_frame(session, activation, EVENT_RETURN, is_suspended ? FLAG_SUSPENDED : 0, line, text, characters);
    }
    if (running(session, frame) != NULL) {
        leave(session, frame, OUTCOME_RETURNED, is_suspended && !activation->is_held);
    }
    return result;
}

int on_return(Session *session, InterpreterFrame *frame, PyObject *value, int offset)
{
    return on_value(session, frame, value, offset, false);
}

int on_yield(Session *session, InterpreterFrame *frame, PyObject *value, int offset)
{
    PyTypeObject *type = Py_TYPE(value);
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) && strcmp(type->tp_name, "async_generator_wrapped_value") == 0) {
        struct {
            PyObject_HEAD
            PyObject *wrapped;
        } *holder = (void *)value;
        value = holder->wrapped;
    }
    return on_value(session, frame, value, offset, true);
}

int on_unwind(Session *session, InterpreterFrame *frame, int offset)
{
    int result;
    Activation *activation = recorded(session, frame, &result);
    if (activation == NULL) {
        if (result == 0 && running(session, frame) != NULL) {
            leave_hidden(session);
        }
        return result;
    }
    if (!activation->is_held) {
        if (activation->last_raised != session->frames || !stream_mark_unwind(session, activation)) {
            /* raised again after a handler or a `finally` ran */
            int line = code_line(activation->code, frame_code(frame), offset);
            result = stream_frame(session, activation, EVENT_EXCEPTION, FLAG_UNWIND, line, &activation->raised,
                                  activation->raised_characters);
        }
    }
    if (running(session, frame) != NULL) {
        leave(session, frame, activation->is_held ? OUTCOME_RETURNED : OUTCOME_RAISED, false);
    }
    return result;
}
