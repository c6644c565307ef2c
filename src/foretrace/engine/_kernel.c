/* The transformer's forward pass on a CPU, in C alone; `kernel.py` calls it through ctypes.
 *
 * The one idea: every product is `tile`, which keeps up to ROWS x WIDE sums in registers while it streams a matrix once.
 * Weights are stored in panels of WIDE outputs, keys in panels of WIDE positions, so queries meet keys as inputs meet
 * weights. A row is one token of one sequence; a prompt is many rows of one sequence, a decoding step one row of each.
 * A row's sums are taken in the same order whatever the other rows are: batches change no bit of a result.
 *
 * `_kernel_body.h` is compiled once for each kind of processor; the best one is chosen when called.
 * D hidden_size, F intermediate_size, H query heads, K key heads, C head_dim (a multiple of WIDE), S cached positions.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define WIDE 32
#define CHUNK 48 /* rows that go through the layers together: their activations stay in a core's cache */

struct layer {
    const float *qkv, *output, *gate_up, *down; /* panels, norms folded in */
    int32_t window;                             /* 0: attends to everything before */
};

struct model {
    int32_t hidden, mlp, heads, kv_heads, head_dim, vocab, num_layers;
    float eps;
    const float *embedding;       /* (vocab, D) */
    const float *head;            /* panels */
    const float *cosines, *sines; /* (positions, C / 2) */
    const struct layer *layers;
};

struct cache {
    float *keys;   /* (layers, slots, K, S / WIDE, C, WIDE) */
    float *values; /* (layers, slots, K, S, C) */
    int64_t slots, capacity;
};

struct place {
    int64_t slot, position;
};

/* LANES: floats of one register. ROWS x WIDE sums: as many as there are registers for; fewer or more halve the speed. */
#ifdef __x86_64__
#define LANES 16
#define ROWS 4
#define NAME(what) what##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,fma")))
#include "_kernel_body.h"

#define LANES 8
#define ROWS 3
#define NAME(what) what##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "_kernel_body.h"

#define ROWS 1
#else
#define ROWS 3
#endif
#define LANES 4
#define NAME(what) what##_plain
#define TARGET
#include "_kernel_body.h"

#ifdef __x86_64__
#define BEST(what) (has_avx512() ? what##_avx512 : has_avx2() ? what##_avx2 : what##_plain)
static int has_avx512(void) { return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"); }
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
#define BEST(what) what##_plain
#endif

/* Feeds rows (token, slot, position) in order; keys and values go into the cache, hidden states to `hidden` (rows, D).
 * Returns 0, or 1 if there is no memory. */
int foretrace_forward(const struct model *m, const struct cache *c, int64_t rows, const int64_t *tokens, const int64_t *slots,
                      const int64_t *positions, float *hidden) {
    const int64_t d = m->hidden, queries = m->heads * m->head_dim, group = m->heads / m->kv_heads;
    const int64_t per_row = d + 2 * queries + 2 * m->kv_heads * m->head_dim + 3 * m->mlp;
    float *scratch = malloc(4 * (CHUNK * per_row + group * c->capacity));
    if (!scratch) return 1;
    for (int64_t start = 0; start < rows; start += CHUNK) {
        const int64_t count = rows - start < CHUNK ? rows - start : CHUNK;
        struct place at[CHUNK];
        for (int64_t r = 0; r < count; r++) {
            at[r] = (struct place){slots[start + r], positions[start + r]};
            memcpy(hidden + (start + r) * d, m->embedding + tokens[start + r] * d, 4 * d);
        }
        BEST(layers)(m, c, count, at, hidden + start * d, scratch);
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
