/* The locals of a scope: what is bound, and what has changed since its last frame. */
#include "session.h"

#define SHORT_STRING 64
#define SHORT_TEXT 512
#define MAX_TEXT_BYTES (4 << 20)

/* Whether a value cannot change and is small enough to be kept alive: then the same object has the same text. */
static bool is_atom(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyLong_Type || (type == &PyUnicode_Type && PyUnicode_GET_LENGTH(value) <= SHORT_STRING) ||
           type == &PyFloat_Type || type == &PyBool_Type || value == Py_None;
}

/* Whether a value has no parts, so that its text is made as fast as anything that stands for it. */
static bool is_leaf(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type || type == &PyBool_Type || value == Py_None ||
           type == &PyFunction_Type;
}

/* Ends what a slot holds; a long text is not kept for the next. */
static void slot_clear(Session *session, Slot *slot)
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

/* Brings a slot up to date with a value that has parts. */
static bool update_container(Session *session, Slot *slot, PyObject *value)
{
    Renderer *renderer = &session->renderer;
    Buffer *text = &session->scratch;
    uint64_t now;
    ListState list = {.count = -1};
    bool changed, was_list = slot->is_bound && slot->has_fingerprint && !slot->is_forgotten && slot->list.count >= 0;
    slot->is_first = renderer->numbers_used == 0;
    bool has_fingerprint = PyList_CheckExact(value)
                               ? fingerprint_list(renderer, value, was_list ? &slot->list : NULL, &list, &now)
                               : fingerprint(renderer, value, &now);
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
static bool slot_update(Session *session, Slot *slot, PyObject *value)
{
    bool changed;
    Py_INCREF(value);
    if (is_leaf(value)) {
        session->scratch.size = 0;
        size_t characters = render(&session->renderer, &session->scratch, value);
        changed = slot_store(session, slot, session->scratch.data, session->scratch.size, characters);
        slot->has_fingerprint = false;
        slot->list.count = -1;
        slot->is_first = true;
    }
    else {
        changed = update_container(session, slot, value);
    }
    slot->is_bound = true;
    Py_XSETREF(slot->atom, is_atom(value) ? Py_NewRef(value) : NULL);
    Py_DECREF(value);
    return changed;
}

/* ---- the names that are gone, and those that are new or changed ---------------------------------- */

typedef struct {
    Session *session;
    Activation *activation;
    int at, before, gone, edits; /* positions now and before; counts */
    size_t characters;
} Writing;

static void write_gone(Writing *w)
{
    Session *session = w->session;
    if (w->gone == session->gone_capacity) {
        int capacity = w->gone ? 2 * w->gone : 64;
        int *grown = realloc(session->gone, (size_t)capacity * sizeof *grown);
        if (grown == NULL) {
            session->record.failed = true;
            return;
        }
        session->gone = grown;
        session->gone_capacity = capacity;
    }
    session->gone[w->gone++] = w->before++;
}

void number_name_now(Session *session, Name *name)
{
    if (session->fresh_count == session->fresh_capacity) {
        int capacity = session->fresh_capacity ? 2 * session->fresh_capacity : 64;
        Name **grown = realloc(session->fresh, (size_t)capacity * sizeof *grown);
        if (grown == NULL) {
            session->record.failed = true;
            return;
        }
        session->fresh = grown;
        session->fresh_capacity = capacity;
    }
    session->fresh[session->fresh_count++] = name;
    name->tables = session->tables;
    name->number = session->string_count++;
    Buffer *record = &session->record;
    size_t start = record->size;
    put_char(record, RECORD_STRING);
    put_text(record, name->text, name->size);
    size_t size = record->size - start, frame = start - session->frame_at;
    if (frame && !record->failed && buffer_reserve(record, size)) { /* its place is before what was written of the frame */
        char *at = record->data + session->frame_at;
        memmove(at + size, at, frame + size);
        memcpy(at, record->data + start + size, size);
    }
    session->frame_at += size;
}

/* A local that is bound now and has another text than before, or had none. */
static void write_changed(Writing *w, Name *name, const Slot *slot, bool was_bound)
{
    Session *session = w->session;
    if (!was_bound) {
        number_name(session, name);
    }
    Buffer *out = &session->record;
    put_int(out, 2 * (uint64_t)w->at + !was_bound);
    if (!was_bound) {
        put_int(out, (uint64_t)name->number);
    }
    put_text(out, slot->text, slot->size);
    w->edits++;
}

/* A local on the wire. */
static void write_shown(Writing *w, const Name *name, const Slot *slot, bool in_full)
{
    Buffer *out = &w->session->record;
    uint32_t skipped = w->at ? 0 : 2; /* the comma */
    uint32_t size = (in_full ? name->key_size : name->json_size) - skipped;
    if (size <= SHORT_JSON - 2 && buffer_reserve(out, SHORT_JSON)) { /* a fixed number of bytes is copied at once */
        memcpy(out->data + out->size, name->json + skipped, SHORT_JSON - 2);
        out->size += size;
    }
    else {
        put_bytes(out, name->json + skipped, size);
    }
    if (in_full) {
        put_json(out, slot->text, slot->size);
        put_char(out, '"');
    }
}

/* A local that is bound now, with the value that it holds. */
static inline void write_bound(Writing *w, Name *name, Slot *slot, PyObject *value)
{
    bool was_bound = slot->is_bound;
    bool is_known = was_bound && value == slot->atom && !slot->is_forgotten;
    bool changed = !is_known && slot_update(w->session, slot, value);
    w->characters += slot->characters;
    if (w->session->is_wire) {
        write_shown(w, name, slot, changed || w->activation->is_reset);
    }
    else if (changed) {
        write_changed(w, name, slot, was_bound);
    }
    w->at++;
}

/* ---- functions ----------------------------------------------------------------------------------- */

/* The value of variable `i`, NULL if it is not bound. Where two variables have one name, the last one that is bound counts,
   in the place of the first. */
static PyObject *local_value(Activation *a, PyCodeObject *code, int i)
{
    PyObject *value = frame_local(a->frame, i, (unsigned char)PyBytes_AS_STRING(code->co_localspluskinds)[i]);
    if (!a->code->is_repeated) {
        return value;
    }
    for (int j = 0; j < a->code->name_count; j++) {
        if (j != i && a->code->names[j] == a->code->names[i]) {
            if (j < i) {
                return NULL;
            }
            PyObject *other = frame_local(a->frame, j, (unsigned char)PyBytes_AS_STRING(code->co_localspluskinds)[j]);
            value = other != NULL ? other : value;
        }
    }
    return value;
}

static void write_variables(Writing *w)
{
    Activation *a = w->activation;
    PyCodeObject *code = frame_code(a->frame);
    for (int i = 0; i < a->code->name_count; i++) {
        Name *name = a->code->names[i];
        if (name == NULL) {
            continue;
        }
        Slot *slot = &a->slots[i];
        bool was_bound = slot->is_bound;
        PyObject *value = local_value(a, code, i);
        if (value == NULL) {
            if (was_bound) {
                write_gone(w);
                slot_clear(w->session, slot);
            }
            continue;
        }
        w->before += was_bound;
        write_bound(w, name, slot, value);
    }
}

/* ---- class bodies and modules -------------------------------------------------------------------- */

/* The value of a variable of a comprehension that runs inline, NULL if `name` is none that is bound, or also that of a free
   variable. */
static PyObject *hidden_value(Activation *a, Name *name)
{
    PyCodeObject *code = frame_code(a->frame);
    PyObject *value = NULL;
    for (int i = 0; i < a->code->name_count; i++) {
        unsigned char kind = (unsigned char)PyBytes_AS_STRING(code->co_localspluskinds)[i];
        if (a->code->names[i] == name && kind & CO_FAST_FREE) {
            return NULL;
        }
        if (a->code->names[i] == name && kind & CO_FAST_LOCAL) {
            value = frame_local(a->frame, i, kind);
        }
    }
    return value;
}

static bool is_dunder(const Name *name)
{
    return name->size >= 2 && name->text[0] == '_' && name->text[1] == '_' &&
           name->text[name->size - 1] == '_' && name->text[name->size - 2] == '_';
}

static bool reserve_slots(Session *session, Activation *a, int count)
{
    if (count <= a->slot_capacity) {
        return true;
    }
    int capacity = count + count / 2 + 8;
    Slot *grown = realloc(a->slots, (size_t)capacity * sizeof *grown);
    if (grown == NULL) {
        session->record.failed = true;
        return false;
    }
    memset(grown + a->slot_capacity, 0, (size_t)(capacity - a->slot_capacity) * sizeof *grown);
    a->slots = grown;
    a->slot_capacity = capacity;
    return true;
}

/* Moves the slot of `name` to `at`, from behind it. A name that is not there gets a slot that is not bound. */
static bool bring_slot(Session *session, Activation *a, Name *name, int at)
{
    int from = at;
    while (from < a->slot_count && a->slots[from].name != name) {
        from++;
    }
    if (from == at && from < a->slot_count) {
        return true;
    }
    Slot moved = {0};
    if (from < a->slot_count) {
        moved = a->slots[from];
    }
    else {
        if (!reserve_slots(session, a, a->slot_count + 1)) {
            return false;
        }
        moved = a->slots[a->slot_count++]; /* memory that is not in use */
        moved.name = name;
        moved.is_bound = false;
    }
    memmove(a->slots + at + 1, a->slots + at, (size_t)(from - at) * sizeof *a->slots);
    a->slots[at] = moved;
    return true;
}

typedef struct {
    Name *name;
    PyObject *value; /* owned */
} Item;

typedef struct {
    Item *items;
    int count, capacity;
} Items;

static bool items_add(Items *items, Name *name, PyObject *value)
{
    if (items->count == items->capacity) {
        int capacity = items->capacity ? 2 * items->capacity : 32;
        Item *grown = realloc(items->items, (size_t)capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        items->items = grown;
        items->capacity = capacity;
    }
    items->items[items->count++] = (Item){name, Py_NewRef(value)};
    return true;
}

/* The names of a class body or a module and their values, in order; those of comprehensions within come last. */
static bool collect_space(Session *session, Activation *a, Items *items)
{
    PyCodeObject *code = frame_code(a->frame);
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (a->space != NULL && PyDict_Check(a->space) && PyDict_Next(a->space, &at, &key, &value)) {
        if (!PyUnicode_CheckExact(key)) {
            continue;
        }
        Name *name = intern_name(session, key);
        if (name == NULL) {
            PyErr_Clear();
            return false;
        }
        if (is_dunder(name)) {
            continue;
        }
        PyObject *hidden = code->co_nlocals ? hidden_value(a, name) : NULL;
        if (!items_add(items, name, hidden != NULL ? hidden : value)) {
            return false;
        }
    }
    int spaced = items->count;
    for (int i = 0; i < a->code->name_count && code->co_nlocals; i++) {
        Name *name = a->code->names[i];
        PyObject *hidden = name != NULL && !is_dunder(name) ? hidden_value(a, name) : NULL;
        for (int j = 0; j < spaced && hidden != NULL; j++) {
            hidden = items->items[j].name == name ? NULL : hidden;
        }
        if (hidden != NULL && !items_add(items, name, hidden)) {
            return false;
        }
    }
    return true;
}

/* Whether the names that were there and still are stand in the same order. */
static bool same_order(const Activation *a, const Items *items)
{
    int at = 0;
    for (int i = 0; i < a->slot_count; i++) {
        int found = at;
        while (found < items->count && items->items[found].name != a->slots[i].name) {
            found++;
        }
        if (found < items->count) {
            at = found + 1;
            continue;
        }
        for (int j = 0; j < at; j++) {
            if (items->items[j].name == a->slots[i].name) {
                return false;
            }
        }
    }
    return true;
}

/* Ends the slots of names that are gone; the positions of those are noted. */
static void drop_slots(Writing *w, const Items *items, bool all)
{
    Activation *a = w->activation;
    int kept = 0, at = 0;
    for (int i = 0; i < a->slot_count; i++) {
        int found = at;
        while (!all && found < items->count && items->items[found].name != a->slots[i].name) {
            found++;
        }
        if (!all && found < items->count) {
            at = found + 1;
            Slot slot = a->slots[i];
            a->slots[i] = a->slots[kept];
            a->slots[kept++] = slot;
            w->before++;
        }
        else {
            write_gone(w);
            slot_clear(w->session, &a->slots[i]);
        }
    }
    a->slot_count = kept;
}

static void write_space(Writing *w)
{
    Activation *a = w->activation;
    Items items = {0};
    bool done = collect_space(w->session, a, &items);
    w->session->record.failed |= !done;
    bool is_same = same_order(a, &items);
    if (!w->session->is_wire && !is_same) {
        drop_slots(w, &items, true); /* everything is said again */
    }
    else if (is_same) {
        drop_slots(w, &items, false);
    }
    for (int i = 0; i < items.count && done; i++) {
        if (!bring_slot(w->session, a, items.items[i].name, i)) {
            break;
        }
        write_bound(w, items.items[i].name, &a->slots[i], items.items[i].value);
    }
    for (int i = items.count; i < a->slot_count; i++) { /* wire, order changed: what is left is gone */
        slot_clear(w->session, &a->slots[i]);
    }
    a->slot_count = a->slot_count < items.count ? a->slot_count : items.count;
    for (int i = 0; i < items.count; i++) {
        Py_DECREF(items.items[i].value);
    }
    free(items.items);
}

/* ---- a frame ------------------------------------------------------------------------------------- */

/* Puts the counts, which are known only now, in front of the edits, which start at `start` behind a byte for them. */
static void put_counts(Writing *w, size_t start)
{
    Session *session = w->session;
    Buffer *record = &session->record, *counts = &session->scratch;
    uint64_t count = 2 * (uint64_t)w->edits + (w->gone > 0);
    if (count < 0x80 && !w->gone) {
        record->data[start] = (char)count;
        return;
    }
    counts->size = 0;
    put_int(counts, count);
    if (w->gone) {
        put_int(counts, (uint64_t)w->gone);
    }
    for (int i = 0; i < w->gone; i++) {
        put_int(counts, (uint64_t)session->gone[i]);
    }
    size_t edits = record->size - start - 1;
    if (!counts->failed && buffer_reserve(record, counts->size)) {
        memmove(record->data + start + counts->size, record->data + start + 1, edits);
        memcpy(record->data + start, counts->data, counts->size);
        record->size += counts->size - 1;
    }
}

size_t state_write(Session *session, Activation *activation)
{
    Writing w = {.session = session, .activation = activation};
    if (session->text_bytes > MAX_TEXT_BYTES) {
        slots_forget(session);
    }
    size_t head = session->record.size - session->frame_at;
    render_begin(&session->renderer);
    put_char(&session->record, session->is_wire ? '{' : 0);
    if (!activation->code->is_optimized) {
        write_space(&w);
    }
    else if (reserve_slots(session, activation, activation->code->name_count)) {
        activation->slot_count = activation->code->name_count;
        write_variables(&w);
    }
    if (session->is_wire) {
        put_char(&session->record, '}');
    }
    else if (!session->record.failed) {
        put_counts(&w, session->frame_at + head);
    }
    activation->is_reset = false;
    return w.characters;
}

size_t state_write_again(Session *session, Activation *activation)
{
    Writing w = {.session = session, .activation = activation};
    put_char(&session->record, session->is_wire ? '{' : 0); /* no edits */
    for (int i = 0; i < activation->slot_count; i++) {
        const Slot *slot = &activation->slots[i];
        if (!slot->is_bound) {
            continue;
        }
        w.characters += slot->characters;
        if (session->is_wire) {
            write_shown(&w, activation->code->names[i], slot, activation->is_reset);
            w.at++;
        }
    }
    if (session->is_wire) {
        put_char(&session->record, '}');
    }
    activation->is_reset = false;
    return w.characters;
}

static void clear_slots(Session *session, Slot *slots, int *count)
{
    for (int i = 0; i < *count; i++) {
        slot_clear(session, &slots[i]);
    }
    *count = 0;
}

static void free_slots(Session *session, Slot *slots, int capacity)
{
    for (int i = 0; i < capacity; i++) {
        session->text_bytes -= slots[i].capacity;
        free(slots[i].text);
    }
    free(slots);
}

void slots_clear(Session *session, Activation *activation)
{
    clear_slots(session, activation->slots, &activation->slot_count);
}

void slots_free(Session *session, Activation *activation)
{
    slots_clear(session, activation);
    free_slots(session, activation->slots, activation->slot_capacity);
    activation->slots = NULL;
    activation->slot_capacity = 0;
}

/* ---- scopes that are suspended ------------------------------------------------------------------- */

static void exchange_slots(Activation *activation, Kept *kept)
{
    Kept before = *kept;
    kept->slots = activation->slots;
    kept->slot_count = activation->slot_count;
    kept->slot_capacity = activation->slot_capacity;
    activation->slots = before.slots;
    activation->slot_count = before.slot_count;
    activation->slot_capacity = before.slot_capacity;
}

/* The place of a scope that is kept, -1 if it is not. */
static int kept_find(const Session *session, const InterpreterFrame *frame)
{
    int place = -1;
    for (int i = 0; i < MAX_AGE; i++) { /* without a branch: at most one is the same */
        place = session->kept_frames[i] == frame ? i : place;
    }
    return place;
}

void kept_put(Session *session, Activation *activation)
{
    if (session->kept == NULL && (session->kept = calloc(MAX_AGE, sizeof *session->kept)) == NULL) {
        return; /* it will be shown in full */
    }
    kept_forget(session, activation->frame);
    int place = (int)(++session->suspensions % MAX_AGE);
    Kept *kept = &session->kept[place];
    exchange_slots(activation, kept);
    session->kept_frames[place] = activation->frame;
    kept->code = activation->code;
    kept->line = activation->line;
    kept->number = session->suspensions;
}

void kept_take(Session *session, Activation *activation)
{
    int place = session->kept != NULL ? kept_find(session, activation->frame) : -1;
    activation->age = 0;
    if (place < 0 || session->kept[place].code != activation->code) {
        return;
    }
    exchange_slots(activation, &session->kept[place]);
    activation->line = session->kept[place].line;
    activation->age = session->suspensions - session->kept[place].number + 1;
    session->kept_frames[place] = NULL;
}

void kept_forget(Session *session, const InterpreterFrame *frame)
{
    int place = session->kept != NULL ? kept_find(session, frame) : -1;
    if (place >= 0) {
        session->kept_frames[place] = NULL;
    }
}

void kept_clear(Session *session)
{
    for (int i = 0; session->suspensions && session->kept != NULL && i < MAX_AGE; i++) {
        clear_slots(session, session->kept[i].slots, &session->kept[i].slot_count);
        session->kept_frames[i] = NULL;
    }
    session->suspensions = 0;
}

void kept_free(Session *session)
{
    kept_clear(session);
    for (int i = 0; session->kept != NULL && i < MAX_AGE; i++) {
        free_slots(session, session->kept[i].slots, session->kept[i].slot_capacity);
    }
    free(session->kept);
    session->kept = NULL;
}
