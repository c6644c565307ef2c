/* The body of `_kernel.c`, for one kind of processor: LANES, ROWS, REGISTERS, NAME, TARGET and TO_FLOATS say which, and
 * are undefined at the end. */

#define VEC NAME(vec)
typedef float VEC __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* -- products ------------------------------------------------------------------------------------------------------ */

/* LANES weights, number `at` and after. */
TARGET INLINE VEC NAME(load)(const void *w, int64_t at, int half) {
#ifdef TO_FLOATS
    if (half) return TO_FLOATS((const uint16_t *)w + at);
#endif
    (void)half;
    return *(const VEC *)((const float *)w + at);
}

/* y[r][i] = sum over k of x[r][k] * w[first + k * step + i / WIDE * panel + i % WIDE] for `vecs` registers of outputs i.
 * `rows`, `vecs` and `half` are constants, so the sums live in registers. */
TARGET INLINE void NAME(tile)(int rows, int vecs, int half, float y[][MOST_VECS * LANES], const float *x, int64_t x_stride,
                              const void *w, int64_t first, int64_t panel, int64_t step, int64_t in) {
    VEC sums[ROWS * MOST_VECS] = {0}, values[ROWS], weights[MOST_VECS];
    for (int64_t k = 0; k < in; k++, first += step) {
#define VALUE(r) x[(r) * x_stride + k] - (VEC){0}
#define WEIGHTS(i) NAME(load)(w, first + (i) * LANES / WIDE * panel + (i) * LANES % WIDE, half)
        if (rows < vecs) { /* the fewer of the two stay in registers */
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) values[r] = VALUE(r);
#pragma GCC unroll 8
            for (int i = 0; i < vecs; i++) {
                weights[0] = WEIGHTS(i);
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) sums[r * vecs + i] += values[r] * weights[0];
            }
        } else {
#pragma GCC unroll 8
            for (int i = 0; i < vecs; i++) weights[i] = WEIGHTS(i);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                values[0] = VALUE(r);
#pragma GCC unroll 8
                for (int i = 0; i < vecs; i++) sums[r * vecs + i] += values[0] * weights[i];
            }
        }
#undef VALUE
#undef WEIGHTS
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int i = 0; i < vecs; i++) *(VEC *)(y[r] + i * LANES) = sums[r * vecs + i];
}

/* y (rows, out) = x (rows, in) times w, whose panels of WIDE outputs lie `panel` weights apart; `add`: y += …
 * `half`: the weights are float16. Rows go in blocks of nearly the same size; the fewer, the more outputs at a time. */
TARGET static void NAME(product)(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t rows, const void *w, int half,
                                 int64_t panel, int64_t step, int64_t in, int64_t out, int add) {
    float sums[ROWS][MOST_VECS * LANES];
    const int64_t blocks = (rows + ROWS - 1) / ROWS, most = (rows + blocks - 1) / blocks, ends = (out + WIDE - 1) / WIDE * WIDE;
    int64_t vecs = MOST_VECS;
    while (!FITS(most, vecs)) vecs /= 2;
    for (int64_t column = 0; column < out; column += vecs * LANES) {
        while (column + vecs * LANES > ends) vecs /= 2;
        const int64_t first = column / WIDE * panel + column % WIDE;
        const int64_t width = out - column < vecs * LANES ? out - column : vecs * LANES;
        for (int64_t block = 0, row = 0, count; block < blocks; block++, row += count) {
            count = (rows - row) / (blocks - block);
            const float *from = x + row * x_stride;
#define CASE(r, v)                                                                                         \
    case 16 * r + v:                                                                                       \
        if (r <= ROWS && FITS(r, v)) {                                                                     \
            if (half)                                                                                      \
                NAME(tile)(r, v, 1, sums, from, x_stride, w, first, panel, step, in);                      \
            else                                                                                           \
                NAME(tile)(r, v, 0, sums, from, x_stride, w, first, panel, step, in);                      \
        }                                                                                                  \
        break;
            switch (16 * count + vecs) {
                CASE(1, 2) CASE(1, 4) CASE(1, 8) CASE(2, 2) CASE(2, 4) CASE(2, 8) CASE(3, 2) CASE(3, 4) CASE(3, 8)
                CASE(4, 2) CASE(4, 4) CASE(5, 2) CASE(5, 4) CASE(6, 2) CASE(6, 4)
            }
#undef CASE
            for (int64_t r = 0; r < count; r++) {
                float *to = y + (row + r) * y_stride + column;
                for (int64_t i = 0; i < width; i++) to[i] = sums[r][i] + (add ? to[i] : 0);
            }
        }
    }
}

