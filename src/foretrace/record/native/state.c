/* The locals of a scope in a frame: those that are gone, and those that are new or changed. */
#include "session.h"

/* ---- the names that are gone, and those that are new or changed ---------------------------------- */

typedef struct {
    Session *session;
    Activation *activation;
    int at, before, gone, edits; /* positions now and before; counts */
    bool keeps_numbers; /* only values without parts have changed: objects have the numbers that they had */
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

/* Whether a slot was brought up to date with this very value, which has parts, and no object has changed since. A string may
   grow in place. */
static inline bool is_unchanged(const Session *session, const Slot *slot, const PyObject *value)
{
    return slot->epoch == session->epoch && slot->seen == value && !slot->is_leaf && !slot->is_forgotten;
}

/* A local that is bound now, with the value that it holds. */
static inline void write_bound(Writing *w, Name *name, Slot *slot, PyObject *value)
{
    bool was_bound = slot->is_bound;
    bool is_known = was_bound && ((value == slot->atom && !slot->is_forgotten) ||
                                  (is_unchanged(w->session, slot, value) && (w->keeps_numbers || !slot->is_numbered)));
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
static PyObject *repeated_value(const Activation *a, PyCodeObject *code, int i, PyObject *value)
{
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

static inline PyObject *local_value(const Activation *a, PyCodeObject *code, int i)
{
    PyObject *value = frame_local(a->frame, i, (unsigned char)PyBytes_AS_STRING(code->co_localspluskinds)[i]);
    return __builtin_expect(a->code->is_repeated, 0) ? repeated_value(a, code, i, value) : value;
}

/* Whether all values that have parts, now or before, are unchanged. */
static bool keeps_numbers(const Session *session, Activation *a, PyCodeObject *code)
{
    for (int i = 0; i < a->code->name_count; i++) {
        const Slot *slot = &a->slots[i];
        PyObject *value = a->code->names[i] != NULL ? local_value(a, code, i) : NULL;
        if (value != NULL && slot->is_bound && is_unchanged(session, slot, value)) {
            continue;
        }
        if ((slot->is_bound && !slot->is_leaf) || (value != NULL && !is_leaf(value))) {
            return false;
        }
    }
    return true;
}

static void write_variables(Writing *w)
{
    Activation *a = w->activation;
    PyCodeObject *code = frame_code(a->frame);
    w->keeps_numbers = a->epoch == w->session->epoch && keeps_numbers(w->session, a, code);
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

static bool is_dunder_name(const Name *name)
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
        if (is_dunder_name(name)) {
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
        PyObject *hidden = name != NULL && !is_dunder_name(name) ? hidden_value(a, name) : NULL;
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
static void put_edit_counts(Writing *w, size_t start)
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
    session->renderer.walked = 0;
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
        put_edit_counts(&w, session->frame_at + head);
    }
    activation->is_reset = false;
    if (session->renderer.walked) {
        activation->parts = session->renderer.walked;
        activation->code->parts += session->renderer.walked;
    }
    activation->epoch = session->epoch;
    return w.characters;
}
