/* A recording of one thread: what is known of code, of running scopes, and where bytes go. */
#ifndef FORETRACE_SESSION_H
#define FORETRACE_SESSION_H

#include <sys/types.h>

#include "buffer.h"
#include "compat.h"
#include "render.h"
#include "wire.h"

typedef enum { OUTCOME_RETURNED, OUTCOME_RAISED, OUTCOME_TRUNCATED } Outcome;
typedef enum { FULL_RAISE, FULL_EXIT, FULL_MUTE } WhenFull;

enum { RECORD_FILE = 1, RECORD_STRING, RECORD_TRACE, RECORD_END, RECORD_FRAME = 0x80 };
enum { FLAG_UNWIND = 4, FLAG_SUSPENDED = 8, FLAG_RESUMED = 16 };

#define MAX_NUMBERED (1 << 16) /* trace/binary.py's */
#define TAIL_HEAD 8            /* record/sink.py's */
#define TAIL_BYTES (TAIL_HEAD + (64 << 10))

#define SHORT_JSON 32

/* A string of the stream: the name of a function or a variable. */
typedef struct {
    char *json; /* on the wire, if it has not changed: `, "name": ".."`; the first `key_size` bytes are the key. At least
                   SHORT_JSON bytes can be read */
    const char *text; /* UTF-8 */
    char *owned;      /* the same, if no Python string has it */
    uint32_t size, key_size, json_size;
    int64_t number; /* in the tables of the stream, if `tables` are the present ones */
    uint32_t tables;
} Name;

/* A line of source, without its newline. */
typedef struct {
    const char *text; /* UTF-8, which a Python string keeps */
    uint32_t size, characters;
} Line;

typedef struct {
    PyObject *path, *source; /* a list of lines; NULL if the file is not in scope */
    Py_ssize_t line_count; /* one more than the list has if its last line ends with a newline */
    int64_t number;
    uint32_t tables;
} File;

#define LINE_CACHE 8

/* The lines of a code object by its instructions. */
typedef struct {
    int units;        /* of code */
    int *lines;       /* of each unit; 0: it has none */
    uint8_t *failures; /* of each unit, see quiet.c */
} CodeMap;

/* What is known of a code object in scope. Lives as long as it does. */
typedef struct {
    uint64_t session; /* that made it */
    File *file;       /* NULL if it is not in scope; then nothing below is set */
    bool is_whole;    /* there is memory for what is below */
    Name *function;
    int name_count, call_line, first_line;
    bool is_optimized, is_generator, is_suspendable, is_repeated; /* repeated: two variables have one name */
    int8_t raises_again; /* see `code_raises_again`; -1: not found out yet */
    struct {
        int offset, line;
    } line_cache[LINE_CACHE];
    PyObject *opcodes; /* bytes, without instrumentation; NULL if not asked for yet */
    CodeMap *map;      /* the same */
    long parts;        /* of values that its scopes showed, one time after the other */
    Name *names[];     /* of the variables; NULL for one that is not shown */
} CodeInfo;

/* One local of a running scope as it was last shown. */
typedef struct {
    PyObject *atom; /* the value, if it is a small immutable one; owned */
    Name *name;     /* of a class body's or a module's names */
    char *text;
    uint32_t size, capacity, characters;
    bool is_bound;
    bool is_first; /* its text does not depend on what the frame shows before it */
    bool is_forgotten; /* the text is not kept, only `digest` */
    bool is_leaf, is_numbered; /* the value has no parts; its text depends on the numbers of objects */
    const PyObject *seen; /* the value, not owned: only compared, as long as `epoch` is the present one */
    uint64_t epoch;
    uint64_t digest;
    bool has_fingerprint;
    uint64_t fingerprint;
    ListState list; /* `count` -1: it is none */
} Slot;

#define MAX_ENDS 4
#define MAX_QUIET_LINES 64

/* What is known of the next event of a scope if it is the next one of all: that no object has changed until then. */
typedef struct {
    uint64_t number;    /* frames written when this was found out */
    bool is_entered;    /* its call was the last event: any line is next */
    const InterpreterFrame *delegate; /* it was resumed, and resumes this one */
    int ends[MAX_ENDS], end_count; /* offsets of lines up to which no object changes */
    int returned; /* the variable that is returned next, -1 if none is */
} Quiet;

/* Fingerprints of what was looked at since an object last changed. */
#define MEMORIES 64

typedef struct {
    const PyObject *object; /* not owned: only compared */
    uint64_t epoch, fingerprint;
    ListState list;
} Memory;

