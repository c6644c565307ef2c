/* The transformer's forward pass on a CPU, in C alone; `kernel.py` calls it through ctypes.
 *
 * The one idea: every product is `tile`, which keeps as many sums in registers as there are while it streams a matrix once.
 * Weights are stored in panels of WIDE outputs, keys in panels of WIDE positions, so queries meet keys as inputs meet
 * weights. A row is one token of one sequence; a prompt is many rows of one sequence, a decoding step one or a few of each.
 * A row's sums are taken in the same order whatever the other rows are: batches and drafts change no bit of a result.
 *
 * `_kernel_body.h` is compiled once for each kind of processor; the best one is chosen when called.
 * D hidden_size, F intermediate_size, H query heads, K key heads, C head_dim (a multiple of WIDE), S cached positions.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define WIDE 32
#define CHUNK 48 /* rows that go through the layers together: their activations stay in a core's cache */
#define TOGETHER 6 /* queries that meet keys together: as many as a tile has rows at most */
#define MOST_VECS 8
/* A tile has ROWS rows at most, and as many registers of outputs that its sums, and what it multiplies, stay in registers. */
#define FITS(rows, vecs) ((rows) * (vecs) + ((rows) < (vecs) ? (rows) : (vecs)) + 1 < REGISTERS)

struct layer {
    const void *qkv, *output, *gate_up, *down; /* panels, float32 or float16 */
    const float *attention_norm, *mlp_norm;
    int32_t window; /* 0: attends to everything before */
};

struct model {
    int32_t hidden, mlp, heads, kv_heads, head_dim, vocab, num_layers, half;
    float eps, scale;             /* of the norms; of the queries */
    const float *embedding;       /* (vocab, D) */
    const void *head;             /* panels */
    const float *norm;            /* the last one */
    const float *cosines, *sines; /* (positions, C / 2) */
    const struct layer *layers;
};

/* Further tokens of one sequence, and where its keys and values are. */
struct piece {
    int64_t keys;   /* address: (layers, K, S / WIDE, C, WIDE) */
    int64_t values; /* address: (layers, K, S, C) */
    int64_t capacity, start, count;
};

struct place {
    const struct piece *piece;
    int64_t position;
};

/* Rows of one sequence that attend together. */
static int64_t most_together(const struct model *m) {
    const int64_t group = m->heads / m->kv_heads;
    return group < TOGETHER ? TOGETHER / group : 1;
}

#ifdef __x86_64__
#define LANES 16
#define ROWS 6
#define REGISTERS 32
#define NAME(what) what##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,fma,f16c")))
#define TO_FLOATS(at) (VEC) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(at)))
#include "_kernel_body.h"

#define LANES 8
#define ROWS 6
#define REGISTERS 16
#define NAME(what) what##_avx2
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define TO_FLOATS(at) (VEC) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(at)))
#include "_kernel_body.h"

#define ROWS 1 /* more need registers that SSE lacks */
#define REGISTERS 16
#else
#define ROWS 6
#define REGISTERS 32
#endif
#define LANES 4
#define NAME(what) what##_plain
#define TARGET
#include "_kernel_body.h"

#ifdef __x86_64__
#define BEST(what) (has_avx512() ? what##_avx512 : has_avx2() ? what##_avx2 : what##_plain)
static int has_f16c(void) {
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
static int has_avx512(void) { return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && has_avx2(); }
#else
#define BEST(what) what##_plain
static int has_avx2(void) { return 0; }
#endif

/* Whether weights may be float16. */
int foretrace_takes_half(void) { return has_avx2(); }

/* Feeds the tokens of all pieces, one piece after the other; keys and values go into the caches, hidden states to `hidden`
 * (rows, D). Returns 0, or 1 if there is no memory. */
int foretrace_forward(const struct model *m, int64_t pieces, const struct piece *piece, const int64_t *tokens, float *hidden) {
    const int64_t d = m->hidden, queries = m->heads * m->head_dim, group = m->heads / m->kv_heads;
    const int64_t per_row = d + 2 * queries + 2 * m->kv_heads * m->head_dim + 3 * m->mlp;
    int64_t rows = 0, longest = 0;
    for (int64_t i = 0; i < pieces; i++) {
        rows += piece[i].count;
        longest = piece[i].capacity > longest ? piece[i].capacity : longest;
    }
    float *scratch = malloc(4 * (CHUNK * per_row + group * most_together(m) * (2 * m->head_dim + longest)));
    if (!scratch) return 1;
    const struct piece *now = piece;
    int64_t within = 0;
    for (int64_t start = 0, count; start < rows; start += count) {
        struct place at[CHUNK];
        for (count = 0; count < CHUNK && start + count < rows; count++) {
            for (; within == now->count; within = 0) now++;
            at[count] = (struct place){now, now->start + within++};
            memcpy(hidden + (start + count) * d, m->embedding + tokens[start + count] * d, 4 * d);
        }
        BEST(layers)(m, count, at, hidden + start * d, scratch);
    }
    free(scratch);
    return 0;
}

/* hidden (rows, D) -> logits (rows, vocab). Returns 0, or 1 if there is no memory. */
int foretrace_logits(const struct model *m, int64_t rows, const float *hidden, float *logits) {
    float *normal = malloc(4 * rows * m->hidden);
    if (!normal) return 1;
    BEST(head)(m, rows, hidden, normal, logits);
    free(normal);
    return 0;
}
