/* The body of `_kernel.c`, for one kind of processor: LANES, ROWS, NAME and TARGET say which, and are undefined at the end. */

#define VEC NAME(vec)
typedef float VEC __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* -- products ------------------------------------------------------------------------------------------------------ */

/* y[r][0..WIDE) = sum over k of x[r][k] * w[k * step + 0..WIDE); `rows` is a constant, so the sums live in registers. */
INLINE void NAME(tile)(int rows, const float *x, int64_t x_stride, const float *w, int64_t step, int64_t in, float y[][WIDE]) {
    VEC sums[ROWS][WIDE / LANES] = {0};
    for (int64_t k = 0; k < in; k++, w += step) {
        const VEC *at = (const VEC *)w;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const VEC value = x[r * x_stride + k] - (VEC){0};
#pragma GCC unroll 8
            for (int i = 0; i < WIDE / LANES; i++) sums[r][i] += value * at[i];
        }
    }
    for (int r = 0; r < rows; r++) memcpy(y[r], sums[r], sizeof sums[r]);
}

/* y (rows, out) = x (rows, in) times w, whose panels of WIDE outputs lie `panel` floats apart; `add`: y += … */
INLINE void NAME(product)(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t rows, const float *w, int64_t panel,
                    int64_t step, int64_t in, int64_t out, int add) {
    float sums[ROWS][WIDE];
    for (int64_t column = 0; column < out; column += WIDE, w += panel) {
        const int64_t width = out - column < WIDE ? out - column : WIDE;
        for (int64_t row = 0; row < rows; row += ROWS) {
            const float *from = x + row * x_stride;
            const int64_t count = rows - row < ROWS ? rows - row : ROWS;
            if (ROWS >= 4 && count == 4)
                NAME(tile)(4, from, x_stride, w, step, in, sums);
            else if (ROWS >= 3 && count == 3)
                NAME(tile)(3, from, x_stride, w, step, in, sums);
            else if (ROWS >= 2 && count == 2)
                NAME(tile)(2, from, x_stride, w, step, in, sums);
            else
                NAME(tile)(1, from, x_stride, w, step, in, sums);
            for (int64_t r = 0; r < count; r++) {
                float *to = y + (row + r) * y_stride + column;
                for (int64_t i = 0; i < width; i++) to[i] = sums[r][i] + (add ? to[i] : 0);
            }
        }
    }
}

INLINE void NAME(linear)(float *y, const float *x, int64_t rows, const float *w, int64_t in, int64_t out, int add) {
    NAME(product)(y, out, x, in, rows, w, in * WIDE, WIDE, in, out, add);
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

/* RMSNorm without its weight, which is folded into the matrix that follows. */
INLINE void NAME(normalise)(float *y, const float *x, int64_t count, float eps) {
    VEC squares = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) squares += *(const VEC *)(x + i) * *(const VEC *)(x + i);
    float sum = NAME(total)(squares);
    for (; i < count; i++) sum += x[i] * x[i];
    const float scale = 1 / sqrtf(sum / count + eps);
    for (i = 0; i < count; i++) y[i] = x[i] * scale;
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
    float highest = scores[first];
    for (int64_t i = first; i < last; i++) highest = scores[i] > highest ? scores[i] : highest;
    for (int64_t i = first; i < last; i++) scores[i] = NAME(exponential)(scores[i] - highest);
    memset(scores, 0, 4 * first);
    memset(scores + last, 0, 4 * (count - last));
    VEC sums = {0};
    for (int64_t i = 0; i < count; i += LANES) sums += *(VEC *)(scores + i);
    const float scale = 1 / NAME(total)(sums);
    for (int64_t i = 0; i < count; i++) scores[i] *= scale;
}

/* -- the model ----------------------------------------------------------------------------------------------------- */

INLINE float *NAME(head_of)(float *all, const struct model *m, const struct cache *c, int64_t layer, int64_t slot, int64_t head) {
    return all + ((layer * c->slots + slot) * m->kv_heads + head) * c->capacity * m->head_dim;
}