/* -- single rows --------------------------------------------------------------------------------------------------- */

/* e^x to about 1e-7 relative: 2^n times a polynomial on [-ln2 / 2, ln2 / 2]; x is kept within ±87. Compilers vectorise
 * loops over it. */
INLINE float NAME(exponential)(float x) {
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the lowest bits */
    x = x > 87.0f ? 87.0f : x;
    x = x < -87.0f ? -87.0f : x;
    const float shifted = x * 1.44269504f + round, n = shifted - round;
    const float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union {
        float value;
        uint32_t bits;
    } power = {shifted}, result = {p};
    result.bits += power.bits << 23;
    return result.value;
}

INLINE float NAME(total)(VEC x) {
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += x[i];
    return sum;
}

/* RMSNorm */
INLINE void NAME(normalise)(float *y, const float *x, const float *weight, int64_t count, float eps) {
    VEC squares = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) squares += *(const VEC *)(x + i) * *(const VEC *)(x + i);
    float sum = NAME(total)(squares);
    for (; i < count; i++) sum += x[i] * x[i];
    const float scale = 1 / sqrtf(sum / count + eps);
    for (i = 0; i < count; i++) y[i] = x[i] * scale * weight[i];
}

/* y = silu(gate) * up */
INLINE void NAME(swiglu)(float *restrict y, const float *restrict gate, const float *restrict up, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] = gate[i] / (1.0f + NAME(exponential)(-gate[i])) * up[i];
}

/* Rotary position embedding of one head, in place (arXiv:2104.09864, halves instead of pairs). */
INLINE void NAME(rotate)(float *x, const float *cosines, const float *sines, int64_t half) {
    for (int64_t i = 0; i < half; i++) {
        const float a = x[i], b = x[i + half];
        x[i] = a * cosines[i] - b * sines[i];
        x[i + half] = b * cosines[i] + a * sines[i];
    }
}

/* scores (S,), S a multiple of WIDE: softmax over [first, last), zero elsewhere. */
INLINE void NAME(softmax)(float *scores, int64_t first, int64_t last, int64_t count) {
    float highest[LANES];
    for (int64_t i = 0; i < LANES; i++) highest[i] = scores[first];
    for (int64_t i = 0; i < first; i++) scores[i] = scores[first];
    for (int64_t i = last; i < count; i++) scores[i] = scores[first];
    for (int64_t i = 0; i < count; i += LANES)
        for (int64_t j = 0; j < LANES; j++) highest[j] = scores[i + j] > highest[j] ? scores[i + j] : highest[j];
    for (int64_t j = 1; j < LANES; j++) highest[0] = highest[j] > highest[0] ? highest[j] : highest[0];
    for (int64_t i = 0; i < count; i++) scores[i] = NAME(exponential)(scores[i] - highest[0]);
    memset(scores, 0, 4 * first);
    memset(scores + last, 0, 4 * (count - last));
    VEC sums = {0};
    for (int64_t i = 0; i < count; i += LANES) sums += *(VEC *)(scores + i);
    const float scale = 1 / NAME(total)(sums);
    for (int64_t i = 0; i < count; i++) scores[i] *= scale;
}

/* -- the model ----------------------------------------------------------------------------------------------------- */

INLINE int64_t NAME(offset)(const struct model *m, const struct piece *p, int64_t layer, int64_t head) {
    return (layer * m->kv_heads + head) * p->capacity * m->head_dim;
}

INLINE void NAME(linear)(const struct model *m, float *y, const float *x, int64_t rows, const void *w, int64_t in, int64_t out, int add) {
    NAME(product)(y, out, x, in, rows, w, m->half, in * WIDE, WIDE, in, out, add);
}

/* Rotates queries and keys of one row and writes its keys and values into the cache. qkv: (H + 2K, C) */
INLINE void NAME(remember)(float *qkv, const struct model *m, int64_t layer, const struct piece *p, int64_t position) {
    const int64_t size = m->head_dim, half = size / 2, within = position % WIDE;
    for (int64_t h = 0; h < m->heads + m->kv_heads; h++)
        NAME(rotate)(qkv + h * size, m->cosines + position * half, m->sines + position * half, half);
    for (int64_t h = 0; h < m->kv_heads; h++) {
        const float *key = qkv + (m->heads + h) * size;
        const int64_t at = NAME(offset)(m, p, layer, h) + position * size;
        float *keys = (float *)p->keys + at - within * size + within;
        for (int64_t i = 0; i < size; i++) keys[i * WIDE] = key[i];
        memcpy((float *)p->values + at, key + m->kv_heads * size, 4 * size);
    }
}

