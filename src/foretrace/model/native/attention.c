/* Document-causal attention, forward and backward, for training on CPUs; `attention/native.py` calls it through ctypes.
 *
 * As in Flash Attention (arXiv:2205.14135, 2307.08691) no matrix of queries times keys exists: a thread takes some
 * queries and some keys at a time, and keeps of each query its highest score and the sum of its exponentials. Tiles of
 * keys that none of the queries may see are skipped.
 *
 * The one idea: scores are computed transposed, keys down and queries across, those of all heads that share a key head
 * side by side. So softmax needs no sums across a register, the columns of several heads fill registers with few
 * tokens (fewer scores are computed in vain at the edges), and what one product puts out is what the next takes in.
 *
 * `plan.c` divides the work, `attention_body.h` does it and is compiled once for each kind of processor. On processors
 * that multiply bfloat16 tiles are bfloat16, elsewhere float32: see `product.h`.
 */
#include "operands.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define MAX_THREADS 256
#define PAGE 4096
#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 11)
#define HAS_BFLOAT16
#endif

/* LANES: floats of a register. PAIR: elements of a word. GROUP: registers of a row of a register tile. */
#ifdef HAS_BFLOAT16
#define LANES 16
#define PAIR 2
#define GROUP 4
#define NAME(what) what##_avx512bf16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,fma")))
#include "attention_body.h"
#endif

#ifdef __x86_64__
#define LANES 16
#define PAIR 1
#define GROUP 4
#define NAME(what) what##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,fma")))
#include "attention_body.h"

#define LANES 8
#define PAIR 1
#define GROUP 2
#define NAME(what) what##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "attention_body.h"

#define GROUP 2
#else
#define GROUP 4
#endif
#define LANES 4
#define PAIR 1
#define NAME(what) what##_plain
#define TARGET
#include "attention_body.h"

/* In the order of `KERNELS` of `attention/native.py`. */
enum { AVX512BF16, AVX512, AVX2, PLAIN };
#define KERNEL(kind) {forward_item_##kind, delta_item_##kind, backward_item_##kind}
static const struct kernel kernels[] = {
#ifdef HAS_BFLOAT16
    [AVX512BF16] = KERNEL(avx512bf16),
#endif
#ifdef __x86_64__
    [AVX512] = KERNEL(avx512),
    [AVX2] = KERNEL(avx2),
#endif
    [PLAIN] = KERNEL(plain),
};

/* Whether this processor runs a kernel. */
int foretrace_attention_runs(int kernel)
{
    switch (kernel) {
#ifdef HAS_BFLOAT16
    case AVX512BF16: return foretrace_attention_runs(AVX512) && __builtin_cpu_supports("avx512bf16");
#endif
#ifdef __x86_64__
    case AVX512: return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    case AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    default: return kernel == PLAIN;
    }
}

/* -- threads ------------------------------------------------------------------------------------------------------- */

/* OpenMP's `GOMP_parallel`. It is that of torch, whose threads wait for work actively for a while: threads of our own
 * would share the cores with them. */
typedef void Team(void (*work)(void *), void *data, unsigned threads, unsigned flags);

struct job {
    const struct plan *plan;
    Pass *pass;
    int64_t items, words; /* of scratch for each thread */
    uint32_t *scratch;
    atomic_llong next;
    atomic_int workers;
};

static void work(void *data)
{
    struct job *job = data;
    uint32_t *scratch = job->scratch + atomic_fetch_add(&job->workers, 1) * job->words;
    for (int64_t i; (i = atomic_fetch_add(&job->next, 1)) < job->items;) {
        job->pass(job->plan, i, scratch);
    }
}

static void *work_in_thread(void *data)
{
    work(data);
    return NULL;
}

/* Where there is no OpenMP. Threads that cannot be started are done without. */
static void work_in_threads(struct job *job, int64_t count)
{
    pthread_t threads[MAX_THREADS];
    int64_t started = 0;
    while (started < count - 1 && pthread_create(threads + started, NULL, work_in_thread, job) == 0) {
        started++;
    }
    work(job);
    while (started > 0) {
        pthread_join(threads[--started], NULL);
    }
}

/* Runs a pass over all items. False if there is no memory. */
static bool run(const struct plan *plan, Pass *pass, int64_t items, int64_t words, Team *team)
{
    const int64_t threads = most(least(least(plan->call->threads, items), MAX_THREADS), 1);
    struct job job = {.plan = plan, .pass = pass, .items = items, .words = round_up(words, PAGE / 4)};
    if (words > 0 && (job.scratch = aligned_alloc(PAGE, sizeof(uint32_t) * job.words * threads)) == NULL) {
        return false;
    }
    if (threads == 1) {
        work(&job);
    }
    else if (team != NULL) {
        team(work, &job, (unsigned)threads, 0);
    }
    else {
        work_in_threads(&job, threads);
    }
    free(job.scratch);
    return true;
}

/* -- calls --------------------------------------------------------------------------------------------------------- */

/* Fills `out`, `highest` and `inverse`. Returns 0, or 1 if there is no memory. `team` may be NULL. */
int foretrace_attention_forward(const struct attention *call, Team *team)
{
    struct plan plan;
    const bool done = plan_forward(&plan, call) &&
                      run(&plan, kernels[call->kernel].forward, plan.num_items, forward_words(call->head_dim), team);
    plan_free(&plan);
    return !done;
}

/* Fills `grad_q`, and `grad_k` and `grad_v` of all keys that a span reaches. Returns 0, or 1 if there is no memory. */
int foretrace_attention_backward(const struct attention *call, Team *team)
{
    struct plan plan;
    const struct kernel *kernel = kernels + call->kernel;
    const bool done = plan_backward(&plan, call) && run(&plan, kernel->delta, plan.num_blocks, 0, team) &&
                      run(&plan, kernel->backward, plan.num_items, backward_words(call->head_dim, plan.chunk), team);
    plan_free(&plan);
    return !done;
}
