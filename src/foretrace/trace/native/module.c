/* `foretrace.trace._binary`: the binary form as frames, as the wire's text, as columns for Arrow, and summed up. */
#include "reader.h"

#include <structmember.h>

/* ---- frames -------------------------------------------------------------------------------------- */

enum { FIELD_EVENT, FIELD_FUNCTION, FIELD_DEPTH, FIELD_LINE, FIELD_SOURCE, FIELD_LOCALS, FIELD_VALUE, FIELD_UNWIND,
       FIELD_SUSPENDED, FIELD_RESUMED, FIELD_PATH, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {"event", "function", "depth", "line", "source", "locals", "value",
                                                     "unwind", "suspended", "resumed", "path"};

typedef struct {
    PyTypeObject *frame_type;
    Py_ssize_t offsets[FIELD_COUNT]; /* of the fields in a Frame, which has slots */
    PyObject *events, *empty;
    PyObject *traces; /* list of tuples: see `read` */
    PyObject *frames, *files;
    int first_file;
    Py_ssize_t only, number; /* the one trace that is wanted, counted from 0, or -1; that of the present one */
    bool is_empty;           /* the present trace has no frames yet; those that stay so do not count */
} FrameReading;

static bool find_offsets(FrameReading *reading)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        PyObject *member = PyDict_GetItemString(reading->frame_type->tp_dict, field_names[i]);
        if (member == NULL || Py_TYPE(member) != &PyMemberDescr_Type) {
            PyErr_Format(PyExc_TypeError, "Frame has no slot %s", field_names[i]);
            return false;
        }
        reading->offsets[i] = ((PyMemberDescrObject *)member)->d_member->offset;
    }
    return true;
}

static bool frames_begin(Reader *reader)
{
    FrameReading *reading = reader->state;
    Py_XSETREF(reading->frames, PyList_New(0));
    Py_XSETREF(reading->files, PyDict_New());
    reading->first_file = -1;
    reading->is_empty = true;
    return reading->frames != NULL && reading->files != NULL;
}

static PyObject *decode(Text text)
{
    return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.size, "surrogatepass");
}

static PyObject *state_of(Reader *reader, const OpenScope *scope)
{
    PyObject *state = PyDict_New();
    for (int i = 0; state != NULL && i < scope->count; i++) {
        PyObject *name = shared_object(&reader->strings[scope->locals[i].name]);
        PyObject *value = name != NULL ? shared_object(&scope->locals[i].value) : NULL;
        if (value == NULL || PyDict_SetItem(state, name, value) < 0) {
            Py_CLEAR(state);
        }
    }
    return state;
}

/* The path of a frame, owned: empty for the file of the entry; others are noted with their source. */
static PyObject *path_of(Reader *reader, FrameReading *reading, int index)
{
    SourceFile *file = &reader->files[index];
    if (index == reading->first_file) {
        return Py_NewRef(reading->empty);
    }
    if (file->path_object == NULL && (file->path_object = decode(file->path)) == NULL) {
        return NULL;
    }
    int known = PyDict_Contains(reading->files, file->path_object);
    if (known == 0) {
        PyObject *source = decode(file->source);
        known = source != NULL ? PyDict_SetItem(reading->files, file->path_object, source) : -1;
        Py_XDECREF(source);
    }
    return known < 0 ? NULL : Py_NewRef(file->path_object);
}

static bool frames_frame(Reader *reader, const ReadFrame *read)
{
    FrameReading *reading = reader->state;
    reading->number += reading->is_empty;
    reading->is_empty = false;
    if (reading->only >= 0 && reading->only != reading->number) {
        return true;
    }
    if (reading->first_file < 0) {
        reading->first_file = read->file;
    }
    PyObject *frame = reading->frame_type->tp_alloc(reading->frame_type, 0);
    if (frame == NULL) {
        return false;
    }
    bool has_state = read->event == EVENT_CALL || read->event == EVENT_LINE;
    PyObject *fields[FIELD_COUNT] = {
        [FIELD_EVENT] = Py_NewRef(PyTuple_GET_ITEM(reading->events, read->event)),
        [FIELD_FUNCTION] = read->function >= 0 ? Py_XNewRef(shared_object(&reader->strings[read->function]))
                                               : decode(read->explicit_function),
        [FIELD_DEPTH] = PyLong_FromLong(read->depth),
        [FIELD_LINE] = PyLong_FromLongLong(read->line),
        [FIELD_SOURCE] = decode(read->source),
        [FIELD_LOCALS] = has_state ? state_of(reader, read->scope) : Py_NewRef(Py_None),
        [FIELD_VALUE] = has_state ? Py_NewRef(Py_None) : decode(read->value),
        [FIELD_UNWIND] = PyBool_FromLong(read->flags & FLAG_UNWIND),
        [FIELD_SUSPENDED] = PyBool_FromLong(read->flags & FLAG_SUSPENDED),
        [FIELD_RESUMED] = PyBool_FromLong(read->flags & FLAG_RESUMED),
        [FIELD_PATH] = path_of(reader, reading, read->file),
    };
    bool done = true;
    for (int i = 0; i < FIELD_COUNT; i++) {
        done &= fields[i] != NULL;
        *(PyObject **)((char *)frame + reading->offsets[i]) = fields[i];
    }
    done = done && PyList_Append(reading->frames, frame) == 0;
    Py_DECREF(frame);
    return done;
}

