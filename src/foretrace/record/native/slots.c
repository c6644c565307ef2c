/* A local as it was last shown: whether its text is another now. */
#include "session.h"

#define SHORT_STRING 64
#define SHORT_TEXT 512

/* Whether a value cannot change and is small enough to be kept alive: then the same object has the same text. */
static bool is_atom(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyLong_Type || (type == &PyUnicode_Type && PyUnicode_GET_LENGTH(value) <= SHORT_STRING) ||
           type == &PyFloat_Type || type == &PyBool_Type || value == Py_None;
}

/* Ends what a slot holds; a long text is not kept for the next. */
void slot_clear(Session *session, Slot *slot)
{
    if (slot->capacity > SHORT_TEXT) {
        session->text_bytes -= slot->capacity;
        free(slot->text);
        slot->text = NULL;
        slot->capacity = 0;
    }
    Py_CLEAR(slot->atom);
    slot->is_bound = slot->has_fingerprint = slot->is_forgotten = false;
    slot->size = 0;
}

/* A number that two different texts share once in 2**64 times (the mixing function of wyhash over steps of eight bytes). */
static uint64_t digest_of(const char *text, size_t size)
{
    uint64_t state = size;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text + at, size - at < 8 ? size - at : 8);
        __uint128_t product = (__uint128_t)(state ^ 0x9E3779B97F4A7C15u) * (word ^ 0xE7037ED1A0B428DBu);
        state = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return state;
}

/* Whether a slot has this text. */
static bool is_same(const Slot *slot, const char *text, size_t size)
{
    if (!slot->is_bound || slot->size != size) {
        return false;
    }
    return slot->is_forgotten ? slot->digest == digest_of(text, size) : memcmp(slot->text, text, size) == 0;
}

/* Stores a text in a slot; whether it is another than before. */
static bool slot_store(Session *session, Slot *slot, const char *text, size_t size, size_t characters)
{
    bool changed = !is_same(slot, text, size);
    if (!changed && !slot->is_forgotten) {
        return false;
    }
    slot->is_forgotten = false;
    if (size > slot->capacity) {
        uint32_t capacity = (uint32_t)(size + size / 2 + 16);
        char *grown = realloc(slot->text, capacity);
        if (grown == NULL) {
            session->record.failed = true;
            return false;
        }
        session->text_bytes += capacity - slot->capacity;
        slot->text = grown;
        slot->capacity = capacity;
    }
    memcpy(slot->text, text, size);
    slot->size = (uint32_t)size;
    slot->characters = (uint32_t)characters;
    return changed;
}

static void forget_text(Session *session, Slot *slot)
{
    if (slot->is_bound && slot->capacity && !slot->is_forgotten) {
        slot->digest = digest_of(slot->text, slot->size);
        slot->is_forgotten = true;
    }
    session->text_bytes -= slot->capacity;
    free(slot->text);
    slot->text = NULL;
    slot->capacity = 0;
}

void slots_forget(Session *session)
{
    int count = session->stack_size - 1; /* all but the innermost */
    session->forgotten = session->forgotten < count ? session->forgotten : count;
    while (session->text_bytes > MAX_TEXT_BYTES / 2 && session->forgotten < count) {
        Activation *activation = &session->stack[session->forgotten++];
        for (int i = 0; i < activation->slot_capacity; i++) {
            forget_text(session, &activation->slots[i]);
        }
    }
    for (int i = 0; session->kept != NULL && i < MAX_AGE && session->text_bytes > MAX_TEXT_BYTES / 2; i++) {
        for (int j = 0; j < session->kept[i].slot_capacity; j++) {
            forget_text(session, &session->kept[i].slots[j]);
        }
    }
}

/* A list that has only grown since: its text is the old one and the new items. False if that may be cut otherwise. */
static bool append_items(Session *session, Slot *slot, PyObject *list, const ListState *now, bool *changed)
{
    Buffer *text = &session->scratch;
    text->size = 0;
    put_bytes(text, slot->text, slot->size - render_list_end_size(&session->renderer, slot->list.count));
    render_list_more(&session->renderer, text, list, slot->list.count);
    size_t characters = count_characters(text->data, text->size);
    if ((long)characters > 4 * session->renderer.limits.characters || text->failed || session->renderer.is_broken) {
        PyErr_Clear();
        return false;
    }
    slot->list = *now;
    *changed = slot_store(session, slot, text->data, text->size, characters);
    return true;
}

static Memory *memory_of(Session *session, const PyObject *value)
{
    return &session->memories[((uintptr_t)value >> 4) * 0x9E3779B97F4A7C15u >> 58];
}

/* The fingerprint of a value that has parts, remembered for as long as no object changes if it needs no numbers. */
static bool fingerprint_remembered(Session *session, PyObject *value, const ListState *before, ListState *list, uint64_t *now)
{
    Renderer *renderer = &session->renderer;
    Memory *memory = memory_of(session, value);
    if (memory->object == value && memory->epoch == session->epoch) {
        renderer->given_count = 0;
        *now = memory->fingerprint;
        *list = memory->list;
        return true;
    }
    uint64_t numberings = renderer->numberings;
    bool done = PyList_CheckExact(value) ? fingerprint_list(renderer, value, before, list, now) : fingerprint(renderer, value, now);
    if (done && renderer->numberings == numberings) {
        *memory = (Memory){.object = value, .epoch = session->epoch, .fingerprint = *now, .list = *list};
        memory->list.has_grown = false;
    }
    return done;
}

