#include "reader.h"

#include <stddef.h>

enum { RECORD_FILE = 1, RECORD_STRING, RECORD_TRACE, RECORD_END, RECORD_FRAME = 0x80 };
static const char MAGIC[] = {'F', 'T', 'B', 1};

PyObject *shared_object(Shared *shared)
{
    if (shared->object == NULL) {
        shared->object = PyUnicode_DecodeUTF8(shared->text.data, (Py_ssize_t)shared->text.size, "surrogatepass");
    }
    return shared->object;
}

/* ---- numbers and texts; a problem makes all that follow empty ------------------------------------ */

static void fail(Reader *reader, const char *problem)
{
    if (reader->problem == NULL) {
        reader->problem = problem;
    }
}

static unsigned char read_byte(Reader *reader)
{
    if (reader->at >= reader->end) {
        fail(reader, "it is cut off");
        return 0;
    }
    return (unsigned char)*reader->at++;
}

static uint64_t read_int(Reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        unsigned char byte = read_byte(reader);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    fail(reader, "a number is too large");
    return 0;
}

static int64_t read_signed(Reader *reader)
{
    uint64_t value = read_int(reader);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* A number below `limit`. */
static int read_index(Reader *reader, int limit, const char *problem)
{
    uint64_t value = read_int(reader);
    if (value >= (uint64_t)limit) {
        fail(reader, problem);
        return 0;
    }
    return (int)value;
}

/* Length of the UTF-8 sequence at `at`, lone surrogates included; 0 if it is none. */
static size_t sequence_length(const unsigned char *at, const unsigned char *end)
{
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;
    if (length > (size_t)(end - at)) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool is_overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    return is_overlong || (at[0] == 0xF4 && at[1] > 0x8F) ? 0 : length;
}

static bool is_utf8(Text text)
{
    const unsigned char *at = (const unsigned char *)text.data, *end = at + text.size;
    while (at < end) {
        uint64_t word;
        while (end - at >= 8 && (memcpy(&word, at, 8), (word & 0x8080808080808080u) == 0)) {
            at += 8;
        }
        size_t length = at < end ? sequence_length(at, end) : 0;
        if (length == 0 && at < end) {
            return false;
        }
        at += length;
    }
    return true;
}

static Text read_text(Reader *reader)
{
    uint64_t size = read_int(reader);
    if (size > (uint64_t)(reader->end - reader->at)) {
        fail(reader, "it is cut off");
        reader->at = reader->end;
        return (Text){"", 0};
    }
    Text text = {reader->at, (size_t)size};
    reader->at += size;
    if (!is_utf8(text)) {
        fail(reader, "a text is not UTF-8");
        return (Text){"", 0};
    }
    return text;
}

/* Makes room for one more item of `size` bytes. */
static bool grow(Reader *reader, void *list, int count, int *capacity, size_t size)
{
    if (count < *capacity) {
        return true;
    }
    int wanted = *capacity ? 2 * *capacity : 16;
    char *grown = realloc(*(void **)list, (size_t)wanted * size);
    if (grown == NULL) {
        fail(reader, "there is not enough memory");
        return false;
    }
    memset(grown + (size_t)*capacity * size, 0, (size_t)(wanted - *capacity) * size);
    *(void **)list = grown;
    *capacity = wanted;
    return true;
}

/* ---- tables -------------------------------------------------------------------------------------- */

static void clear_tables(Reader *reader)
{
    for (int i = 0; i < reader->file_count; i++) {
        Py_CLEAR(reader->files[i].path_object);
        free(reader->files[i].lines);
        reader->files[i].lines = NULL;
    }
    for (int i = 0; i < reader->string_count; i++) {
        Py_CLEAR(reader->strings[i].object);
    }
    reader->file_count = reader->string_count = 0;
}

static void read_file(Reader *reader)
{
    if (!grow(reader, &reader->files, reader->file_count, &reader->file_capacity, sizeof *reader->files)) {
        return;
    }
    SourceFile file = {.path = read_text(reader), .line_count = 1};
    file.source = read_text(reader);
    for (size_t i = 0; i < file.source.size; i++) {
        file.line_count += file.source.data[i] == '\n';
    }
    file.lines = malloc((size_t)file.line_count * sizeof *file.lines);
    if (file.lines == NULL || reader->problem != NULL) {
        fail(reader, "there is not enough memory");
        free(file.lines);
        return;
    }
    const char *at = file.source.data, *end = at + file.source.size;
    for (int i = 0; i < file.line_count; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        file.lines[i] = (Text){at, (size_t)(stop - at)};
        at = stop + 1;
    }
    reader->files[reader->file_count++] = file;
}

static void read_string(Reader *reader)
{
    if (grow(reader, &reader->strings, reader->string_count, &reader->string_capacity, sizeof *reader->strings)) {
        Text text = read_text(reader);
        if (reader->problem == NULL) {
            reader->strings[reader->string_count++] = (Shared){text, NULL};
        }
    }
}

/* ---- scopes -------------------------------------------------------------------------------------- */

static void clear_scope(OpenScope *scope)
{
    for (int i = 0; i < scope->count; i++) {
        Py_CLEAR(scope->locals[i].value.object);
    }
    scope->count = 0;
    scope->number = 0;
}

/* Closes the innermost scope; one that is suspended takes the place of the oldest that was. */
static void close_scope(Reader *reader, bool is_suspended)
{
    OpenScope *scope = &reader->scopes[--reader->scope_count];
    if (is_suspended && reader->kept == NULL) {
        reader->kept = calloc(MAX_AGE, sizeof *reader->kept);
    }
    if (is_suspended && reader->kept != NULL) {
        OpenScope *place = &reader->kept[++reader->suspensions % MAX_AGE], oldest = *place;
        scope->number = reader->suspensions;
        *place = *scope;
        *scope = oldest;
    }
    clear_scope(scope);
    if (reader->scope_count) {
        reader->scopes[reader->scope_count - 1].is_reset = true;
    }
}

static void close_scopes(Reader *reader)
{
    while (reader->scope_count) {
        close_scope(reader, false);
    }
    for (int i = 0; reader->kept != NULL && i < MAX_AGE; i++) {
        clear_scope(&reader->kept[i]);
    }
    reader->suspensions = 0;
}

static void remove_locals(Reader *reader, OpenScope *scope)
{
    int count = read_index(reader, scope->count + 1, "more names are gone than there were"), kept = 0, before = 0;
    for (int i = 0; i < count && reader->problem == NULL; i++) {
        int at = read_index(reader, scope->count, "a name that is not there is gone");
        if (i && at < before) {
            fail(reader, "names that are gone are out of order");
            break;
        }
        while (before < at) {
            scope->locals[kept++] = scope->locals[before++];
        }
        Py_CLEAR(scope->locals[before].value.object);
        before++;
    }
    while (before < scope->count) {
        scope->locals[kept++] = scope->locals[before++];
    }
    scope->count = kept;
}

static void edit_locals(Reader *reader, OpenScope *scope)
{
    uint64_t counts = read_int(reader);
    for (int i = 0; i < scope->count; i++) {
        scope->locals[i].changed = false;
    }
    if (counts & 1) {
        remove_locals(reader, scope);
    }
    for (uint64_t i = 0; i < counts >> 1 && reader->problem == NULL; i++) {
        uint64_t place = read_int(reader), at = place >> 1;
        bool is_new = place & 1;
        if (at >= (uint64_t)scope->count + is_new) {
            fail(reader, "a local is out of place");
            return;
        }
        if (is_new) {
            int name = read_index(reader, reader->string_count, "a string that is not there");
            if (!grow(reader, &scope->locals, scope->count, &scope->capacity, sizeof *scope->locals)) {
                return;
            }
            memmove(scope->locals + at + 1, scope->locals + at, ((size_t)scope->count - at) * sizeof *scope->locals);
            scope->count++;
            scope->locals[at] = (Local){.name = name};
        }
        Py_CLEAR(scope->locals[at].value.object);
        scope->locals[at].value.text = read_text(reader);
        scope->locals[at].changed = true;
    }
}

/* Goes on with the scope that was suspended `age` suspensions ago. */
static void resume_scope(Reader *reader, OpenScope *scope, uint64_t age)
{
    uint64_t number = reader->suspensions - age + 1;
    OpenScope *kept = age <= MAX_AGE && age <= reader->suspensions ? &reader->kept[number % MAX_AGE] : NULL;
    if (kept == NULL || kept->number != number) {
        fail(reader, "a scope that is not there is resumed");
        return;
    }
    OpenScope unused = *scope;
    *scope = *kept;
    *kept = unused;
    kept->number = scope->number = 0;
    scope->is_reset = true;
    scope->line += read_signed(reader);
}

static OpenScope *open_scope(Reader *reader, bool is_resumed)
{
    if (!grow(reader, &reader->scopes, reader->scope_count, &reader->scope_capacity, sizeof *reader->scopes)) {
        return NULL;
    }
    OpenScope *scope = &reader->scopes[reader->scope_count++];
    uint64_t age = is_resumed ? read_int(reader) : 0;
    scope->is_reset = true;
    if (age) {
        resume_scope(reader, scope, age);
        return scope;
    }
    scope->file = read_index(reader, reader->file_count, "a file that is not there");
    scope->function = read_index(reader, reader->string_count, "a string that is not there");
    scope->line = (int64_t)read_int(reader);
    return scope;
}

static bool read_frame(Reader *reader, int kind)
{
    ReadFrame frame = {.event = (Event)(kind & 3), .flags = kind & (FLAG_UNWIND | FLAG_SUSPENDED | FLAG_RESUMED)};
    if (frame.event != EVENT_CALL && reader->scope_count == 0) {
        fail(reader, "a frame stands outside any call");
        return true;
    }
    int64_t moved = frame.event == EVENT_CALL ? 0 : read_signed(reader);
    OpenScope *scope = frame.event == EVENT_CALL ? open_scope(reader, kind & FLAG_RESUMED) : &reader->scopes[reader->scope_count - 1];
    if (scope == NULL || reader->problem != NULL) {
        return true;
    }
    scope->line += moved;
    const SourceFile *file = &reader->files[scope->file];
    bool is_there = scope->line > 0 && scope->line <= file->line_count;
    frame.scope = scope;
    frame.depth = reader->scope_count - 1;
    frame.file = scope->file;
    frame.function = scope->function;
    frame.line = scope->line;
    frame.source = is_there ? file->lines[scope->line - 1] : (Text){"", 0};
    if (kind & FLAG_EXPLICIT) {
        frame.function = -1;
        frame.explicit_function = read_text(reader);
        frame.source = read_text(reader);
    }
    if (frame.event == EVENT_CALL || frame.event == EVENT_LINE) {
        edit_locals(reader, scope);
    }
    else {
        frame.value = read_text(reader);
    }
    if (reader->problem != NULL) {
        return true;
    }
    bool go_on = reader->consumer->frame(reader, &frame);
    if (frame.event == EVENT_RETURN || frame.flags & FLAG_UNWIND) {
        close_scope(reader, frame.flags & FLAG_SUSPENDED);
    }
    return go_on;
}

/* ---- records ------------------------------------------------------------------------------------- */

static bool read_record(Reader *reader)
{
    if (reader->end - reader->at >= (ptrdiff_t)sizeof MAGIC && memcmp(reader->at, MAGIC, sizeof MAGIC) == 0) {
        reader->at += sizeof MAGIC;
        reader->header = read_text(reader);
        clear_tables(reader);
        close_scopes(reader);
        reader->is_open = false;
        return true;
    }
    int kind = read_byte(reader);
    if (kind >= RECORD_FRAME && reader->is_open) {
        return read_frame(reader, kind);
    }
    if (kind == RECORD_FILE) {
        read_file(reader);
    }
    else if (kind == RECORD_STRING) {
        read_string(reader);
    }
    else if (kind == RECORD_TRACE && !reader->is_open) {
        reader->is_open = true;
        close_scopes(reader);
        return reader->consumer->begin(reader);
    }
    else if (kind == RECORD_END && reader->is_open) {
        int outcome = read_byte(reader);
        Text detail = read_text(reader);
        uint64_t threads = read_int(reader);
        if (outcome > 2) {
            fail(reader, "an outcome that is none");
        }
        if (reader->problem == NULL) {
            reader->is_open = false;
            return reader->consumer->end(reader, outcome, detail, threads);
        }
    }
    else {
        fail(reader, "a record of this kind cannot stand here");
    }
    return true;
}

bool reader_run(Reader *reader, const char *data, size_t size, bool partial, PyObject *format_error)
{
    reader->start = reader->at = data;
    reader->end = data + size;
    Text why = {"cut off", 7};
    while (reader->at < reader->end) {
        const char *record = reader->at;
        if (!read_record(reader)) {
            return false;
        }
        if (reader->problem != NULL && partial) {
            why = reader->at >= reader->end ? why : (Text){"damaged", 7};
            break;
        }
        if (reader->problem != NULL) {
            PyErr_Format(format_error, "the record at byte %zd is not one of a trace (binary v1): %s",
                         (Py_ssize_t)(record - data), reader->problem);
            return false;
        }
    }
    if (reader->is_open && !partial) {
        PyErr_SetString(format_error, "the file ends within a trace; read it with partial=True to keep the frames so far");
        return false;
    }
    return !reader->is_open || reader->consumer->end(reader, 2, why, 0);
}

void reader_free(Reader *reader)
{
    clear_tables(reader);
    close_scopes(reader);
    for (int i = 0; i < reader->scope_capacity; i++) {
        free(reader->scopes[i].locals);
    }
    for (int i = 0; reader->kept != NULL && i < MAX_AGE; i++) {
        free(reader->kept[i].locals);
    }
    free(reader->kept);
    free(reader->files);
    free(reader->strings);
    free(reader->scopes);
}