/* Attention of `rows` rows of one sequence, the first one at `position`: they, and the query heads that share a key head, meet
 * the keys together. What a row does not see has weight zero in its sums, and so changes no bit of them.
 * out: (rows, H, C), qkv: (rows, H + 2K, C); scratch: (rows * group) * (2C + S) */
INLINE void NAME(attend)(float *out, const float *qkv, float *scratch, const struct model *m, int64_t layer, const struct piece *p,
                         int64_t position, int64_t rows) {
    const int64_t size = m->head_dim, heads = m->heads, group = heads / m->kv_heads, together = rows * group;
    const int64_t window = m->layers[layer].window ? m->layers[layer].window : position + rows;
    const int64_t first = position >= window ? position - window + 1 : 0, start = first - first % WIDE;
    const int64_t count = (position + rows - 1 - start) / WIDE * WIDE + WIDE;
    float *queries = scratch, *mixed = queries + together * size, *scores = mixed + together * size;
    for (int64_t h = 0; h < m->kv_heads; h++) {
        const int64_t at = NAME(offset)(m, p, layer, h) + start * size;
        for (int64_t r = 0; r < together; r++) {
            const float *query = qkv + (r / group * (heads + 2 * m->kv_heads) + h * group + r % group) * size;
            for (int64_t i = 0; i < size; i++) queries[r * size + i] = query[i] * m->scale;
        }
        NAME(product)(scores, count, queries, size, together, (float *)p->keys + at, 0, size * WIDE, WIDE, size, count, 0);
        for (int64_t r = 0; r < together; r++) {
            const int64_t now = position + r / group;
            NAME(softmax)(scores + r * count, now >= window ? now - window + 1 - start : 0, now - start + 1, count);
        }
        NAME(product)(mixed, size, scores, count, together, (float *)p->values + at, 0, WIDE, size, count, size, 0);
        for (int64_t r = 0; r < together; r++)
            memcpy(out + (r / group * heads + h * group + r % group) * size, mixed + r * size, 4 * size);
    }
}

/* Up to CHUNK rows through all layers. x: (rows, D), the residual stream. */
TARGET static void NAME(layers)(const struct model *m, int64_t rows, const struct place *at, float *x, float *scratch) {
    const int64_t d = m->hidden, f = m->mlp, queries = m->heads * m->head_dim, most = most_together(m);
    const int64_t qkv_size = queries + 2 * m->kv_heads * m->head_dim;
    float *normal = scratch, *qkv = normal + CHUNK * d, *mixed = qkv + CHUNK * qkv_size;
    float *gate_up = mixed + CHUNK * queries, *gated = gate_up + CHUNK * 2 * f, *rest = gated + CHUNK * f;
    for (int64_t n = 0; n < m->num_layers; n++) {
        const struct layer *layer = m->layers + n;
        for (int64_t r = 0; r < rows; r++) NAME(normalise)(normal + r * d, x + r * d, layer->attention_norm, d, m->eps);
        NAME(linear)(m, qkv, normal, rows, layer->qkv, d, qkv_size, 0);
        for (int64_t r = 0; r < rows; r++) NAME(remember)(qkv + r * qkv_size, m, n, at[r].piece, at[r].position);
        for (int64_t r = 0, count; r < rows; r += count) {
            for (count = 1; r + count < rows && at[r + count].piece == at[r].piece && count < most;) count++;
            NAME(attend)(mixed + r * queries, qkv + r * qkv_size, rest, m, n, at[r].piece, at[r].position, count);
        }
        NAME(linear)(m, x, mixed, rows, layer->output, queries, d, 1);
        for (int64_t r = 0; r < rows; r++) NAME(normalise)(normal + r * d, x + r * d, layer->mlp_norm, d, m->eps);
        NAME(linear)(m, gate_up, normal, rows, layer->gate_up, d, 2 * f, 0);
        for (int64_t r = 0; r < rows; r++) NAME(swiglu)(gated + r * f, gate_up + 2 * r * f, gate_up + (2 * r + 1) * f, f);
        NAME(linear)(m, x, gated, rows, layer->down, f, d, 1);
    }
}

TARGET static void NAME(head)(const struct model *m, int64_t rows, const float *hidden, float *normal, float *logits) {
    for (int64_t r = 0; r < rows; r++) NAME(normalise)(normal + r * m->hidden, hidden + r * m->hidden, m->norm, m->hidden, m->eps);
    NAME(linear)(m, logits, normal, rows, m->head, m->hidden, m->vocab, 0);
}

#undef VEC
#undef LANES
#undef ROWS
#undef REGISTERS
#undef TO_FLOATS
#undef NAME
#undef TARGET
