/* Rows of tensors to and from the layouts that products take, for one kind of processor; part of `attention_body.h`. */

/* `count` tokens of one head of x, from `first`, then zeros up to `all` rows: (all, W). */
INLINE TARGET void NAME(pack_rows)(uint32_t *to, const struct attention *call, const struct tensor *x, int64_t head,
                                   int64_t first, int64_t count, int64_t all)
{
    const int64_t dim = call->head_dim, words = dim / PAIR;
    for (int64_t r = 0; r < count; r++, to += words) {
        const int64_t at = head * x->head + (first + r) * x->token;
        const uint16_t *halves = (const uint16_t *)x->data + at;
        if (PAIR == 2) {
            for (int64_t i = 0; i < dim; i += 16) {
                memcpy(to + i / 2, halves + i, 32); /* a size that needs no call */
            }
        }
        else if (call->is_bfloat16) {
            for (int64_t i = 0; i < dim; i++) {
                to[i] = (uint32_t)halves[i] << 16;
            }
        }
        else {
            memcpy(to, (const float *)x->data + at, 4 * dim);
        }
    }
    memset(to, 0, 4 * words * (all - count));
}

/* The same, `to` being used only if they must be copied. */
INLINE TARGET struct left NAME(read_rows)(uint32_t *to, const struct attention *call, const struct tensor *x,
                                          int64_t head, int64_t first, int64_t count, int64_t all)
{
    const int64_t size = 4 / PAIR, at = head * x->head + first * x->token;
    const char *from = (const char *)x->data + at * size;
    const bool are_words = (PAIR == 2 || !call->is_bfloat16) && x->token % PAIR == 0 && (uintptr_t)from % 4 == 0;
    if (are_words && count == all) {
        return (struct left){(const uint32_t *)from, x->token / PAIR, 1};
    }
    NAME(pack_rows)(to, call, x, head, first, count, all);
    return (struct left){to, call->head_dim / PAIR, 1};
}

#if LANES == 16
/* 16 x 16 words. A perfect shuffle of 16 registers rotates the bits of the index (register, lane) by one: four of them
 * exchange register and lane. */
INLINE TARGET void NAME(transpose)(uint32_t *to, int64_t to_row, const uint32_t *from, int64_t from_row)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    __m512i x[16], y[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        x[i] = _mm512_loadu_si512(from + i * from_row);
    }
#pragma GCC unroll 2
    for (int turn = 0; turn < 2; turn++) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            y[2 * i] = _mm512_permutex2var_epi32(x[i], low, x[i + 8]);
            y[2 * i + 1] = _mm512_permutex2var_epi32(x[i], high, x[i + 8]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            x[2 * i] = _mm512_permutex2var_epi32(y[i], low, y[i + 8]);
            x[2 * i + 1] = _mm512_permutex2var_epi32(y[i], high, y[i + 8]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        _mm512_storeu_si512(to + i * to_row, x[i]);
    }
}
#endif

/* rows (rows, words) -> columns (words, rows), which lie `step` apart; `rows` is a multiple of 16. */
INLINE TARGET void NAME(pack_columns)(uint32_t *to, int64_t step, struct left from, int64_t rows, int64_t words)
{
    int64_t i = 0;
#if LANES == 16
    for (; i + 16 <= words; i += 16) {
        for (int64_t r = 0; r < rows; r += 16) {
            NAME(transpose)(to + i * step + r, step, from.words + r * from.row + i, from.row);
        }
    }
#endif
    for (; i < words; i++) {
        for (int64_t r = 0; r < rows; r++) {
            to[i * step + r] = from.words[r * from.row + i];
        }
    }
}

/* rows (rows, words) -> pairs (rows / PAIR, C); `rows` is even. */
INLINE TARGET void NAME(pack_pairs)(uint32_t *to, struct left from, int64_t rows, int64_t words)
{
#if PAIR == 2
    for (int64_t r = 0; r < rows; r += 2) {
        for (int64_t i = 0; i < words; i += 8) {
            const __m256i *first = (const __m256i *)(from.words + r * from.row + i);
            const __m256i *second = (const __m256i *)(from.words + (r + 1) * from.row + i);
            const __m512i low = _mm512_castsi256_si512(_mm256_loadu_si256(first));
            const __m512i both = _mm512_inserti64x4(low, _mm256_loadu_si256(second), 1);
            _mm512_storeu_si512(to + r * words + 2 * i, NAME(interleave)(both));
        }
    }
#else
    for (int64_t r = 0; r < rows; r++) {
        memcpy(to + r * words, from.words + r * from.row, 4 * words);
    }
#endif
}

/* The sum of the products of two rows. */
INLINE TARGET float NAME(dot)(const uint32_t *a, const uint32_t *b, int64_t words)
{
    VEC sums = {0};
    for (int64_t i = 0; i < words; i += LANES) {
#if LANES == 16
        const __mmask16 left = (__mmask16)(0xffff >> most(0, i + 16 - words));
        const VEC x = (VEC)_mm512_maskz_loadu_epi32(left, a + i), y = (VEC)_mm512_maskz_loadu_epi32(left, b + i);
#else
        const VEC x = LOAD(a + i), y = LOAD(b + i);
#endif
        sums = NAME(multiply_add)(sums, x, y);
    }
#if LANES == 16
    return _mm512_reduce_add_ps((__m512)sums);
#else
    float sum = 0;
    for (int i = 0; i < LANES; i++) {
        sum += sums[i];
    }
    return sum;
#endif
}

/* Writes one token of one head, `row` times `factor`. */
INLINE TARGET void NAME(put_token)(const struct attention *call, const struct tensor *x, int64_t head, int64_t token,
                                   const float *row, float factor)
{
    const int64_t dim = call->head_dim, at = head * x->head + token * x->token;
    if (!call->is_bfloat16) {
        for (int64_t i = 0; i < dim; i++) {
            ((float *)x->data)[at + i] = row[i] * factor;
        }
        return;
    }
    uint16_t *to = (uint16_t *)x->data + at;
#if PAIR == 2
    for (int64_t i = 0; i < dim; i += 16) {
        _mm256_storeu_si256((__m256i *)(to + i), (__m256i)_mm512_cvtneps_pbh((__m512)(LOAD(row + i) * SPLAT(factor))));
    }
#else
    for (int64_t i = 0; i < dim; i++) {
        to[i] = bfloat16(row[i] * factor);
    }
#endif
}

#define HIDDEN -1e37f /* the score of what a query does not see */

/* Hides of four keys from `key` what the block's queries do not see: scores (4, columns). */
INLINE TARGET void NAME(hide)(float *scores, const struct attention *call, const struct block *block, int64_t key,
                              int64_t columns)
{
    const int64_t window = call->window ? least(call->window, INT32_MAX / 2) : INT32_MAX / 2;
    if (sees_all(call, block, key)) {
        return;
    }
    INTS lane;
    for (int i = 0; i < LANES; i++) {
        lane[i] = i;
    }
    for (int64_t r = 0; r < 4; r++) {
        for (int64_t n = 0; n < columns; n += LANES) {
            /* The first lane that sees the key. */
            const int32_t first = (int32_t)(key + r - block->position - n % block->wide);
            const INTS seen = (lane >= first) & (lane - first < (int32_t)window);
            INTS *at = (INTS *)(scores + r * columns + n);
            *at = (seen & *at) | (~seen & (INTS)SPLAT(HIDDEN));
        }
    }
}