static bool frames_end(Reader *reader, int outcome, Text detail, uint64_t threads)
{
    FrameReading *reading = reader->state;
    if (PyList_GET_SIZE(reading->frames) == 0) { /* the closing of a generator may have left none */
        return true;
    }
    const SourceFile *file = &reader->files[reading->first_file];
    PyObject *frames = PyList_AsTuple(reading->frames);
    PyObject *trace = Py_BuildValue("(NNNONiNK)", decode(reader->header), decode(file->path), decode(file->source),
                                    reading->files, frames, outcome, decode(detail), (unsigned long long)threads);
    bool done = trace != NULL && PyList_Append(reading->traces, trace) == 0;
    Py_XDECREF(trace);
    return done;
}

static const Consumer frames_consumer = {frames_begin, frames_frame, frames_end};

static PyObject *read_frames(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    int partial;
    PyObject *format_error;
    FrameReading reading = {.only = -1, .number = -1};
    if (!PyArg_ParseTuple(args, "y*pOO!O!|n", &data, &partial, &format_error, &PyType_Type, &reading.frame_type,
                          &PyTuple_Type, &reading.events, &reading.only)) {
        return NULL;
    }
    Reader reader = {.consumer = &frames_consumer, .state = &reading};
    reading.traces = PyList_New(0);
    reading.empty = PyUnicode_FromString("");
    int was_collecting = PyGC_Disable(); /* none of the objects made here is garbage */
    bool done = reading.traces != NULL && reading.empty != NULL && find_offsets(&reading) &&
                reader_run(&reader, data.buf, (size_t)data.len, partial, format_error);
    if (was_collecting) {
        PyGC_Enable();
    }
    reader_free(&reader);
    PyBuffer_Release(&data);
    Py_XDECREF(reading.frames);
    Py_XDECREF(reading.files);
    Py_XDECREF(reading.empty);
    if (!done) {
        Py_CLEAR(reading.traces);
    }
    return reading.traces;
}

/* ---- text ---------------------------------------------------------------------------------------- */

typedef struct {
    Buffer out;
    bool is_at_start;
} WireWriting;

static bool wire_begin(Reader *reader)
{
    ((WireWriting *)reader->state)->is_at_start = true;
    return true;
}

/* A text of two or more dots, which is not "..", gets one more. */
static bool is_dots(Text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '.') {
            return false;
        }
    }
    return text.size >= 2;
}

/* The locals as JSON; `is_diff`: those that are as before as "..". */
static void put_locals(Buffer *out, Reader *reader, const OpenScope *scope, bool is_diff)
{
    put_char(out, '{');
    for (int i = 0; i < scope->count; i++) {
        const Local *local = &scope->locals[i];
        Text name = reader->strings[local->name].text;
        put_bytes(out, i ? ", \"" : "\"", i ? 3 : 1);
        put_json(out, name.data, name.size);
        PUT_LITERAL(out, "\": \"");
        if (is_diff && !local->changed) {
            PUT_LITERAL(out, "..");
        }
        else {
            put_json(out, local->value.text.data, local->value.text.size);
            if (is_diff && is_dots(local->value.text)) {
                put_char(out, '.');
            }
        }
        put_char(out, '"');
    }
    put_char(out, '}');
}

static bool check_memory(const Buffer *buffer)
{
    if (buffer->failed) {
        PyErr_NoMemory();
    }
    return !buffer->failed;
}

