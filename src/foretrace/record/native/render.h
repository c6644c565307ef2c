/* Values as text: the rules of `record/values.py`, which see. Both are changed together. */
#ifndef FORETRACE_RENDER_H
#define FORETRACE_RENDER_H

#include "buffer.h"
#include "compat.h"

#define DEEPEST 32 /* the largest limit of depth */
#define MAX_NAME 200
#define MAX_INT_BITS 13000

typedef struct {
    PyObject *object; /* not owned: only compared */
    uint32_t number;  /* 0: it was taken back */
    uint32_t frame;
    uint32_t type; /* index of its type's count */
} Number;

typedef struct {
    PyTypeObject *type; /* one of those of this name; not owned: types do not die while a frame is rendered */
    const char *name; /* as far as it is shown */
    size_t size;
    bool is_cut;
    uint32_t count;
} TypeCount;

/* Texts of values that were rendered before, by what determines them. */
#define CACHED_TEXTS 512
#define MAX_CACHED_TEXT 4608

typedef struct {
    uint64_t fingerprint;
    char *text;
    uint32_t size, capacity, characters;
} CachedText;

/* record/values.py's */
typedef struct {
    int depth;
    Py_ssize_t items;
    long characters, parts;
} ValueLimits;

typedef struct {
    Buffer *out;
    ValueLimits limits;
    PyObject *describe_array; /* record/values.py's */
    long parts, characters;
    PyObject *inside[DEEPEST];
    int depth;
    bool is_numbering, is_ascii, is_broken;
    long unnumbered;
    Number *numbers; /* a hash table; entries of other frames are free */
    size_t numbers_capacity, numbers_used;
    TypeCount *type_counts;
    size_t types_capacity, types_used;
    uint32_t frame;
    PyObject **given; /* objects that were numbered since `is_logging` was set */
    size_t given_count, given_capacity;
    bool is_logging;
    uint64_t numberings; /* how often a number of an object was asked for */
    long walked;         /* parts that fingerprints looked at */
    CachedText *texts;
} Renderer;

/* Finds the types of the standard library; -1 with an exception if one is missing. */
int render_init(void);

/* A new frame: objects are numbered afresh. */
static inline void render_begin(Renderer *renderer)
{
    renderer->frame++;
    renderer->numbers_used = renderer->types_used = 0;
}

/* The number of an object in this frame, given now if it has none; 0 if there is no memory. */
uint32_t render_number(Renderer *renderer, PyObject *object);

/* Appends the text of `value` to `out`; returns its length in characters. Never raises and never runs the program's code. */
size_t render(Renderer *renderer, Buffer *out, PyObject *value);

/* Appends the items of a list from number `from` on to the text of those before, and what ends a list. */
void render_list_more(Renderer *renderer, Buffer *out, PyObject *list, Py_ssize_t from);
/* Bytes of what ends the text of a list, behind its items. */
size_t render_list_end_size(const Renderer *renderer, Py_ssize_t count);

/* Whether the last text was cut because the value has too many parts or characters. */
static inline bool render_was_cut(const Renderer *renderer)
{
    return renderer->parts < 0 || renderer->characters < 0;
}

void render_clear(Renderer *renderer);

/* A number that stands for all that the text of `value` depends on, without making the text; false if it has none, because
   a part is of a kind that has to be looked at in full. Two values that differ have the same one once in 2**64 times.
   Objects are numbered as `render` would; `fingerprint_undo` takes that back. */
bool fingerprint(Renderer *renderer, PyObject *value, uint64_t *result);

/* A list, so that it is seen when it only grows. */
typedef struct {
    Py_ssize_t count;
    uint64_t items; /* the fingerprint of the items that are shown */
    bool has_grown; /* by items that were not there before, behind those that were */
} ListState;

/* The same for a list, exact, that stood as `before` says, or NULL. */
bool fingerprint_list(Renderer *renderer, PyObject *list, const ListState *before, ListState *now, uint64_t *result);
void fingerprint_undo(Renderer *renderer);
/* A text that is remembered, or NULL. */
const CachedText *fingerprint_text(const Renderer *renderer, uint64_t fingerprint);
void fingerprint_remember(Renderer *renderer, uint64_t fingerprint, const char *text, size_t size, size_t characters);

#endif