/* Rotates queries and keys of one row and writes its keys and values into the cache. qkv: (H + 2K, C) */
INLINE void NAME(remember)(float *qkv, const struct model *m, const struct cache *c, int64_t layer, struct place at) {
    const int64_t size = m->head_dim, half = size / 2;
    for (int64_t h = 0; h < m->heads + m->kv_heads; h++)
        NAME(rotate)(qkv + h * size, m->cosines + at.position * half, m->sines + at.position * half, half);
    for (int64_t h = 0; h < m->kv_heads; h++) {
        const float *key = qkv + (m->heads + h) * size;
        const int64_t within = at.position % WIDE;
        float *keys = NAME(head_of)(c->keys, m, c, layer, at.slot, h) + (at.position - within) * size + within;
        for (int64_t i = 0; i < size; i++) keys[i * WIDE] = key[i];
        float *values = NAME(head_of)(c->values, m, c, layer, at.slot, h) + at.position * size;
        memcpy(values, key + m->kv_heads * size, 4 * size);
    }
}

/* Attention of one row: the query heads that share a key head go together. out, qkv: (H, C) */
INLINE void NAME(attend)(float *out, const float *qkv, float *scores, const struct model *m, const struct cache *c, int64_t layer,
                   struct place at) {
    const int64_t size = m->head_dim, group = m->heads / m->kv_heads, window = m->layers[layer].window;
    const int64_t first = window && at.position >= window ? at.position - window + 1 : 0;
    const int64_t start = first - first % WIDE, count = (at.position - start) / WIDE * WIDE + WIDE;
    for (int64_t h = 0; h < m->kv_heads; h++) {
        const float *keys = NAME(head_of)(c->keys, m, c, layer, at.slot, h) + start * size;
        const float *values = NAME(head_of)(c->values, m, c, layer, at.slot, h) + start * size;
        NAME(product)(scores, count, qkv + h * group * size, size, group, keys, size * WIDE, WIDE, size, count, 0);
        for (int64_t g = 0; g < group; g++) NAME(softmax)(scores + g * count, first - start, at.position - start + 1, count);
        NAME(product)(out + h * group * size, size, scores, count, group, values, WIDE, size, count, size, 0);
    }
}

/* Up to CHUNK rows through all layers. x: (rows, D), the residual stream. */
TARGET static void NAME(layers)(const struct model *m, const struct cache *c, int64_t rows, const struct place *at, float *x, float *scratch) {
    const int64_t d = m->hidden, f = m->mlp, queries = m->heads * m->head_dim;
    const int64_t qkv_size = queries + 2 * m->kv_heads * m->head_dim;
    float *normal = scratch, *qkv = normal + CHUNK * d, *mixed = qkv + CHUNK * qkv_size;
    float *gate_up = mixed + CHUNK * queries, *gated = gate_up + CHUNK * 2 * f, *scores = gated + CHUNK * f;
    for (int64_t n = 0; n < m->num_layers; n++) {
        const struct layer *layer = m->layers + n;
        for (int64_t r = 0; r < rows; r++) NAME(normalise)(normal + r * d, x + r * d, d, m->eps);
        NAME(linear)(qkv, normal, rows, layer->qkv, d, qkv_size, 0);
        for (int64_t r = 0; r < rows; r++) NAME(remember)(qkv + r * qkv_size, m, c, n, at[r]);
        for (int64_t r = 0; r < rows; r++) NAME(attend)(mixed + r * queries, qkv + r * qkv_size, scores, m, c, n, at[r]);
        NAME(linear)(x, mixed, rows, layer->output, queries, d, 1);
        for (int64_t r = 0; r < rows; r++) NAME(normalise)(normal + r * d, x + r * d, d, m->eps);
        NAME(linear)(gate_up, normal, rows, layer->gate_up, d, 2 * f, 0);
        for (int64_t r = 0; r < rows; r++) NAME(swiglu)(gated + r * f, gate_up + 2 * r * f, gate_up + (2 * r + 1) * f, f);
        NAME(linear)(x, gated, rows, layer->down, f, d, 1);
    }
}

TARGET static void NAME(head)(const struct model *m, int64_t rows, const float *hidden, float *normal, float *logits) {
    for (int64_t r = 0; r < rows; r++) NAME(normalise)(normal + r * m->hidden, hidden + r * m->hidden, m->hidden, m->eps);
    NAME(linear)(logits, normal, rows, m->head, m->hidden, m->vocab, 0);
}

#undef VEC
#undef LANES
#undef ROWS
#undef NAME
#undef TARGET
