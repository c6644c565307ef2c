/* Where events come from: the trace function of 3.11, `sys.monitoring` from 3.12 on. */
#include <pthread.h>

#include "session.h"

Session *active_session;

/* ---- other threads: counted by a trace function that takes itself away --------------------------- */

static PyObject *foreign(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)arguments;
    (void)count;
    ((Session *)self)->threads++;
    PyEval_SetTrace(NULL, NULL);
    Py_RETURN_NONE;
}

static PyMethodDef foreign_method = {"foreign", (PyCFunction)(void (*)(void))foreign, METH_FASTCALL, NULL};

static int set_thread_hook(PyObject *hook)
{
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *done = threading != NULL ? PyObject_CallMethod(threading, "settrace", "O", hook) : NULL;
    Py_XDECREF(threading);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

/* In a forked child: the trace and the budgets are the parent's. */
static void silence(void)
{
    if (active_session != NULL) {
        active_session->is_over = true;
        active_session->is_open = 0;
        active_session->stack_size = 0;
        active_session->output = -1;
    }
}

#if !HAS_MONITORING
/* ---- 3.11 ---------------------------------------------------------------------------------------- */

static bool is_resumption(InterpreterFrame *frame)
{
    _Py_CODEUNIT unit = *frame->prev_instr;
    bool is_resume = _Py_OPCODE(unit) == RESUME || _Py_OPCODE(unit) == RESUME_QUICK;
    return !is_resume || (_Py_OPARG(unit) & 3) != 0;
}

static int trace(PyObject *self, PyFrameObject *object, int what, PyObject *argument)
{
    Session *session = (Session *)self;
    InterpreterFrame *frame = object->f_frame;
    int offset = frame_offset(frame);
    switch (what) {
    case PyTrace_LINE:
        return on_line(session, frame, object->f_lineno, offset);
    case PyTrace_CALL: {
        int before = session->stack_size;
        int result = on_call(session, frame, is_resumption(frame), offset);
        if (session->stack_size == before) { /* not recorded: its lines are of no interest until it is left */
            object->f_trace_lines = 0;
        }
        return result;
    }
    case PyTrace_RETURN:
        object->f_trace_lines = 1; /* a generator goes on with the same frame */
        if (argument == NULL) {
            return on_unwind(session, frame, offset);
        }
        if (_Py_OPCODE(*frame->prev_instr) == RETURN_VALUE) {
            return on_return(session, frame, argument, offset);
        }
        return on_yield(session, frame, argument, offset);
    case PyTrace_EXCEPTION:
        return on_exception(session, frame, PyTuple_GET_ITEM(argument, 0), PyTuple_GET_ITEM(argument, 1), offset);
    default:
        return 0;
    }
}

static int start_events(Session *session)
{
    PyThreadState *thread = PyThreadState_Get();
    if (thread->c_tracefunc != NULL) {
        session->previous_trace = PySys_GetObject("gettrace");
        session->previous_trace = session->previous_trace != NULL ? PyObject_CallNoArgs(session->previous_trace) : NULL;
        PyErr_Clear();
    }
    PyEval_SetTrace(trace, (PyObject *)session);
    return 0;
}

static void stop_events(Session *session, bool *was_replaced)
{
    *was_replaced = PyThreadState_Get()->c_tracefunc != trace;
    PyEval_SetTrace(NULL, NULL);
    if (session->previous_trace != NULL && session->previous_trace != Py_None) {
        PyObject *settrace = PySys_GetObject("settrace");
        Py_XDECREF(settrace != NULL ? PyObject_CallOneArg(settrace, session->previous_trace) : NULL);
        PyErr_Clear();
    }
    Py_CLEAR(session->previous_trace);
}

#else
/* ---- from 3.12 on -------------------------------------------------------------------------------- */

static PyObject *disable;

/* What a callback returns: None, an error, or that this place is of no interest. */
static PyObject *done(int result)
{
    if (result < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Whether an event is not of the recorded thread; else whether its code is out of scope. */
typedef enum { OURS, FOREIGN, OUT_OF_SCOPE, FAILED } Whose;

static inline Whose whose(Session *session, PyObject *code, InterpreterFrame **frame)
{
    if (PyThreadState_Get() != session->thread) {
        return FOREIGN;
    }
    *frame = current_frame();
    if (session->stack_size && session->stack[session->stack_size - 1].frame == *frame) {
        return OURS;
    }
    CodeInfo *info = code_info(session, (PyCodeObject *)code);
    if (info == NULL) {
        return FAILED;
    }
    return info->file != NULL ? OURS : OUT_OF_SCOPE;
}

#define FIND_FRAME(session, arguments, frame)                              \
    InterpreterFrame *frame = NULL;                                        \
    Whose whose_it_is = whose((session), (arguments)[0], &frame);          \
    if (whose_it_is != OURS) {                                             \
        if (whose_it_is == OUT_OF_SCOPE) {                                 \
            return Py_NewRef(disable);                                     \
        }                                                                  \
        return done(whose_it_is == FAILED ? -1 : 0);                       \
    }

#define CALLBACK(name) static PyObject *name(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
#define SESSION ((void)count, (Session *)self)

CALLBACK(monitor_start)
{
    Session *session = SESSION;
    FIND_FRAME(session, arguments, frame);
    return done(on_call(session, frame, false, (int)PyLong_AsLong(arguments[1])));
}

CALLBACK(monitor_resume)
{
    Session *session = SESSION;
    FIND_FRAME(session, arguments, frame);
    return done(on_call(session, frame, true, (int)PyLong_AsLong(arguments[1])));
}

CALLBACK(monitor_line)
{
    Session *session = SESSION;
    FIND_FRAME(session, arguments, frame);
    return done(on_line(session, frame, (int)PyLong_AsLong(arguments[1]), frame_offset(frame)));
}

/* A jump back to the line it comes from is that line again. */
CALLBACK(monitor_jump)
{
    Session *session = SESSION;
    FIND_FRAME(session, arguments, frame);
    int from = (int)PyLong_AsLong(arguments[1]), to = (int)PyLong_AsLong(arguments[2]);
    PyCodeObject *code = (PyCodeObject *)arguments[0];
    CodeInfo *info = to < from ? code_info(session, code) : NULL;
    if (info == NULL || code_line(info, code, to) != code_line(info, code, from)) {
        PyErr_Clear();
        return Py_NewRef(disable);
    }
    return done(on_line(session, frame, code_line(info, code, to), to));
}

CALLBACK(monitor_return)
{
    Session *session = SESSION;
    FIND_FRAME(session, arguments, frame);
    return done(on_return(session, frame, arguments[2], (int)PyLong_AsLong(arguments[1])));
}

CALLBACK(monitor_yield)
{
    Session *session = SESSION;
    FIND_FRAME(session, arguments, frame);
    return done(on_yield(session, frame, arguments[2], (int)PyLong_AsLong(arguments[1])));
}

/* The next three cannot be disabled. Where the frame stands is not always where they say: a handler that raises again goes back
   to where the exception came from. */
static inline bool is_ours(Session *session, InterpreterFrame **frame)
{
    if (PyThreadState_Get() != session->thread) {
        return false;
    }
    *frame = current_frame();
    return session->stack_size && session->stack[session->stack_size - 1].frame == *frame;
}

CALLBACK(monitor_throw)
{
    Session *session = SESSION;
    if (PyThreadState_Get() != session->thread) {
        Py_RETURN_NONE;
    }
    InterpreterFrame *frame = current_frame();
    return done(on_call(session, frame, true, frame_offset(frame)));
}

CALLBACK(monitor_raise)
{
    Session *session = SESSION;
    InterpreterFrame *frame;
    if (!is_ours(session, &frame)) {
        Py_RETURN_NONE;
    }
    PyObject *value = arguments[2];
    return done(on_exception(session, frame, (PyObject *)Py_TYPE(value), value, frame_offset(frame)));
}

CALLBACK(monitor_unwind)
{
    Session *session = SESSION;
    InterpreterFrame *frame;
    if (!is_ours(session, &frame)) {
        Py_RETURN_NONE;
    }
    return done(on_unwind(session, frame, frame_offset(frame)));
}

#define METHOD(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

static struct {
    const char *event;
    PyMethodDef method;
} callbacks[] = {
    {"PY_START", METHOD(monitor_start)}, {"PY_RESUME", METHOD(monitor_resume)}, {"PY_THROW", METHOD(monitor_throw)},
    {"LINE", METHOD(monitor_line)},      {"JUMP", METHOD(monitor_jump)},        {"PY_RETURN", METHOD(monitor_return)},
    {"PY_YIELD", METHOD(monitor_yield)}, {"RAISE", METHOD(monitor_raise)},      {"PY_UNWIND", METHOD(monitor_unwind)},
};
#define CALLBACK_COUNT (sizeof callbacks / sizeof *callbacks)

/* Takes the first tool number that nobody has; debuggers, coverage and profilers have theirs. */
static int take_tool(PyObject *monitoring)
{
    static const int candidates[] = {4, 3, 5, 2, 1, 0};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        PyObject *taken = PyObject_CallMethod(monitoring, "use_tool_id", "is", candidates[i], "foretrace");
        if (taken != NULL) {
            Py_DECREF(taken);
            return candidates[i];
        }
        PyErr_Clear();
    }
    PyErr_SetString(PyExc_RuntimeError, "other tools use all of sys.monitoring; stop one of them first");
    return -1;
}

static int register_callbacks(Session *session, PyObject *monitoring, bool is_on)
{
    PyObject *events = PyObject_GetAttrString(monitoring, "events");
    long all = 0;
    for (size_t i = 0; events != NULL && i < CALLBACK_COUNT; i++) {
        PyObject *event = PyObject_GetAttrString(events, callbacks[i].event);
        PyObject *function = is_on ? PyCFunction_New(&callbacks[i].method, (PyObject *)session) : Py_NewRef(Py_None);
        PyObject *before = NULL;
        if (event != NULL && function != NULL) {
            all |= PyLong_AsLong(event);
            before = PyObject_CallMethod(monitoring, "register_callback", "iOO", session->tool, event, function);
        }
        Py_XDECREF(event);
        Py_XDECREF(function);
        if (before == NULL) {
            Py_CLEAR(events);
        }
        Py_XDECREF(before);
    }
    PyObject *set = events != NULL ? PyObject_CallMethod(monitoring, "set_events", "il", session->tool, is_on ? all : 0) : NULL;
    Py_XDECREF(events);
    Py_XDECREF(set);
    return set != NULL ? 0 : -1;
}

static PyObject *monitoring_module(void)
{
    PyObject *module = PySys_GetObject("monitoring");
    if (module == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this interpreter has no sys.monitoring");
    }
    return module;
}

static int start_events(Session *session)
{
    PyObject *monitoring = monitoring_module();
    if (monitoring == NULL || (disable == NULL && (disable = PyObject_GetAttrString(monitoring, "DISABLE")) == NULL)) {
        return -1;
    }
    session->thread = PyThreadState_Get();
    session->tool = take_tool(monitoring);
    return session->tool < 0 ? -1 : register_callbacks(session, monitoring, true);
}

static void stop_events(Session *session, bool *was_replaced)
{
    *was_replaced = false;
    PyObject *monitoring = monitoring_module();
    if (monitoring != NULL && session->tool >= 0) {
        register_callbacks(session, monitoring, false);
        PyErr_Clear();
        Py_XDECREF(PyObject_CallMethod(monitoring, "free_tool_id", "i", session->tool));
        PyErr_Clear();
        Py_XDECREF(PyObject_CallMethod(monitoring, "restart_events", NULL)); /* what was disabled is not for the next */
    }
    PyErr_Clear();
    session->tool = -1;
}
#endif

#if !HAS_MONITORING
/* Scopes that were left while the program had taken the trace function away: their memory may be that of others by now. */
static void forget_unseen(Session *session)
{
    static InterpreterFrame unseen; /* no scope has it */
    const InterpreterFrame *innermost = PyThreadState_Get()->cframe->current_frame;
    for (int i = 0; i < session->stack_size; i++) {
        Activation *activation = &session->stack[i];
        const InterpreterFrame *frame = innermost;
        while (frame != NULL && (frame != activation->frame || code_info(session, frame_code(frame)) != activation->code)) {
            frame = frame->previous;
        }
        PyErr_Clear();
        if (frame == NULL) {
            session->entry = session->entry == activation->frame ? &unseen : session->entry;
            activation->frame = &unseen;
        }
    }
}
#endif

PyObject *source_call(PyObject *self, PyObject *args, PyObject *keywords)
{
#if HAS_MONITORING
    PyErr_SetString(PyExc_TypeError, "a recorder cannot be called");
    return NULL;
#else
    PyFrameObject *frame;
    const char *event;
    PyObject *argument;
    if (!PyArg_ParseTuple(args, "O!sO", &PyFrame_Type, &frame, &event, &argument)) {
        return NULL;
    }
    if (self == (PyObject *)active_session) { /* the program has put back the trace function that it had replaced */
        forget_unseen((Session *)self);
        PyEval_SetTrace(trace, self);
        if (strcmp(event, "call") == 0 && trace(self, frame, PyTrace_CALL, argument) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
#endif
}

/* ---- both ---------------------------------------------------------------------------------------- */

int source_start(Session *session)
{
    static bool is_registered;
    if (active_session != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "another recorder is recording in this process; stop it first");
        return -1;
    }
    if (!is_registered) {
        pthread_atfork(NULL, NULL, silence);
        is_registered = true;
    }
    PyObject *hook = PyCFunction_New(&foreign_method, (PyObject *)session);
    int result = hook != NULL ? set_thread_hook(hook) : -1;
    Py_XDECREF(hook);
    if (result < 0) {
        return -1;
    }
    if (start_events(session) < 0) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        set_thread_hook(Py_None);
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    active_session = session;
    session->is_started = true;
    return 0;
}

int source_stop(Session *session, bool *was_replaced)
{
    stop_events(session, was_replaced);
    active_session = NULL;
    session->is_started = false;
    return set_thread_hook(Py_None);
}