/* Brings a slot up to date with a value that has parts. */
static bool update_container(Session *session, Slot *slot, PyObject *value)
{
    Renderer *renderer = &session->renderer;
    Buffer *text = &session->scratch;
    uint64_t now;
    ListState list = {.count = -1};
    bool changed, was_list = slot->is_bound && slot->has_fingerprint && !slot->is_forgotten && slot->list.count >= 0;
    slot->is_first = renderer->numbers_used == 0;
    slot->is_leaf = false;
    bool has_fingerprint = fingerprint_remembered(session, value, was_list ? &slot->list : NULL, &list, &now);
    bool is_known = slot->is_bound && slot->has_fingerprint && !slot->is_forgotten;
    if (has_fingerprint && is_known && slot->fingerprint == now) {
        return false;
    }
    slot->fingerprint = now;
    if (has_fingerprint && list.has_grown && append_items(session, slot, value, &list, &changed)) {
        return changed;
    }
    slot->list = list;
    const CachedText *cached = has_fingerprint ? fingerprint_text(renderer, now) : NULL;
    slot->has_fingerprint = has_fingerprint;
    if (cached != NULL) {
        return slot_store(session, slot, cached->text, cached->size, cached->characters);
    }
    if (has_fingerprint) {
        fingerprint_undo(renderer);
    }
    text->size = 0;
    size_t characters = render(renderer, text, value);
    if (render_was_cut(renderer)) {
        slot->has_fingerprint = false;
    }
    else if (has_fingerprint) {
        fingerprint_remember(renderer, now, text->data, text->size, characters);
    }
    return slot_store(session, slot, text->data, text->size, characters);
}

static bool fingerprint_any(Renderer *renderer, PyObject *value, uint64_t *result)
{
    ListState list;
    return PyList_CheckExact(value) ? fingerprint_list(renderer, value, NULL, &list, result)
                                    : fingerprint(renderer, value, result);
}

static inline void slot_set_leaf(Slot *slot)
{
    slot->has_fingerprint = slot->is_numbered = false;
    slot->list.count = -1;
    slot->is_leaf = slot->is_first = true;
}

size_t render_remembered(Renderer *renderer, Buffer *out, PyObject *value)
{
    uint64_t now;
    if (is_leaf(value) || !fingerprint_any(renderer, value, &now)) {
        return render(renderer, out, value);
    }
    const CachedText *cached = fingerprint_text(renderer, now);
    if (cached != NULL) {
        put_bytes(out, cached->text, cached->size);
        return cached->characters;
    }
    fingerprint_undo(renderer);
    size_t start = out->size, characters = render(renderer, out, value);
    if (!render_was_cut(renderer) && !out->failed) {
        fingerprint_remember(renderer, now, out->data + start, out->size - start, characters);
    }
    return characters;
}

/* Brings a slot up to date with a value that it does not hold; whether its text is another now. */
bool slot_update(Session *session, Slot *slot, PyObject *value)
{
    bool changed;
    Py_INCREF(value);
    long long number;
    if (PyLong_CheckExact(value) && int_is_compact(value, &number)) { /* most of what changes */
        char digits[DECIMAL_SIZE], *end = digits + DECIMAL_SIZE, *start = write_decimal(end, number);
        changed = slot_store(session, slot, start, (size_t)(end - start), (size_t)(end - start));
        slot_set_leaf(slot);
    }
    else if (is_leaf(value)) {
        session->scratch.size = 0;
        size_t characters = render(&session->renderer, &session->scratch, value);
        changed = slot_store(session, slot, session->scratch.data, session->scratch.size, characters);
        slot_set_leaf(slot);
    }
    else {
        uint64_t numberings = session->renderer.numberings;
        changed = update_container(session, slot, value);
        slot->is_numbered = session->renderer.numberings != numberings;
    }
    slot->is_bound = true;
    slot->seen = value;
    slot->epoch = session->epoch;
    Py_XSETREF(slot->atom, is_atom(value) ? Py_NewRef(value) : NULL);
    Py_DECREF(value);
    return changed;
}

void slots_clear_all(Session *session, Slot *slots, int *count)
{
    for (int i = 0; i < *count; i++) {
        slot_clear(session, &slots[i]);
    }
    *count = 0;
}

void slots_free_all(Session *session, Slot *slots, int capacity)
{
    for (int i = 0; i < capacity; i++) {
        session->text_bytes -= slots[i].capacity;
        free(slots[i].text);
    }
    free(slots);
}

void slots_clear(Session *session, Activation *activation)
{
    slots_clear_all(session, activation->slots, &activation->slot_count);
}

void slots_free(Session *session, Activation *activation)
{
    slots_clear(session, activation);
    slots_free_all(session, activation->slots, activation->slot_capacity);
    activation->slots = NULL;
    activation->slot_capacity = 0;
}
