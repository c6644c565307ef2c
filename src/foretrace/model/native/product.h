/* The product of two small matrices of words, for one kind of processor; part of `attention_body.h`.
 *
 * c[m][n] += sum over k of a(m, k) * b(k, n): a's words are broadcast, b's lie side by side. All products of attention
 * are of this kind. With C = head_dim and W = C / PAIR words, r rows of a tensor are laid out for it as
 *     rows     (r, W)          a of sums over C
 *     columns  (W, r)          b of sums over C
 *     pairs    (r / PAIR, C)   b of sums over rows
 * and scores, which are computed as (keys, queries), by `put_rows` as a of sums over queries, by `put_pairs` as a of
 * sums over keys.
 */

/* `rows` x `vectors` registers of c. They are constants, so that the sums live in registers. */
INLINE TARGET void NAME(register_tile)(const enum start start, const int rows, const int vectors, struct sums c,
                                       struct left a, struct right b, int64_t steps, const float *factors)
{
    VEC sums[8][GROUP];
#pragma GCC unroll 8
    for (int m = 0; m < rows; m++) {
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) {
            sums[m][n] = (VEC){0};
            if (start != ZERO) {
                sums[m][n] = LOAD(c.at + m * c.row + n * LANES);
            }
            if (start == SCALE) {
                sums[m][n] *= SPLAT(factors[m]);
            }
        }
    }
    for (int64_t k = 0; k < steps; k++, a.words += a.step, b.words += b.step) {
        VEC right[GROUP];
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) {
            right[n] = LOAD(b.words + n * LANES);
        }
#pragma GCC unroll 8
        for (int m = 0; m < rows; m++) {
            const VEC left = NAME(broadcast)(a.words + m * a.row);
#pragma GCC unroll 4
            for (int n = 0; n < vectors; n++) {
                sums[m][n] = NAME(multiply_add)(sums[m][n], left, right[n]);
            }
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < rows; m++) {
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) {
            STORE(c.at + m * c.row + n * LANES, sums[m][n]);
        }
    }
}

/* All rows of `vectors` registers of columns. */
INLINE TARGET void NAME(register_tiles)(const enum start start, const int vectors, struct sums c, struct left a,
                                        struct right b, int64_t steps, const float *factors)
{
    const int tall = vectors <= 2 && GROUP == 4 ? 8 : 4; /* 16 sums at a time hide the latency of one */
    int64_t m = 0;
    for (; m + tall <= c.rows; m += tall) {
        NAME(register_tile)(start, tall, vectors, sums_from(c, m), left_from(a, m), b, steps, factors + m);
    }
    for (; m < c.rows; m += 4) {
        NAME(register_tile)(start, 4, vectors, sums_from(c, m), left_from(a, m), b, steps, factors + m);
    }
}

/* The product over `steps` of k. It is inlined: a call for every four rows would cost 8 % of the backward pass. */
INLINE TARGET void NAME(product)(const enum start start, struct sums c, struct left a, struct right b, int64_t steps,
                                 const float *factors)
{
    for (int64_t left = c.columns / LANES; left > 0; left -= GROUP, c.at += GROUP * LANES, b.words += GROUP * LANES) {
        switch (least(left, GROUP)) {
#if GROUP == 4
        case 4: NAME(register_tiles)(start, 4, c, a, b, steps, factors); break;
        case 3: NAME(register_tiles)(start, 3, c, a, b, steps, factors); break;
#endif
        case 2: NAME(register_tiles)(start, 2, c, a, b, steps, factors); break;
        default: NAME(register_tiles)(start, 1, c, a, b, steps, factors);
        }
    }
}
