/* The forward pass, for one kind of processor; part of `attention_body.h`. */

#define LOWEST -1e36f /* the highest score of none: above HIDDEN, whose exponential relative to it is 0 */

/* Online softmax (arXiv:1805.02867): scores (rows, columns) become shares relative to the highest score so far, as
 * pairs PAIR * columns words apart; `factors` are what earlier shares are to be multiplied by. */
INLINE TARGET void NAME(softmax)(struct state *state, float *scores, float *factors, int64_t rows, int64_t columns,
                                 float scale)
{
    for (int64_t n = 0; n < columns; n += LANES) {
        VEC tops[4]; /* of every fourth row: a maximum waits for the one before */
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            tops[i] = LOAD(state->highest + n);
        }
        for (int64_t r = 0; r < rows; r += 4) {
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                tops[i] = NAME(greater)(tops[i], LOAD(scores + (r + i) * columns + n));
            }
        }
        const VEC highest = NAME(greater)(NAME(greater)(tops[0], tops[1]), NAME(greater)(tops[2], tops[3]));
        const VEC factor = NAME(exp2)((LOAD(state->highest + n) - highest) * SPLAT(scale));
        VEC total = LOAD(state->total + n) * factor;
        for (int64_t r = 0; r < rows; r += 2) {
            float *at = scores + r * columns + n;
            const VEC first = NAME(exp2)((LOAD(at) - highest) * SPLAT(scale));
            const VEC second = NAME(exp2)((LOAD(at + columns) - highest) * SPLAT(scale));
            total += first + second;
            NAME(put_pairs)((uint32_t *)at, columns, first, second);
        }
        STORE(state->highest + n, highest);
        STORE(state->total + n, total);
        STORE(factors + n, factor);
    }
}

/* Some keys, `rows` of them from `key`, for one block of queries. */
INLINE TARGET void NAME(attend)(const struct plan *plan, struct state *state, int64_t key, int64_t rows,
                                const uint32_t *k_rows, const uint32_t *v_pairs, float *scores)
{
    const int64_t dim = plan->call->head_dim, words = dim / PAIR, columns = state->columns;
    float factors[COLUMNS];
    NAME(product)(ZERO, (struct sums){scores, columns, rows, columns}, (struct left){k_rows, words, 1},
                  (struct right){state->q_columns, columns}, words, NULL);
    for (int64_t r = 0; r < rows; r += 4) {
        NAME(hide)(scores + r * columns, plan->call, state->block, key + r, columns);
    }
    NAME(softmax)(state, scores, factors, rows, columns, share_scale(dim));
    const struct left shares = {(const uint32_t *)scores, 1, PAIR * columns};
    NAME(product)(SCALE, (struct sums){state->out, dim, columns, dim}, shares, (struct right){v_pairs, dim},
                  rows / PAIR, factors);
}

INLINE TARGET void NAME(begin)(struct state *state, const struct plan *plan, const struct block *block,
                               struct heads heads, uint32_t **scratch)
{
    const struct attention *call = plan->call;
    const int64_t dim = call->head_dim, words = dim / PAIR, columns = heads.count * block->wide;
    state->block = block;
    state->columns = columns;
    state->q_columns = take(scratch, columns * words);
    state->out = take(scratch, columns * dim);
    state->highest = take(scratch, columns);
    state->total = take(scratch, columns);
    uint32_t *copy = (uint32_t *)state->out; /* not in use yet */
    for (int64_t h = 0; h < heads.count; h++) {
        const struct left q =
            NAME(read_rows)(copy, call, &call->q, heads.first + h, block->query, block->tokens, block->wide);
        NAME(pack_columns)(state->q_columns + h * block->wide, columns, q, block->wide, words);
    }
    memset(state->out, 0, sizeof(float) * columns * dim);
    memset(state->total, 0, sizeof(float) * columns);
    for (int64_t n = 0; n < columns; n++) {
        state->highest[n] = LOWEST;
    }
}

INLINE TARGET void NAME(finish)(const struct state *state, const struct plan *plan, struct heads heads)
{
    const struct attention *call = plan->call;
    for (int64_t h = 0; h < heads.count; h++) {
        for (int64_t t = 0; t < state->block->tokens; t++) {
            const int64_t column = h * state->block->wide + t, head = heads.first + h, token = state->block->query + t;
            const float inverse = 1 / state->total[column];
            NAME(put_token)(call, &call->out, head, token, state->out + column * call->head_dim, inverse);
            call->highest[head * call->queries + token] = state->highest[column];
            call->inverse[head * call->queries + token] = inverse;
        }
    }
}

/* Packs all queries of an item; returns the keys that some of them see. */
INLINE TARGET struct range NAME(begin_all)(struct state *states, const struct plan *plan, const struct block *blocks,
                                           int64_t count, struct heads heads, uint32_t **scratch)
{
    struct range seen = {INT64_MAX, 0};
    for (int64_t i = 0; i < count * heads.count; i++) {
        const struct block *block = blocks + i / heads.count;
        prefetch(plan->call, &plan->call->q, heads.first + i % heads.count, block->query, block->tokens);
    }
    for (int64_t i = 0; i < count; i++) {
        NAME(begin)(states + i, plan, blocks + i, heads, scratch);
        const struct range by_block = visible(plan->call, blocks + i);
        seen = (struct range){least(seen.first, by_block.first), most(seen.end, by_block.end)};
    }
    return seen;
}

/* Some blocks of queries of one document, and one part of the heads. */
TARGET static void NAME(forward_item)(const struct plan *plan, int64_t index, uint32_t *scratch)
{
    const struct attention *call = plan->call;
    const struct item *item = plan->items + index;
    const struct heads heads = heads_of(plan, item->key_head, item->part);
    const int64_t dim = call->head_dim, words = dim / PAIR;
    const int64_t count = least(item->document->end_block - item->at, BLOCKS);
    uint32_t *k_rows = take(&scratch, TILE * words), *v_rows = take(&scratch, TILE * words);
    uint32_t *v_pairs = take(&scratch, TILE * words);
    float *scores = take(&scratch, TILE * COLUMNS);
    struct state states[BLOCKS];
    const struct range seen = NAME(begin_all)(states, plan, plan->blocks + item->at, count, heads, &scratch);
    for (int64_t key = seen.first; key < seen.end; key += TILE) {
        const int64_t token = item->document->key + key, some = least(seen.end - key, TILE), all = round_up(some, 4);
        const struct left v = NAME(read_rows)(v_rows, call, &call->v, item->key_head, token, some, all);
        NAME(pack_pairs)(v_pairs, v, all, words);
        NAME(pack_rows)(k_rows, call, &call->k, item->key_head, token, some, all);
        prefetch(call, &call->k, item->key_head, token + TILE, least(seen.end - key - TILE, TILE));
        prefetch(call, &call->v, item->key_head, token + TILE, least(seen.end - key - TILE, TILE));
        for (int64_t i = 0; i < count; i++) {
            const struct range r = visible_of(call, states[i].block, key, all);
            if (r.first < r.end) {
                NAME(attend)(plan, states + i, key + r.first, r.end - r.first, k_rows + r.first * words,
                             v_pairs + r.first * words, scores);
            }
        }
    }
    for (int64_t i = 0; i < count; i++) {
        NAME(finish)(states + i, plan, heads);
    }
}
