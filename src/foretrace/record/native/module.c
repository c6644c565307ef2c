/* `foretrace.record._recorder`: the type `Recorder`, with the interface of record/reference.py's. */
#include "harmless.h"
#include "session.h"

static int session_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"lines_of",  "describe_array", "stop_class", "opening",  "memory", "wire",
                            "max_events", "max_bytes", "output",        "tail",       "many",     "depth",  "step_in",
                            "seed",      "when_full", "value_limits", NULL};
    static uint64_t made;
    Session *session = (Session *)self;
    PyObject *lines_of, *describe_array, *stop_class, *opening, *memory;
    int is_wire, output, tail, is_many, depth;
    long long max_events, max_bytes;
    double step_in;
    unsigned long long seed;
    const char *when_full;
    ValueLimits *limits = &session->renderer.limits;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOSOpLLiipidKs(inll)", names, &lines_of, &describe_array,
                                     &stop_class, &opening, &memory, &is_wire, &max_events, &max_bytes, &output, &tail,
                                     &is_many, &depth, &step_in, &seed, &when_full, &limits->depth, &limits->items,
                                     &limits->characters, &limits->parts)) {
        return -1;
    }
    if (limits->depth > DEEPEST) {
        PyErr_Format(PyExc_ValueError, "values are shown to a depth of %d at most", DEEPEST);
        return -1;
    }
    if (session->id != 0) {
        PyErr_SetString(PyExc_RuntimeError, "a recorder is made once");
        return -1;
    }
    session->id = ++made;
    session->lines_of = Py_NewRef(lines_of);
    session->renderer.describe_array = Py_NewRef(describe_array);
    session->stop_class = Py_NewRef(stop_class);
    session->opening = Py_NewRef(opening);
    session->memory = Py_NewRef(memory);
    session->is_wire = is_wire;
    session->max_events = max_events;
    session->max_bytes = max_bytes;
    session->output = output;
    session->tail_file = tail;
    session->is_many = is_many;
    session->depth_limit = depth;
    session->step_in = step_in;
    session->random = seed;
    session->when_full = strcmp(when_full, "exit") == 0 ? FULL_EXIT : strcmp(when_full, "mute") == 0 ? FULL_MUTE : FULL_RAISE;
    session->depth = -1;
    session->tool = -1;
    session->stopped = PyUnicode_FromString("");
    session->names = PyDict_New();
    session->files = PyDict_New();
    if (session->stopped == NULL || session->names == NULL || session->files == NULL) {
        return -1;
    }
    return stream_open(session);
}

