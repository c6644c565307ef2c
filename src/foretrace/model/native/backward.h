/* The backward pass, for one kind of processor; part of `attention_body.h`.
 *
 * An item is a chunk of keys and all queries that see it, whose shares it computes again: one pass, five products. The
 * gradients of k and v are the item's own. To that of q several chunks add, each when it is its turn: of the chunks
 * that a block of queries sees the last one first. Items are begun in that order too, and go through the blocks from
 * the first on, so the chunk that must come before is ahead by then and there is hardly ever a wait. Sums are taken in
 * one order, whoever takes them: results depend neither on the number of threads nor on time.
 */

/* delta of the queries of one block. A pass of its own reads both tensors in their order: with each chunk's blocks it
 * would cost twice as much. */
TARGET static void NAME(delta_item)(const struct plan *plan, int64_t index, uint32_t *scratch)
{
    (void)scratch;
    const struct attention *call = plan->call;
    const struct block *block = plan->blocks + index;
    uint32_t copies[2][MAX_HEAD_DIM];
    for (int64_t token = block->query; token < block->query + block->tokens; token++) {
        for (int64_t head = 0; head < call->heads; head++) {
            const struct left out = NAME(read_rows)(copies[0], call, &call->out, head, token, 1, 1);
            const struct left grad = NAME(read_rows)(copies[1], call, &call->grad_out, head, token, 1, 1);
            plan->delta[head * call->queries + token] = NAME(dot)(out.words, grad.words, call->head_dim / PAIR);
        }
    }
}

/* The statistics of one head of a block. Beyond the last query `inverse` is 0, so that there are no shares. */
INLINE void NAME(read_statistics)(struct queries *to, const struct plan *plan, int64_t head, int64_t column)
{
    for (int64_t t = 0; t < to->block->wide; t++) {
        const bool is_there = t < to->block->tokens;
        const int64_t at = head * plan->call->queries + to->block->query + t;
        to->highest[column + t] = is_there ? plan->call->highest[at] : 0;
        to->inverse[column + t] = is_there ? plan->call->inverse[at] : 0;
        to->delta[column + t] = is_there ? plan->delta[at] : 0;
    }
}

/* Packs some queries into the scratch memory. */
INLINE TARGET void NAME(pack_block)(struct queries *to, const struct plan *plan, const struct block *block,
                                    struct heads heads, uint32_t *scratch)
{
    const struct attention *call = plan->call;
    const int64_t dim = call->head_dim, words = dim / PAIR, wide = block->wide, columns = heads.count * wide;
    to->block = block;
    to->heads = heads;
    to->columns = columns;
    to->q_columns = take(&scratch, columns * words);
    to->q_pairs = take(&scratch, columns * words);
    to->grad_columns = take(&scratch, columns * words);
    to->grad_pairs = take(&scratch, columns * words);
    to->grad_q = take(&scratch, columns * dim);
    uint32_t *copy = (uint32_t *)to->grad_q; /* not in use yet */
    for (int64_t h = 0; h < heads.count; h++) {
        const int64_t head = heads.first + h;
        const struct left q = NAME(read_rows)(copy, call, &call->q, head, block->query, block->tokens, wide);
        NAME(pack_columns)(to->q_columns + h * wide, columns, q, wide, words);
        NAME(pack_pairs)(to->q_pairs + h * wide * words, q, wide, words);
        const struct left grad = NAME(read_rows)(copy, call, &call->grad_out, head, block->query, block->tokens, wide);
        NAME(pack_columns)(to->grad_columns + h * wide, columns, grad, wide, words);
        NAME(pack_pairs)(to->grad_pairs + h * wide * words, grad, wide, words);
        NAME(read_statistics)(to, plan, head, h * wide);
    }
    memset(to->grad_q, 0, sizeof(float) * columns * dim);
}

/* Has the queries of a block fetched. */
INLINE void NAME(prefetch_block)(const struct plan *plan, const struct block *block, int64_t key_head)
{
    for (int64_t head = key_head * plan->group; head < (key_head + 1) * plan->group; head++) {
        prefetch(plan->call, &plan->call->q, head, block->query, block->tokens);
        prefetch(plan->call, &plan->call->grad_out, head, block->query, block->tokens);
    }
}

/* Four keys, of which the first is `row` of the tile: from their scores (4, columns) and the gradients of the shares to
 * shares and the gradients of the scores. */