static bool wire_frame(Reader *reader, const ReadFrame *frame)
{
    WireWriting *writing = reader->state;
    Buffer *out = &writing->out;
    bool has_value = frame->event == EVENT_RETURN || frame->event == EVENT_EXCEPTION;
    if (writing->is_at_start) {
        wire_put_context(out, reader->files[frame->file].source, (int)frame->line);
        writing->is_at_start = false;
    }
    wire_put_event(out, frame->event);
    if (!has_value) {
        OpenScope *scope = frame->scope;
        for (int i = 0; scope->is_reset && i < scope->count; i++) {
            scope->locals[i].changed = true;
        }
        scope->is_reset = false;
        put_locals(out, reader, scope, true);
    }
    wire_put_action(out, frame->source);
    if (has_value) {
        wire_put_value(out, frame->value);
    }
    wire_end_frame(out);
    return check_memory(out);
}

static bool wire_end(Reader *reader, int outcome, Text detail, uint64_t threads)
{
    WireWriting *writing = reader->state;
    (void)detail;
    (void)threads;
    if (outcome != 2 && !writing->is_at_start) {
        PUT_LITERAL(&writing->out, WIRE_END);
    }
    return check_memory(&writing->out);
}

static const Consumer wire_consumer = {wire_begin, wire_frame, wire_end};

static PyObject *read_wire(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    int partial;
    PyObject *format_error;
    if (!PyArg_ParseTuple(args, "y*pO", &data, &partial, &format_error)) {
        return NULL;
    }
    WireWriting writing = {0};
    Reader reader = {.consumer = &wire_consumer, .state = &writing};
    bool done = reader_run(&reader, data.buf, (size_t)data.len, partial, format_error);
    PyObject *text = done ? PyBytes_FromStringAndSize(writing.out.data, (Py_ssize_t)writing.out.size) : NULL;
    reader_free(&reader);
    PyBuffer_Release(&data);
    free(writing.out.data);
    return text;
}

/* ---- columns ------------------------------------------------------------------------------------- */

enum { NUMBER_TRACE, NUMBER_EVENT, NUMBER_FLAGS, NUMBER_DEPTH, NUMBER_LINE, NUMBER_COUNT };
enum { TEXT_PATH, TEXT_FUNCTION, TEXT_SOURCE, TEXT_LOCALS, TEXT_VALUE, TEXT_COUNT };

typedef struct {
    Buffer numbers[NUMBER_COUNT]; /* int32 */
    Buffer offsets[TEXT_COUNT];   /* int64, one more than there are rows */
    Buffer texts[TEXT_COUNT];     /* UTF-8 */
    int traces;
} Columns;

static bool columns_begin(Reader *reader)
{
    ((Columns *)reader->state)->traces++;
    return true;
}

static void put_number(Buffer *column, int64_t value)
{
    int32_t number = (int32_t)value;
    put_bytes(column, (const char *)&number, sizeof number);
}

static void end_text(Columns *columns, int which)
{
    int64_t offset = (int64_t)columns->texts[which].size;
    put_bytes(&columns->offsets[which], (const char *)&offset, sizeof offset);
}

static void put_column(Columns *columns, int which, Text text)
{
    put_bytes(&columns->texts[which], text.data, text.size);
    end_text(columns, which);
}

static bool columns_frame(Reader *reader, const ReadFrame *frame)
{
    Columns *columns = reader->state;
    int64_t numbers[NUMBER_COUNT] = {columns->traces - 1, frame->event, frame->flags >> 2, frame->depth, frame->line};
    bool done = true;
    for (int i = 0; i < NUMBER_COUNT; i++) {
        put_number(&columns->numbers[i], numbers[i]);
        done &= !columns->numbers[i].failed;
    }
    put_column(columns, TEXT_PATH, reader->files[frame->file].path);
    put_column(columns, TEXT_FUNCTION,
               frame->function >= 0 ? reader->strings[frame->function].text : frame->explicit_function);
    put_column(columns, TEXT_SOURCE, frame->source);
    if (frame->event == EVENT_CALL || frame->event == EVENT_LINE) {
        put_locals(&columns->texts[TEXT_LOCALS], reader, frame->scope, false);
    }
    end_text(columns, TEXT_LOCALS);
    put_column(columns, TEXT_VALUE, frame->value);
    for (int i = 0; i < TEXT_COUNT; i++) {
        done &= !columns->texts[i].failed && !columns->offsets[i].failed;
    }
    if (!done) {
        PyErr_NoMemory();
    }
    return done;
}

static bool columns_end(Reader *reader, int outcome, Text detail, uint64_t threads)
{
    (void)reader;
    (void)outcome;
    (void)detail;
    (void)threads;
    return true;
}

static const Consumer columns_consumer = {columns_begin, columns_frame, columns_end};

static PyObject *bytes_of(const Buffer *buffer)
{
    return PyBytes_FromStringAndSize(buffer->data, (Py_ssize_t)buffer->size);
}

