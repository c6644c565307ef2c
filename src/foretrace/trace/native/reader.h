/* Reading the binary form: trace/binary.py's `_Reader` in C. Texts are not copied. */
#ifndef FORETRACE_READER_H
#define FORETRACE_READER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "wire.h"

enum { FLAG_UNWIND = 4, FLAG_SUSPENDED = 8, FLAG_RESUMED = 16, FLAG_EXPLICIT = 32 };

/* A text of the stream; `object` is the same as a Python string, made when it is first asked for. */
typedef struct {
    Text text;
    PyObject *object;
} Shared;

typedef struct {
    Text path, source;
    PyObject *path_object;
    Text *lines;
    int line_count;
} SourceFile;

/* A local as it stands. */
typedef struct {
    int name; /* in the strings of the stream */
    bool changed;
    Shared value;
} Local;

typedef struct {
    int file, function;
    int64_t line;
    uint64_t number; /* of its suspension */
    bool is_reset; /* for the wire: the next frame shows all locals */
    Local *locals;
    int count, capacity;
} OpenScope;

typedef struct {
    Event event;
    int flags, depth, file, function; /* `function` -1: `explicit_function` holds its name */
    int64_t line;
    Text explicit_function, source, value;
    OpenScope *scope;
} ReadFrame;

#define MAX_AGE 128 /* trace/binary.py's */

typedef struct Reader Reader;

/* What is done with what is read; each returns false with an exception to stop. */
typedef struct {
    bool (*begin)(Reader *reader);
    bool (*frame)(Reader *reader, const ReadFrame *frame);
    bool (*end)(Reader *reader, int outcome, Text detail, uint64_t threads);
} Consumer;

struct Reader {
    const char *start, *at, *end;
    const Consumer *consumer;
    void *state;
    Text header; /* JSON */
    SourceFile *files;
    int file_count, file_capacity;
    Shared *strings;
    int string_count, string_capacity;
    OpenScope *scopes;
    int scope_count, scope_capacity;
    OpenScope *kept; /* MAX_AGE scopes that were suspended, by their number */
    uint64_t suspensions;
    bool is_open;
    const char *problem;
};

/* Reads all of `data`. False with an exception: FormatError, or what the consumer raised. */
bool reader_run(Reader *reader, const char *data, size_t size, bool partial, PyObject *format_error);
void reader_free(Reader *reader);
/* The Python string of a text, borrowed; NULL with an exception. */
PyObject *shared_object(Shared *shared);

#endif
