/* Divides a call into blocks of queries and items of work. */
#include "operands.h"

#include <stdlib.h>
#include <string.h>

#define FORWARD_COLUMNS 32 /* the fewer, the fewer scores are computed in vain; backward, all COLUMNS are faster */
#define MOST_CHUNK 512     /* keys of a backward item: the more, the less often queries are packed */
#define LEAST_CHUNK 128
#define ENOUGH_ITEMS 32 /* chunks are halved until there are so many, for many threads to share */

/* Spans of one document together, in the order of their positions. */
static int by_key(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    return a->key != b->key ? (a->key > b->key) - (a->key < b->key) : (a->reach > b->reach) - (a->reach < b->reach);
}

/* So that what is left at the end is short. */
static int longest_first(const void *left, const void *right)
{
    const struct document *a = left, *b = right;
    return a->keys != b->keys ? (a->keys < b->keys) - (a->keys > b->keys) : (a->key > b->key) - (a->key < b->key);
}

static void add_span(struct plan *plan, struct document *document, const struct span *span)
{
    for (int64_t done = 0; done < span->length; done += plan->wide) {
        const int32_t tokens = (int32_t)least(span->length - done, plan->wide);
        plan->blocks[plan->num_blocks++] = (struct block){
            .query = span->query + done,
            .position = span->reach - 1 + done,
            .tokens = tokens,
            .wide = (int32_t)round_up(tokens, 16),
        };
    }
    document->keys = most(document->keys, span->reach + span->length - 1);
    document->end_block = plan->num_blocks;
}

/* `spans`: in order. */
static void add_documents(struct plan *plan, const struct span *spans, int64_t count)
{
    struct document *last = NULL;
    for (int64_t i = 0; i < count; i++) {
        if (last == NULL || last->key != spans[i].key) {
            last = plan->documents + plan->num_documents++;
            *last = (struct document){.key = spans[i].key, .first_block = plan->num_blocks};
        }
        add_span(plan, last, spans + i);
    }
    qsort(plan->documents, plan->num_documents, sizeof *plan->documents, longest_first);
}

/* Blocks and documents; false if there is no memory. */
static bool make(struct plan *plan, const struct attention *call, int32_t columns)
{
    memset(plan, 0, sizeof *plan);
    plan->call = call;
    plan->group = call->heads / call->key_heads;
    plan->parts = (plan->group + PART - 1) / PART;
    plan->part = (plan->group + plan->parts - 1) / plan->parts;
    plan->wide = (int32_t)most(columns / plan->part / 16 * 16, 16);
    int64_t blocks = 0;
    for (int64_t i = 0; i < call->num_spans; i++) {
        blocks += (call->spans[i].length + plan->wide - 1) / plan->wide;
    }
    struct span *spans = malloc((call->num_spans + 1) * sizeof *spans);
    plan->blocks = malloc((blocks + 1) * sizeof *plan->blocks);
    plan->documents = malloc((call->num_spans + 1) * sizeof *plan->documents);
    const bool made = spans != NULL && plan->blocks != NULL && plan->documents != NULL;
    if (made && call->num_spans > 0) {
        memcpy(spans, call->spans, call->num_spans * sizeof *spans);
        qsort(spans, call->num_spans, sizeof *spans, by_key);
        add_documents(plan, spans, call->num_spans);
    }
    free(spans);
    return made;
}

/* One thread after the other takes the items of one head, so that its keys stay in the caches. */
bool plan_forward(struct plan *plan, const struct attention *call)
{
    if (!make(plan, call, FORWARD_COLUMNS)) {
        return false;
    }
    const int64_t each = (int64_t)call->key_heads * plan->parts;
    plan->items = malloc((plan->num_blocks * each + 1) * sizeof *plan->items);
    for (int64_t d = 0; plan->items != NULL && d < plan->num_documents; d++) {
        const struct document *document = plan->documents + d;
        for (int64_t i = 0; i < each; i++) {
            for (int64_t b = document->first_block; b < document->end_block; b += BLOCKS) {
                plan->items[plan->num_items++] =
                    (struct item){document, b, (int32_t)(i / plan->parts), (int32_t)(i % plan->parts)};
            }
        }
    }
    return plan->items != NULL;
}

static int64_t count_chunks(const struct plan *plan, int64_t chunk)
{
    int64_t count = 0;
    for (int64_t d = 0; d < plan->num_documents; d++) {
        count += (plan->documents[d].keys + chunk - 1) / chunk;
    }
    return count;
}

/* The last chunk of a document first: see `backward.h` on whose turn it is. */
static void add_chunks(struct plan *plan)
{
    for (int64_t d = 0; d < plan->num_documents; d++) {
        const struct document *document = plan->documents + d;
        for (int32_t head = 0; head < plan->call->key_heads; head++) {
            for (int64_t c = (document->keys - 1) / plan->chunk; c >= 0; c--) {
                plan->items[plan->num_items++] = (struct item){document, c, head, 0};
            }
        }
    }
}

bool plan_backward(struct plan *plan, const struct attention *call)
{
    if (!make(plan, call, COLUMNS)) {
        return false;
    }
    for (plan->chunk = MOST_CHUNK; plan->chunk > LEAST_CHUNK; plan->chunk /= 2) {
        if (count_chunks(plan, plan->chunk) * call->key_heads >= ENOUGH_ITEMS) {
            break;
        }
    }
    const int64_t rows = call->heads * call->queries, each = (int64_t)call->key_heads * plan->parts;
    plan->items = malloc((count_chunks(plan, plan->chunk) * call->key_heads + 1) * sizeof *plan->items);
    plan->delta = malloc((rows + 1) * sizeof *plan->delta);
    plan->sums = malloc((rows * call->head_dim + 1) * sizeof *plan->sums);
    plan->turns = malloc((plan->num_blocks * each + 1) * sizeof *plan->turns);
    if (plan->items == NULL || plan->delta == NULL || plan->sums == NULL || plan->turns == NULL) {
        return false;
    }
    add_chunks(plan);
    for (int64_t i = 0; i < plan->num_blocks * each; i++) {
        const struct range seen = visible(call, plan->blocks + i / each);
        atomic_init(plan->turns + i, (int)((seen.end - 1) / plan->chunk));
    }
    return true;
}

void plan_free(struct plan *plan)
{
    free(plan->blocks);
    free(plan->documents);
    free(plan->items);
    free(plan->delta);
    free(plan->sums);
    free(plan->turns);
}