static PyObject *columns_result(Columns *columns)
{
    PyObject *numbers = PyTuple_New(NUMBER_COUNT), *texts = PyTuple_New(TEXT_COUNT);
    for (int i = 0; numbers != NULL && i < NUMBER_COUNT; i++) {
        PyTuple_SET_ITEM(numbers, i, bytes_of(&columns->numbers[i]));
    }
    for (int i = 0; texts != NULL && i < TEXT_COUNT; i++) {
        PyTuple_SET_ITEM(texts, i, Py_BuildValue("(NN)", bytes_of(&columns->offsets[i]), bytes_of(&columns->texts[i])));
    }
    PyObject *result = numbers != NULL && texts != NULL && !PyErr_Occurred() ? PyTuple_Pack(2, numbers, texts) : NULL;
    Py_XDECREF(numbers);
    Py_XDECREF(texts);
    return result;
}

static PyObject *read_columns(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    int partial;
    PyObject *format_error;
    if (!PyArg_ParseTuple(args, "y*pO", &data, &partial, &format_error)) {
        return NULL;
    }
    Columns columns = {0};
    Reader reader = {.consumer = &columns_consumer, .state = &columns};
    for (int i = 0; i < TEXT_COUNT; i++) {
        end_text(&columns, i);
    }
    bool done = reader_run(&reader, data.buf, (size_t)data.len, partial, format_error);
    PyObject *result = done ? columns_result(&columns) : NULL;
    reader_free(&reader);
    PyBuffer_Release(&data);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        free(columns.numbers[i].data);
    }
    for (int i = 0; i < TEXT_COUNT; i++) {
        free(columns.offsets[i].data);
        free(columns.texts[i].data);
    }
    return result;
}

/* ---- a line about each --------------------------------------------------------------------------- */

typedef struct {
    PyObject *traces;
    unsigned long long steps;
    Text path, function; /* of the first frame */
} Summing;

static bool summary_begin(Reader *reader)
{
    ((Summing *)reader->state)->steps = 0;
    return true;
}

static bool summary_frame(Reader *reader, const ReadFrame *frame)
{
    Summing *summing = reader->state;
    if (summing->steps++ == 0) {
        summing->path = reader->files[frame->file].path;
        summing->function = frame->function >= 0 ? reader->strings[frame->function].text : frame->explicit_function;
    }
    return true;
}

static bool summary_end(Reader *reader, int outcome, Text detail, uint64_t threads)
{
    Summing *summing = reader->state;
    if (summing->steps == 0) {
        return true;
    }
    PyObject *trace = Py_BuildValue("(NNNKiNK)", decode(reader->header), decode(summing->path), decode(summing->function),
                                    summing->steps, outcome, decode(detail), (unsigned long long)threads);
    bool done = trace != NULL && PyList_Append(summing->traces, trace) == 0;
    Py_XDECREF(trace);
    return done;
}

static const Consumer summary_consumer = {summary_begin, summary_frame, summary_end};

static PyObject *read_summaries(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    int partial;
    PyObject *format_error;
    if (!PyArg_ParseTuple(args, "y*pO", &data, &partial, &format_error)) {
        return NULL;
    }
    Summing summing = {.traces = PyList_New(0)};
    Reader reader = {.consumer = &summary_consumer, .state = &summing};
    if (summing.traces != NULL && !reader_run(&reader, data.buf, (size_t)data.len, partial, format_error)) {
        Py_CLEAR(summing.traces);
    }
    reader_free(&reader);
    PyBuffer_Release(&data);
    return summing.traces;
}

static PyMethodDef methods[] = {
    {"frames", read_frames, METH_VARARGS,
     "frames(data, partial, FormatError, Frame, events, only=-1): a list of (header, path, source, other files, frames, "
     "outcome, detail, threads) of all traces, or of number `only` alone."},
    {"summaries", read_summaries, METH_VARARGS,
     "summaries(data, partial, FormatError): a list of (header, path, function, steps, outcome, detail, threads)."},
    {"wire", read_wire, METH_VARARGS, "wire(data, partial, FormatError): the wire documents, as bytes."},
    {"columns", read_columns, METH_VARARGS,
     "columns(data, partial, FormatError): int32 columns (trace, event, flags, depth, line), and int64 offsets and UTF-8 of "
     "the text columns (path, function, source, locals, value)."},
    {0},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_binary",
    .m_doc = "Reads the binary form of traces; see foretrace.trace.binary.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__binary(void)
{
    return PyModule_Create(&module);
}
