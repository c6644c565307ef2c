/* Where bytes go: records of the binary form, or text of the wire, gathered in memory that outlives the process. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session.h"

#define ORDINARY_RECORD (8 << 10)

/* ---- output -------------------------------------------------------------------------------------- */

/* Whether the descriptor is still that of the file that was opened: a program may close all that it finds open. */
static bool is_our_output(const Session *session)
{
    struct stat now;
    return fstat(session->output, &now) == 0 && now.st_dev == session->device && now.st_ino == session->inode;
}

static bool write_all(Session *session, const char *bytes, size_t size)
{
    if (!is_our_output(session)) {
        errno = EBADF;
        return false;
    }
    while (size > 0) {
        ssize_t done = session->is_seekable ? pwrite(session->output, bytes, size, (off_t)session->written)
                                            : write(session->output, bytes, size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        bytes += done;
        size -= (size_t)done;
        session->written += (uint64_t)done;
    }
    return true;
}

/* How much of the data is whole, and what the output holds before it, in one word: see record/sink.py. */
static inline void set_committed(Session *session)
{
    if (session->is_mapped) {
        *(volatile uint64_t *)(void *)session->tail = session->written << 20 | session->used;
    }
}

/* Writes what was gathered to the output. The tail keeps it until the output has it. */
static bool flush(Session *session)
{
    if (session->output < 0) {
        return true;
    }
    uint64_t before = session->written;
    bool done = write_all(session, session->data, session->used);
    size_t sent = (size_t)(session->written - before);
    memmove(session->data, session->data + sent, session->used - sent); /* what could not be written stays in the tail */
    session->used -= sent;
    session->output_failed = !done;
    set_committed(session);
    return done;
}

static bool make_room(Session *session, size_t size)
{
    if (session->used + size <= session->capacity) {
        return true;
    }
    if (session->output >= 0) {
        return flush(session);
    }
    size_t capacity = 2 * session->capacity;
    while (capacity < session->used + size) {
        capacity *= 2;
    }
    char *grown = realloc(session->data, capacity);
    if (grown == NULL) {
        return false;
    }
    session->data = session->tail = grown;
    session->capacity = capacity;
    return true;
}

/* Appends the record that was built. */
static int commit(Session *session)
{
    Buffer *record = &session->record;
    if (record->failed || session->scratch.failed) {
        session->scratch.failed = false;
        return session_fill(session, session->output_failed ? "output" : "memory");
    }
    session->last_start = session->last_frame = SIZE_MAX;
    if (!record->is_borrowed) { /* it did not fit the room that was there */
        if (!make_room(session, record->size)) {
            return session_fill(session, "output");
        }
        if (record->size > session->capacity) {
            bool done = write_all(session, record->data, record->size);
            set_committed(session);
            return done ? 0 : session_fill(session, "output");
        }
        memcpy(session->data + session->used, record->data, record->size);
    }
    session->last_start = session->used;
    session->last_frame = session->used + session->frame_at;
    session->used += record->size;
    set_committed(session);
    return 0;
}

/* A record is built where it will stand, if there is room for one of ordinary size. */
static Buffer *start_record(Session *session)
{
    Buffer *record = &session->record;
    if (!record->is_borrowed) {
        free(record->data);
    }
    if (session->capacity - session->used < ORDINARY_RECORD && !make_room(session, ORDINARY_RECORD)) {
        *record = (Buffer){.failed = true}; /* which `commit` reports */
        return record;
    }
    *record = (Buffer){
        .data = session->data + session->used,
        .capacity = session->capacity - session->used,
        .is_borrowed = true,
    };
    session->frame_at = 0;
    session->fresh_count = 0;
    session->fresh_file = NULL;
    session->fresh_start = false;
    return record;
}

/* ---- traces -------------------------------------------------------------------------------------- */

static int put_opening(Session *session)
{
    session->tables++;
    session->string_count = session->file_count = 0;
    if (session->is_wire) {
        return 0;
    }
    put_bytes(start_record(session), PyBytes_AS_STRING(session->opening), (size_t)PyBytes_GET_SIZE(session->opening));
    return commit(session);
}

int stream_open(Session *session)
{
    session->capacity = TAIL_BYTES - TAIL_HEAD;
    if (session->tail_file >= 0 && session->output >= 0) {
        void *mapped = mmap(NULL, TAIL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, session->tail_file, 0);
        if (mapped == MAP_FAILED) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        session->is_mapped = true;
        session->tail = mapped;
        session->data = session->tail + TAIL_HEAD;
    }
    else {
        session->data = session->tail = malloc(session->capacity);
        if (session->data == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    if (session->output >= 0) {
        struct stat opened;
        if (fstat(session->output, &opened) < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        session->device = opened.st_dev;
        session->inode = opened.st_ino;
        off_t at = lseek(session->output, 0, SEEK_CUR);
        session->is_seekable = at >= 0;
        session->written = at >= 0 ? (uint64_t)at : 0;
        /* what the program writes to a descriptor of ours must not hit the records: we name the place of each write */
        lseek(session->output, (off_t)1 << 43, SEEK_SET);
        lseek(session->tail_file, (off_t)1 << 43, SEEK_SET);
    }
    if (put_opening(session) < 0 || !flush(session)) {
        if (!PyErr_Occurred()) {
            PyErr_SetFromErrno(PyExc_OSError);
        }
        return -1;
    }
    return 0;
}

int stream_begin(Session *session)
{
    session->is_at_start = true;
    if (session->string_count + session->file_count >= MAX_NUMBERED && put_opening(session) < 0) {
        return -1;
    }
    if (session->is_wire) {
        return 0;
    }
    put_char(start_record(session), RECORD_TRACE);
    return commit(session);
}

int stream_end(Session *session, Outcome outcome, const char *detail)
{
    Buffer *record = start_record(session);
    if (session->is_wire) {
        if (outcome != OUTCOME_TRUNCATED && !session->is_at_start) {
            PUT_LITERAL(record, WIRE_END);
        }
    }
    else {
        put_char(record, RECORD_END);
        put_char(record, (char)outcome);
        put_text(record, detail, strlen(detail));
        put_int(record, (uint64_t)session->threads);
    }
    return commit(session);
}

/* ---- frames -------------------------------------------------------------------------------------- */

/* The lines of a file as one text. */
static void put_source(Buffer *out, File *file)
{
    for (int i = 1; i <= (int)file->line_count; i++) {
        Line line = file_line(file, i);
        if (i > 1) {
            put_char(out, '\n');
        }
        put_bytes(out, line.text, line.size);
    }
}

/* What a model is given before the first frame. */
static void put_context(Session *session, File *file, int entry)
{
    Buffer *source = &session->scratch;
    source->size = 0;
    put_source(source, file);
    wire_put_context(&session->record, (Text){source->data, source->size}, entry);
}

static void put_file(Session *session, File *file)
{
    Buffer *record = &session->record;
    if (file->tables == session->tables) {
        return;
    }
    file->tables = session->tables;
    file->number = session->file_count++;
    session->fresh_file = file;
    Py_ssize_t size;
    const char *path = PyUnicode_AsUTF8AndSize(file->path, &size);
    put_char(record, RECORD_FILE);
    if (path == NULL) { /* a name that is not UTF-8 */
        PyErr_Clear();
        PyObject *bytes = PyUnicode_AsEncodedString(file->path, "utf-8", "surrogatepass");
        put_text(record, bytes != NULL ? PyBytes_AS_STRING(bytes) : "", bytes != NULL ? (size_t)PyBytes_GET_SIZE(bytes) : 0);
        Py_XDECREF(bytes);
        PyErr_Clear();
    }
    else {
        put_text(record, path, (size_t)size);
    }
    session->scratch.size = 0;
    put_source(&session->scratch, file);
    put_text(record, session->scratch.data, session->scratch.size);
}

/* The head of a frame of the binary form. */
static void put_head(Session *session, Activation *activation, Event event, int flags, int line)
{
    Buffer *record = &session->record;
    put_char(record, (char)(RECORD_FRAME | (int)event | flags));
    if (flags & FLAG_RESUMED) {
        put_int(record, activation->age);
    }
    if (event != EVENT_CALL || activation->age) {
        put_signed(record, line - activation->line);
        return;
    }
    put_int(record, (uint64_t)activation->code->file->number);
    put_int(record, (uint64_t)activation->code->function->number);
    put_int(record, (uint64_t)line);
}

static size_t put_binary_frame(Session *session, Activation *activation, Event event, int flags, int line,
                               const Buffer *value)
{
    if (event == EVENT_CALL && !activation->age) {
        put_file(session, activation->code->file);
        session->frame_at = session->record.size;
        number_name(session, activation->code->function);
    }
    put_head(session, activation, event, flags, line);
    if (value == NULL) {
        return state_write(session, activation);
    }
    put_text(&session->record, value->data, value->size);
    return 0;
}

static size_t put_wire_frame(Session *session, Activation *activation, Event event, int line, const Buffer *value)
{
    Buffer *record = &session->record;
    size_t characters = 0;
    if (session->is_at_start) {
        put_context(session, activation->code->file, line);
        session->is_at_start = false;
        session->fresh_start = true;
    }
    wire_put_event(record, event);
    if (value == NULL) {
        characters = state_write(session, activation);
    }
    Line source = file_line(activation->code->file, line);
    wire_put_action(record, (Text){source.text, source.size});
    if (value != NULL) {
        wire_put_value(record, (Text){value->data, value->size});
    }
    wire_end_frame(record);
    return characters;
}

int stream_frame(Session *session, Activation *activation, Event event, int flags, int line, const Buffer *value,
                 size_t characters)
{
    start_record(session);
    characters += session->is_wire ? put_wire_frame(session, activation, event, line, value)
                                   : put_binary_frame(session, activation, event, flags, line, value);
    activation->line = line;
    session->last_characters = characters + file_line(activation->code->file, line).characters;
    session->frames++;
    session->events++;
    session->characters += (long long)session->last_characters;
    return commit(session);
}

int stream_exception(Session *session, Activation *activation, int line)
{
    int result = stream_frame(session, activation, EVENT_EXCEPTION, 0, line, &activation->raised, activation->raised_characters);
    activation->last_raised = session->frames;
    activation->raised_at = session->last_frame != SIZE_MAX ? session->written + session->last_frame : UINT64_MAX;
    return result;
}

bool stream_mark_unwind(Session *session, const Activation *activation)
{
    uint64_t at = activation->raised_at;
    char marked = (char)(RECORD_FRAME | EVENT_EXCEPTION | FLAG_UNWIND);
    if (session->is_wire) {
        return true;
    }
    if (at == UINT64_MAX) {
        return false;
    }
    if (at >= session->written) {
        session->data[at - session->written] = marked;
        return true;
    }
    return session->is_seekable && pwrite(session->output, &marked, 1, (off_t)at) == 1;
}

/* ---- a generator that is being closed ------------------------------------------------------------ */

bool stream_hold(Session *session, Activation *activation)
{
    if (session->last_start == SIZE_MAX) {
        return false;
    }
    Name **names = realloc(activation->held_names, (size_t)(session->fresh_count + 1) * sizeof *names);
    if (names == NULL) {
        return false;
    }
    activation->held_names = names;
    activation->held_name_count = session->fresh_count;
    activation->held.size = 0;
    put_bytes(&activation->held, session->data + session->last_start, session->used - session->last_start);
    if (activation->held.failed) {
        activation->held.failed = false;
        return false;
    }
    for (int i = 0; i < session->fresh_count; i++) { /* their numbers are free again */
        names[i] = session->fresh[i];
        names[i]->tables = 0;
        session->string_count--;
    }
    activation->held_file = session->fresh_file;
    if (session->fresh_file != NULL) {
        session->fresh_file->tables = 0;
        session->file_count--;
    }
    activation->held_start = session->fresh_start;
    session->is_at_start |= session->fresh_start;
    activation->held_characters = session->last_characters;
    session->used = session->last_start;
    set_committed(session);
    session->last_start = session->last_frame = SIZE_MAX;
    session->events--;
    session->frames--;
    session->characters -= (long long)session->last_characters;
    activation->is_held = true;
    return true;
}

int stream_release(Session *session, Activation *activation)
{
    Buffer *record = start_record(session);
    put_bytes(record, activation->held.data, activation->held.size);
    for (int i = 0; i < activation->held_name_count; i++) {
        activation->held_names[i]->tables = session->tables;
        activation->held_names[i]->number = session->string_count++;
    }
    if (activation->held_file != NULL) {
        activation->held_file->tables = session->tables;
        activation->held_file->number = session->file_count++;
    }
    session->is_at_start &= !activation->held_start;
    activation->is_held = false;
    session->frames++;
    session->events++;
    session->characters += (long long)activation->held_characters;
    if (commit(session) < 0) {
        return -1;
    }
    return stream_exception(session, activation, activation->raised_line);
}

/* ---- the end ------------------------------------------------------------------------------------- */

int stream_close(Session *session)
{
    if (session->memory != NULL && session->memory != Py_None) {
        PyObject *bytes = PyBytes_FromStringAndSize(session->data, (Py_ssize_t)session->used);
        PyObject *done = bytes != NULL ? PyObject_CallMethod(session->memory, "extend", "O", bytes) : NULL;
        Py_XDECREF(bytes);
        Py_XDECREF(done);
        return done != NULL ? 0 : -1;
    }
    if (!flush(session)) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

void stream_clear(Session *session)
{
    if (!session->record.is_borrowed) {
        free(session->record.data);
    }
    if (session->is_mapped) {
        munmap(session->tail, TAIL_BYTES);
    }
    else {
        free(session->tail);
    }
    session->tail = session->data = NULL;
    session->is_mapped = false;
    free(session->scratch.data);
    free(session->value.data);
    free(session->gone);
    free(session->fresh);
    session->record = session->scratch = session->value = (Buffer){0};
    session->gone = NULL;
    session->fresh = NULL;
}
