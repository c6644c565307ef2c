/* What products take and put out, and the parts of a call while they are worked on; none depends on the processor. */
#ifndef FORETRACE_OPERANDS_H
#define FORETRACE_OPERANDS_H

#include "attention.h"

#include <math.h>
#include <string.h>

/* -- of a product, c[m][n] = sum over k of a(m, k) * b(k, n) ------------------------------------------------------- */

/* c: a multiple of 4 rows, of 16 columns. */
struct sums {
    float *at;
    int64_t row, rows, columns; /* floats from one row to the next; sizes */
};

/* a(m, k) = words[m * row + k * step]; with step 1, any rows. */
struct left {
    const uint32_t *words;
    int64_t row, step;
};

/* b(k, n) = words[k * step + n] */
struct right {
    const uint32_t *words;
    int64_t step;
};

/* What c is before: nothing, itself, its rows times factors. */
enum start { ZERO, ADD, SCALE };

/* From row m on. */
static inline struct sums sums_from(struct sums c, int64_t m)
{
    return (struct sums){c.at + m * c.row, c.row, c.rows - m, c.columns};
}

static inline struct left left_from(struct left a, int64_t m)
{
    return (struct left){a.words + m * a.row, a.row, a.step};
}

/* -- of a call ----------------------------------------------------------------------------------------------------- */

/* Query heads of one part. */
struct heads {
    int64_t first, count;
};

/* A block of queries in the forward pass, one part of the heads. */
struct state {
    const struct block *block;
    int64_t columns;
    uint32_t *q_columns;
    float *out;     /* (columns, C): shares times values so far */
    float *highest; /* (columns,): highest score so far */
    float *total;   /* (columns,): sum of the shares so far */
};

/* A block of queries in the backward pass, one part of the heads. */
struct queries {
    const struct block *block;
    struct heads heads;
    int64_t columns;
    uint32_t *q_columns, *q_pairs, *grad_columns, *grad_pairs; /* `grad`: of the output */
    float *grad_q;                                             /* (columns, C): what a chunk adds to it */
    float highest[COLUMNS], inverse[COLUMNS], delta[COLUMNS];
};

/* A chunk of keys of one head in the backward pass. */
struct keys {
    int64_t first, count, padded; /* `first`: in the document; zeros pad them to a multiple of 4 */
    uint32_t *k_rows, *k_pairs, *v_rows;
    float *grad_k, *grad_v;                          /* (keys, C) */
    uint32_t *share_rows, *score_rows, *score_pairs; /* of one tile: shares, and gradients of scores */
};

static inline struct heads heads_of(const struct plan *plan, int64_t key_head, int64_t part)
{
    const int64_t before = part * plan->part;
    return (struct heads){key_head * plan->group + before, least(plan->group - before, plan->part)};
}

/* A score times this is the binary logarithm of its share, up to a constant. */
static inline float share_scale(int64_t dim)
{
    return 1.44269504f / sqrtf((float)dim);
}

/* -- who sees what; keys are counted from the first of the document ------------------------------------------------ */

struct range {
    int64_t first, end;
};

static inline int64_t oldest_key(const struct attention *call, int64_t position)
{
    return call->window ? most(0, position - call->window + 1) : 0;
}

/* Keys that some query of the block sees; `first` is a multiple of 4. */
static inline struct range visible(const struct attention *call, const struct block *block)
{
    return (struct range){oldest_key(call, block->position) & ~INT64_C(3), block->position + block->tokens};
}

/* Which of `rows` packed keys from `first` that is, counted from there; both ends are multiples of 4. */
static inline struct range visible_of(const struct attention *call, const struct block *block, int64_t first,
                                      int64_t rows)
{
    const struct range all = visible(call, block);
    return (struct range){most(all.first - first, 0), least(round_up(all.end - first, 4), rows)};
}

/* Do all queries of the block see all of four keys? */
static inline bool sees_all(const struct attention *call, const struct block *block, int64_t key)
{
    return key + 3 <= block->position && key >= oldest_key(call, block->position + block->tokens - 1);
}

/* -- tensors ------------------------------------------------------------------------------------------------------- */

/* Has some tokens of one head fetched while something else is done. */
static inline void prefetch(const struct attention *call, const struct tensor *x, int64_t head, int64_t first,
                            int64_t count)
{
    const int64_t size = call->is_bfloat16 ? 2 : 4;
    const char *at = (const char *)x->data + (head * x->head + first * x->token) * size;
    for (int64_t r = 0; r < count; r++, at += x->token * size) {
        for (int64_t i = 0; i < call->head_dim * size; i += 64) {
            __builtin_prefetch(at + i, 0, 2); /* into the second cache: the first is in use */
        }
    }
}

/* To the nearest, even if tied. */
static inline uint16_t bfloat16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)(value == value ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : 0x7fc0);
}

/* -- scratch memory ------------------------------------------------------------------------------------------------ */

/* The next `words` of it, on cache lines of their own. */
static inline void *take(uint32_t **scratch, int64_t words)
{
    uint32_t *taken = *scratch;
    *scratch += round_up(words, 16);
    return taken;
}

#define ROUNDING (64 * 16) /* more than rounding adds */

static inline int64_t forward_words(int64_t dim)
{
    return (2 * BLOCKS * COLUMNS + 3 * TILE) * dim + TILE * COLUMNS + BLOCKS * 2 * COLUMNS + ROUNDING;
}

static inline int64_t backward_words(int64_t dim, int64_t chunk)
{
    return (5 * chunk + 5 * COLUMNS) * dim + 3 * TILE * COLUMNS + ROUNDING;
}

#endif