/* A running scope. */
typedef struct {
    InterpreterFrame *frame;
    CodeInfo *code;
    int line;       /* of the last frame written */
    bool is_hidden; /* nothing is recorded until it is left: too deep, or not stepped into */
    bool is_reset;  /* wire: the next frame shows all locals */
    bool is_resumed;
    bool is_held;   /* what `held` has is not written: a generator is being closed */
    Quiet quiet;
    long parts; /* of the values that were looked at when it last showed any */
    uint64_t epoch; /* of its last frame that showed its locals */
    uint64_t age; /* of its suspension, if it was resumed and is still known; else 0 */
    uint64_t call_number, last_raised; /* counts of frames when its call, and its last exception, were written */
    uint64_t raised_at; /* where in the output that exception's frame starts */
    PyObject *space; /* of a class body or a module: its names; owned */
    Slot *slots;
    int slot_count, slot_capacity;
    Buffer raised; /* text of the exception that would leave it now */
    size_t raised_characters;
    int raised_line;
    Buffer held;
    size_t held_characters;
    Name **held_names;
    int held_name_count;
    File *held_file;
    bool held_start;
} Activation;

#define MAX_AGE 128 /* trace/binary.py's */

/* A scope that is suspended: what its last frame showed. */
typedef struct {
    CodeInfo *code;
    uint64_t number; /* of its suspension */
    int line;
    Slot *slots;
    int slot_count, slot_capacity;
} Kept;

typedef struct {
    PyObject_HEAD
    /* what was asked for */
    PyObject *lines_of, *stop_class, *opening, *memory;
    bool is_wire, is_many;
    int output, tail_file;
    long long max_events, max_bytes;
    int depth_limit;
    double step_in;
    uint64_t random;
    WhenFull when_full;
    /* what is seen from outside */
    PyObject *stopped;
    char is_open, is_busy;
    long long threads, traces, events;
    /* code */
    uint64_t id;
    PyObject *names; /* dict: string to the index in `name_list` */
    Name **name_list;
    int name_list_count, name_list_capacity;
    PyObject *files; /* dict: path to the index in `file_list` */
    File **file_list;
    int file_list_count, file_list_capacity;
    /* running scopes */
    Activation *stack;
    int stack_size, stack_capacity;
    size_t text_bytes; /* that slots hold */
    int forgotten;     /* scopes at the bottom of the stack whose texts were forgotten */
    InterpreterFrame *entry;
    Kept *kept; /* MAX_AGE of them, by the number of the suspension */
    const InterpreterFrame *kept_frames[MAX_AGE]; /* whose they are; NULL: it went on, or is no more */
    uint64_t suspensions;
    int depth;
    bool is_over, is_started;
    PyThreadState *thread;
    PyObject *previous_trace;
    int tool;
    /* the trace */
    uint64_t frames;
    long long characters;
    uint64_t epoch; /* while it stays the same, no object changes and none is made or dies that is shown */
    int quiet_lines; /* in a row */
    Memory memories[MEMORIES];
    Renderer renderer;
    Buffer scratch, value;
    int *gone;
    int gone_capacity;
    /* the stream */
    uint32_t tables;
    int64_t string_count, file_count;
    bool is_at_start; /* of a wire document */
    Buffer record;
    size_t frame_at; /* where in it the frame starts, behind what it numbers */
    Name **fresh; /* names, and a file, that the last record numbers; and whether it opens a document */
    int fresh_count, fresh_capacity;
    File *fresh_file;
    bool fresh_start;
    size_t last_characters;
    char *tail; /* head and data; or memory of our own */
    char *data;
    size_t used, capacity;
    uint64_t written;
    size_t last_start, last_frame; /* where the last record starts, and the frame in it */
    bool is_seekable, is_mapped, output_failed;
    dev_t device; /* of the output */
    ino_t inode;
} Session;

/* ---- code.c ---- */
int code_init(void);
/* What is known of `code`, NULL with an exception if that cannot be found out. */
CodeInfo *code_info(Session *session, PyCodeObject *code);
int code_line(CodeInfo *info, PyCodeObject *code, int offset);
/* The line of the `def` of a scope that starts at `line`, which may be that of a decorator. */
int file_def_line(const File *file, int line);
/* The instruction at `offset`, as the compiler wrote it. */
int code_opcode(CodeInfo *info, PyCodeObject *code, int offset);
/* Whether it has an instruction that raises an exception again. */
bool code_raises_again(CodeInfo *info, PyCodeObject *code);
/* The variable that a line whose first instruction is at `offset` returns and does nothing else; -1 if none. */
int code_returned_variable(CodeInfo *info, PyCodeObject *code, int offset);
/* Its lines; NULL if there is no memory. */
CodeMap *code_map(CodeInfo *info, PyCodeObject *code);
Line file_line(const File *file, int line);
/* The name of a variable, NULL if there is no memory. */
Name *intern_name(Session *session, PyObject *text);
void code_clear(Session *session);