static PyObject *session_start(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    if (source_start((Session *)self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *session_stop(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Session *session = (Session *)self;
    bool was_replaced = false;
    if (!session->is_started) {
        Py_RETURN_NONE;
    }
    PyObject *type = NULL, *value = NULL, *traceback = NULL; /* what a signal handler raised meanwhile, if anything */
    if (source_stop(session, &was_replaced) < 0) {
        PyErr_Fetch(&type, &value, &traceback);
    }
    if (session->is_open) {
        session->is_open = 0;
        stream_end(session, OUTCOME_TRUNCATED,
                   was_replaced ? "the program replaced the trace function" : "the entry function was not left");
    }
    for (int i = 0; i < session->stack_capacity; i++) {
        Activation *activation = &session->stack[i];
        slots_free(session, activation);
        Py_CLEAR(activation->space);
        free(activation->raised.data);
        free(activation->held.data);
        free(activation->held_names);
    }
    kept_free(session);
    free(session->stack);
    session->stack = NULL;
    session->stack_size = session->stack_capacity = 0;
    int result = stream_close(session);
    if (type != NULL && result == 0) {
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return result == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *session_fill_method(PyObject *self, PyObject *why)
{
    const char *text = PyUnicode_AsUTF8(why);
    if (text == NULL || session_fill((Session *)self, text) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int session_traverse(PyObject *self, visitproc visit, void *arg)
{
    Session *session = (Session *)self;
    Py_VISIT(session->lines_of);
    Py_VISIT(session->stop_class);
    Py_VISIT(session->memory);
    Py_VISIT(session->renderer.describe_array);
    return 0;
}

static int session_clear_references(PyObject *self)
{
    Session *session = (Session *)self;
    Py_CLEAR(session->lines_of);
    Py_CLEAR(session->stop_class);
    Py_CLEAR(session->opening);
    Py_CLEAR(session->memory);
    Py_CLEAR(session->stopped);
    Py_CLEAR(session->renderer.describe_array);
    return 0;
}

static void session_dealloc(PyObject *self)
{
    Session *session = (Session *)self;
    PyObject_GC_UnTrack(self);
    render_clear(&session->renderer);
    stream_clear(session);
    code_clear(session);
    session_clear_references(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef session_methods[] = {
    {"start", session_start, METH_NOARGS, "Starts recording on this thread."},
    {"stop", session_stop, METH_NOARGS, "Stops recording; a trace that is open ends as truncated."},
    {"fill", session_fill_method, METH_O, "Does what happens when a budget has run out; the argument says which."},
    {0},
};

static PyMemberDef session_members[] = {
    {"stopped", T_OBJECT_EX, offsetof(Session, stopped), READONLY, "Which budget ran out, empty if none did."},
    {"is_open", T_BOOL, offsetof(Session, is_open), READONLY, "Whether a trace has begun and not ended."},
    {"is_busy", T_BOOL, offsetof(Session, is_busy), READONLY, "False: no signal is handled within an event."},
    {"threads", T_LONGLONG, offsetof(Session, threads), READONLY, "Other threads that were started."},
    {"traces", T_LONGLONG, offsetof(Session, traces), READONLY, "Traces begun."},
    {"events", T_LONGLONG, offsetof(Session, events), READONLY, "Frames written."},
    {0},
};

static PyTypeObject session_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "foretrace.record._recorder.Recorder",
    .tp_doc = "Records one thread; see foretrace.record.session.open_session.",
    .tp_basicsize = sizeof(Session),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = session_init,
    .tp_dealloc = session_dealloc,
    .tp_call = source_call,
    .tp_traverse = session_traverse,
    .tp_clear = session_clear_references,
    .tp_methods = session_methods,
    .tp_members = session_members,
};

static PyObject *render_value(PyObject *Py_UNUSED(module), PyObject *args)
{
    Renderer renderer = {0};
    Buffer text = {0};
    PyObject *value;
    ValueLimits *limits = &renderer.limits;
    if (!PyArg_ParseTuple(args, "OO(inll)", &value, &renderer.describe_array, &limits->depth, &limits->items,
                          &limits->characters, &limits->parts)) {
        return NULL;
    }
    if (limits->depth > DEEPEST) {
        PyErr_Format(PyExc_ValueError, "values are shown to a depth of %d at most", DEEPEST);
        return NULL;
    }
    render_begin(&renderer);
    render(&renderer, &text, value);
    PyObject *result = PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.size, "surrogatepass");
    free(text.data);
    render_clear(&renderer);
    return result;
}

static PyMethodDef module_methods[] = {
    {"render", render_value, METH_VARARGS,
     "render(value, describe_array, (depth, items, characters, parts)): the text of a value, as record/values.py has it."},
    {0},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_recorder",
    .m_doc = "The recorder in C: writes what foretrace.record.reference writes, faster.",
    .m_size = -1,
    .m_methods = module_methods,
};

PyMODINIT_FUNC PyInit__recorder(void)
{
    if (PyType_Ready(&session_type) < 0 || code_init() < 0 || render_init() < 0 || harmless_init() < 0) {
        return NULL;
    }
    PyObject *made = PyModule_Create(&module);
    if (made == NULL || PyModule_AddObjectRef(made, "Recorder", (PyObject *)&session_type) < 0) {
        Py_XDECREF(made);
        return NULL;
    }
    return made;
}