INLINE TARGET void NAME(put_four)(const struct keys *keys, int64_t row, const float *scores, const float *grads,
                                  const struct queries *queries, float scale)
{
    const int64_t columns = queries->columns;
    for (int64_t n = 0; n < columns; n += LANES) {
        const VEC highest = LOAD(queries->highest + n), inverse = LOAD(queries->inverse + n);
        const VEC delta = LOAD(queries->delta + n);
#pragma GCC unroll 2
        for (int64_t r = 0; r < 4; r += 2) {
            const float *s = scores + r * columns + n, *g = grads + r * columns + n;
            const VEC share0 = NAME(exp2)((LOAD(s) - highest) * SPLAT(scale)) * inverse;
            const VEC share1 = NAME(exp2)((LOAD(s + columns) - highest) * SPLAT(scale)) * inverse;
            const VEC grad0 = share0 * (LOAD(g) - delta), grad1 = share1 * (LOAD(g + columns) - delta);
            const int64_t at = ((row + r) * columns + n) / PAIR;
            NAME(put_rows)(keys->share_rows + at, columns / PAIR, share0, share1);
            NAME(put_rows)(keys->score_rows + at, columns / PAIR, grad0, grad1);
            if (PAIR == 2) {
                NAME(put_pairs)(keys->score_pairs + (row + r) / PAIR * columns + n, columns, grad0, grad1);
            }
        }
    }
}

/* At most TILE keys of a chunk, `rows` from `from`, and some queries: adds to all three gradients. */
INLINE TARGET void NAME(add_tile)(const struct plan *plan, const struct keys *keys, const struct queries *queries,
                                  int64_t from, int64_t rows)
{
    const int64_t dim = plan->call->head_dim, words = dim / PAIR, columns = queries->columns;
    float scores[4 * COLUMNS] __attribute__((aligned(64))), grads[4 * COLUMNS] __attribute__((aligned(64)));
    for (int64_t r = 0; r < rows; r += 4) {
        const int64_t at = (from + r) * words;
        NAME(product)(ZERO, (struct sums){scores, columns, 4, columns}, (struct left){keys->k_rows + at, words, 1},
                      (struct right){queries->q_columns, columns}, words, NULL);
        NAME(product)(ZERO, (struct sums){grads, columns, 4, columns}, (struct left){keys->v_rows + at, words, 1},
                      (struct right){queries->grad_columns, columns}, words, NULL);
        NAME(hide)(scores, plan->call, queries->block, keys->first + from + r, columns);
        NAME(put_four)(keys, r, scores, grads, queries, share_scale(dim));
    }
    NAME(product)(ADD, (struct sums){keys->grad_v + from * dim, dim, rows, dim},
                  (struct left){keys->share_rows, columns / PAIR, 1}, (struct right){queries->grad_pairs, dim},
                  columns / PAIR, NULL);
    NAME(product)(ADD, (struct sums){keys->grad_k + from * dim, dim, rows, dim},
                  (struct left){keys->score_rows, columns / PAIR, 1}, (struct right){queries->q_pairs, dim},
                  columns / PAIR, NULL);
    NAME(product)(ADD, (struct sums){queries->grad_q, dim, columns, dim}, (struct left){keys->score_pairs, 1, columns},
                  (struct right){keys->k_pairs + from * words, dim}, rows / PAIR, NULL);
}

/* Adds what a chunk has to the gradient of q; the last to do so writes it to the tensor. */
INLINE TARGET void NAME(add_grad_q)(const struct plan *plan, const struct queries *queries, bool is_first, bool is_last)
{
    const struct attention *call = plan->call;
    const int64_t dim = call->head_dim;
    for (int64_t h = 0; h < queries->heads.count; h++) {
        for (int64_t t = 0; t < queries->block->tokens; t++) {
            const int64_t head = queries->heads.first + h, token = queries->block->query + t;
            float *row = queries->grad_q + (h * queries->block->wide + t) * dim;
            float *sum = plan->sums + (head * call->queries + token) * dim;
            for (int64_t i = 0; i < dim && !is_first; i++) {
                row[i] += sum[i];
            }
            if (is_last) {
                NAME(put_token)(call, &call->grad_q, head, token, row, 1 / sqrtf((float)dim));
            }
            else {
                memcpy(sum, row, sizeof(float) * dim);
            }
        }
    }
}

