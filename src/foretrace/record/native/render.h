/* Values as text: the rules of `record/values.py`, which see. Both are changed together. */
#ifndef FORETRACE_RENDER_H
#define FORETRACE_RENDER_H

#include "buffer.h"
#include "compat.h"

#define MAX_DEPTH 5
#define MAX_ITEMS 64
#define MAX_CHARACTERS 1000
#define MAX_PARTS 4096
#define MAX_NAME 200
#define MAX_INT_BITS 13000

typedef struct {
    PyObject *object; /* not owned: only compared */
    uint32_t number, frame;
} Number;

typedef struct {
    const char *name; /* of a type; valid while a frame is rendered */
    size_t size;
    uint32_t count;
} TypeCount;

typedef struct {
    Buffer *out;
    PyObject *describe_array; /* record/values.py's */
    long parts, characters;
    PyObject *inside[MAX_DEPTH];
    int depth;
    bool is_numbering, is_ascii, is_broken;
    long unnumbered;
    Number *numbers; /* a hash table; entries of other frames are free */
    size_t numbers_capacity, numbers_used;
    TypeCount *type_counts;
    size_t types_capacity, types_used;
    uint32_t frame;
} Renderer;

/* Finds the types of the standard library; -1 with an exception if one is missing. */
int render_init(void);

/* A new frame: objects are numbered afresh. */
static inline void render_begin(Renderer *renderer)
{
    renderer->frame++;
    renderer->numbers_used = renderer->types_used = 0;
}

/* Appends the text of `value` to `out`; returns its length in characters. Never raises and never runs the program's code. */
size_t render(Renderer *renderer, Buffer *out, PyObject *value);

void render_clear(Renderer *renderer);

#endif