/* ---- stream.c ---- */
int stream_open(Session *session);
int stream_begin(Session *session);
/* Writes a frame; `value` is NULL for a call or a line. */
int stream_frame(Session *session, Activation *activation, Event event, int flags, int line, const Buffer *value,
                 size_t characters);
int stream_end(Session *session, Outcome outcome, const char *detail);
/* Writes the exception that `activation` has raised. */
int stream_exception(Session *session, Activation *activation, int line);
/* The scope is left by the exception that it has written last; false if that frame cannot be changed any more. */
bool stream_mark_unwind(Session *session, const Activation *activation);
/* Takes the last record back, into `activation->held`. */
bool stream_hold(Session *session, Activation *activation);
int stream_release(Session *session, Activation *activation);
int stream_close(Session *session);
void stream_clear(Session *session);

/* ---- slots.c ---- */
/* Whether a value has no parts, so that its text is made as fast as anything that stands for it. */
static inline bool is_leaf(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type || type == &PyBool_Type || value == Py_None ||
           type == &PyFunction_Type;
}

/* Appends the text of a value, remembered if it was made before; returns its characters. */
size_t render_remembered(Renderer *renderer, Buffer *out, PyObject *value);
/* Brings a slot up to date with a value that it does not hold; whether its text is another now. */
bool slot_update(Session *session, Slot *slot, PyObject *value);
/* Ends what a slot holds. */
void slot_clear(Session *session, Slot *slot);
void slots_clear(Session *session, Activation *activation);
void slots_clear_all(Session *session, Slot *slots, int *count);
void slots_free(Session *session, Activation *activation);
void slots_free_all(Session *session, Slot *slots, int capacity);
/* Keeps memory within bounds however deep the program recurses: outer scopes' texts become digests. */
void slots_forget(Session *session);
#define MAX_TEXT_BYTES (4 << 20) /* that all slots hold */

/* ---- kept.c ---- */
/* Keeps what a scope that is suspended last showed, and gives it back. */
void kept_put(Session *session, Activation *activation);
void kept_take(Session *session, Activation *activation);
/* A scope that is entered is not the suspended one that was at its place. */
void kept_forget(Session *session, const InterpreterFrame *frame);
void kept_clear(Session *session);
void kept_free(Session *session);

/* ---- state.c ---- */
/* Gives a name a number in the stream: the record that says so goes in front of the frame that is being written. */
void number_name_now(Session *session, Name *name);
static inline void number_name(Session *session, Name *name)
{
    if (name->tables != session->tables) {
        number_name_now(session, name);
    }
}
/* Writes the locals of a call or line frame; returns their characters. */
size_t state_write(Session *session, Activation *activation);

/* ---- quiet.c ---- */
/* Finds out which lines are reached from the instruction at `offset`, the next one, before any object changes. */
void quiet_find(Session *session, Activation *activation, int offset);
/* Whether no object has changed since then, at a line that starts at `offset`. */
bool quiet_holds(const Session *session, const Quiet *quiet, int offset);
/* The same for a scope that is resumed. */
void quiet_find_resumed(Session *session, Activation *activation, int offset);

/* ---- events.c: -1 with an exception if the program has to stop ---- */
int on_call(Session *session, InterpreterFrame *frame, bool is_resumed, int offset);
int on_line(Session *session, InterpreterFrame *frame, int line, int offset);
int on_exception(Session *session, InterpreterFrame *frame, PyObject *type, PyObject *value, int offset);
int on_return(Session *session, InterpreterFrame *frame, PyObject *value, int offset);
int on_yield(Session *session, InterpreterFrame *frame, PyObject *value, int offset);
int on_unwind(Session *session, InterpreterFrame *frame, int offset);
/* Does what happens when a budget has run out. */
int session_fill(Session *session, const char *why);

/* ---- sources.c ---- */
extern Session *active_session;
int source_start(Session *session);
/* 3.11: what the program does with what `sys.gettrace` gave it. */
PyObject *source_call(PyObject *self, PyObject *args, PyObject *keywords);
/* Stops; sets whether the program replaced the trace function. */
int source_stop(Session *session, bool *was_replaced);

#endif