/* Waits for the chunk's turn to add to the gradient of q, and passes it on. */
INLINE TARGET void NAME(take_turn)(const struct plan *plan, const struct queries *queries, atomic_int *turn,
                                   int64_t chunk)
{
    const struct range seen = visible(plan->call, queries->block);
    for (int tries = 1; atomic_load_explicit(turn, memory_order_acquire) != chunk; tries++) {
        if (tries % 64 == 0) {
            sched_yield(); /* the thread that is awaited may have no core */
        }
    }
    NAME(add_grad_q)(plan, queries, chunk == (seen.end - 1) / plan->chunk, chunk == seen.first / plan->chunk);
    atomic_store_explicit(turn, (int)chunk - 1, memory_order_release);
}

INLINE TARGET void NAME(pack_chunk)(struct keys *to, const struct plan *plan, const struct item *item,
                                    uint32_t **scratch)
{
    const struct attention *call = plan->call;
    const int64_t dim = call->head_dim, words = dim / PAIR, size = plan->chunk * words;
    to->first = item->at * plan->chunk;
    to->count = least(item->document->keys - to->first, plan->chunk);
    to->padded = round_up(to->count, 4);
    to->k_rows = take(scratch, size);
    to->v_rows = take(scratch, size);
    to->grad_k = take(scratch, plan->chunk * dim);
    to->grad_v = take(scratch, plan->chunk * dim);
    to->share_rows = take(scratch, TILE * COLUMNS / PAIR);
    to->score_rows = take(scratch, TILE * COLUMNS / PAIR);
    to->score_pairs = PAIR == 2 ? take(scratch, TILE * COLUMNS / PAIR) : to->score_rows;
    const int64_t token = item->document->key + to->first;
    NAME(pack_rows)(to->k_rows, call, &call->k, item->key_head, token, to->count, to->padded);
    NAME(pack_rows)(to->v_rows, call, &call->v, item->key_head, token, to->count, to->padded);
    to->k_pairs = to->k_rows;
    if (PAIR == 2) {
        to->k_pairs = take(scratch, size);
        NAME(pack_pairs)(to->k_pairs, (struct left){to->k_rows, words, 1}, to->padded, words);
    }
    memset(to->grad_k, 0, sizeof(float) * to->padded * dim);
    memset(to->grad_v, 0, sizeof(float) * to->padded * dim);
}

/* One block of queries, all parts of the heads that share the key head. */
INLINE TARGET void NAME(add_block)(const struct plan *plan, const struct item *item, const struct keys *keys,
                                   int64_t index, struct range seen, uint32_t *scratch)
{
    atomic_int *turns = plan->turns + (index * plan->call->key_heads + item->key_head) * plan->parts;
    for (int64_t part = 0; part < plan->parts; part++) {
        struct queries queries;
        NAME(pack_block)(&queries, plan, plan->blocks + index, heads_of(plan, item->key_head, part), scratch);
        for (int64_t from = seen.first; from < seen.end; from += TILE) {
            NAME(add_tile)(plan, keys, &queries, from, least(seen.end - from, TILE));
        }
        NAME(take_turn)(plan, &queries, turns + part, item->at);
    }
}

/* One chunk of the keys of one head. */
TARGET static void NAME(backward_item)(const struct plan *plan, int64_t index, uint32_t *scratch)
{
    const struct attention *call = plan->call;
    const struct item *item = plan->items + index;
    struct keys keys;
    NAME(pack_chunk)(&keys, plan, item, &scratch);
    for (int64_t b = item->document->first_block; b < item->document->end_block; b++) {
        const struct range seen = visible_of(call, plan->blocks + b, keys.first, keys.padded);
        if (seen.first < seen.end) {
            if (b + 1 < item->document->end_block) {
                NAME(prefetch_block)(plan, plan->blocks + b + 1, item->key_head);
            }
            NAME(add_block)(plan, item, &keys, b, seen, scratch);
        }
    }
    for (int64_t r = 0; r < keys.count; r++) {
        const int64_t token = item->document->key + keys.first + r, at = r * call->head_dim;
        NAME(put_token)(call, &call->grad_k, item->key_head, token, keys.grad_k + at, 1 / sqrtf((float)call->head_dim));
        NAME(put_token)(call, &call->grad_v, item->key_head, token, keys.grad_v + at, 1);
    }
}
