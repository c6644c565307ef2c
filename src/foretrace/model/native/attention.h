/* What the attention kernel is asked for, and how it divides the work; `attention.c` says how all of it works. */
#ifndef FORETRACE_ATTENTION_H
#define FORETRACE_ATTENTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_HEAD_DIM 128
#define PART 4     /* most heads that are worked on together; more for one key head are so in parts */
#define COLUMNS 64 /* most queries that are, those of several heads side by side */
#define TILE 64    /* most keys that are */
#define BLOCKS 8   /* most blocks of a forward item: they share the packing of keys and values */

/* A tensor (heads, tokens, head_dim); the last dimension is contiguous, strides count elements. */
struct tensor {
    void *data;
    int64_t head, token;
};

/* Consecutive queries of one document; the fields are those of Python's `Span`. */
struct span {
    int64_t query, key, length, reach;
};

/* One call; `_Call` of `attention/native.py`. */
struct attention {
    struct tensor q, k, v, out, grad_out, grad_q, grad_k, grad_v;
    float *highest; /* (heads, queries): the highest score of each query */
    float *inverse; /* (heads, queries): 1 / the sum of its scores' exponentials relative to the highest */
    const struct span *spans;
    int64_t num_spans, queries, window; /* window 0: none */
    int32_t heads, key_heads, head_dim, is_bfloat16, kernel, threads;
};

/* Queries of one document that are worked on together, from `position` in it. */
struct block {
    int64_t query, position;
    int32_t tokens, wide; /* `wide`: tokens with those of zeros that pad them to a multiple of 16 */
};

/* The keys of one document and the blocks that look at them. */
struct document {
    int64_t key, keys, first_block, end_block;
};

/* What one thread does at a time. Forward: up to BLOCKS blocks from `at`, one part of the heads. Backward: the chunk
 * `at` of the keys, all parts. */
struct item {
    const struct document *document;
    int64_t at;
    int32_t key_head, part;
};

/* How a call is divided. The number of threads makes no difference, so that it makes none to results. The query heads
 * that share a key head lie side by side, in parts of at most PART heads. */
struct plan {
    const struct attention *call;
    struct block *blocks;
    struct document *documents; /* longest first */
    struct item *items;
    int64_t num_blocks, num_documents, num_items;
    int32_t group, parts, part; /* heads that share a key head; parts of them; heads of a part, but for the last */
    int32_t wide;               /* tokens of a block, but for the last of a span */
    int64_t chunk;              /* keys of a chunk */

    /* of the backward pass */
    float *delta;      /* (heads, queries): rowsum(out * grad_out) */
    float *sums;       /* (heads, queries, head_dim): the gradient of q so far, unscaled */
    atomic_int *turns; /* (blocks, key_heads, parts): the chunk that may add to it next */
};

/* The passes for one kind of processor. Each takes the index of an item (`delta`: of a block) and scratch memory. */
typedef void Pass(const struct plan *plan, int64_t index, uint32_t *scratch);
struct kernel {
    Pass *forward, *delta, *backward;
};

bool plan_forward(struct plan *plan, const struct attention *call);
bool plan_backward(struct plan *plan, const struct attention *call);
void plan_free(struct plan *plan);

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

#endif
