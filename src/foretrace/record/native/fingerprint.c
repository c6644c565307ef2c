/* Whether a value would have the text that it had: the walk of render.c without its texts. */
#include "render.h"
#include "types.h"

typedef struct {
    Renderer *renderer;
    Py_ssize_t items; /* limits */
    long most_parts;
    int deepest;
    uint64_t lanes[2]; /* take turns, as a multiplication takes longer than what lies between two */
    unsigned turn;
    int parts, depth;
    PyObject *inside[DEEPEST];
    bool in_set; /* or where else objects are not numbered in the order of the walk */
    TypeInfo last; /* the type of the last object; no type changes during a walk */
    uint64_t last_name; /* of it, hashed */
} Walk;

#define MAX_SHARED 30 /* SHARED_KEYS_MAX_SIZE */

static bool walk_compound(Walk *w, PyObject *value);

/* Folds a kind and a word into the state. Each step can be undone, so a single word that differs is always seen. */
static inline uint64_t mixed(uint64_t lane, uint64_t what, uint64_t word)
{
    uint64_t turned = lane << 23 | lane >> 41;
    return (turned ^ (word + what * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
}

static inline void mix(Walk *w, uint64_t what, uint64_t word)
{
    uint64_t *lane = &w->lanes[w->turn ^= 1];
    *lane = mixed(*lane, what, word);
}

/* The state as one word: the two halves of a 64 x 64 bit product (wyhash's mixing function). */
static inline uint64_t state_of(const Walk *w)
{
    __uint128_t product = (__uint128_t)(w->lanes[w->turn] ^ 0x9E3779B97F4A7C15u) * (w->lanes[w->turn ^ 1] ^ 0xE7037ED1A0B428DBu);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Words that stand for no kind. */
enum { MARK_NAME = 64, MARK_CONSTANT, MARK_CYCLE, MARK_DEPTH, MARK_NUMBER, MARK_TYPE };

static inline bool mix_string(Walk *w, uint64_t what, PyObject *text)
{
    Py_hash_t hash = ((PyASCIIObject *)text)->hash;
    if (hash == -1 && (hash = PyUnicode_Type.tp_hash(text)) == -1) {
        return false;
    }
    mix(w, what + ((uint64_t)PyUnicode_GET_LENGTH(text) << 8), (uint64_t)hash);
    return true;
}

static inline bool mix_integer(Walk *w, PyObject *value)
{
    long long number;
    int overflow = 0;
    if (!int_is_compact(value, &number)) {
        number = PyLong_AsLongLongAndOverflow(value, &overflow);
    }
    mix(w, KIND_INT, (uint64_t)number);
    return !overflow;
}

/* A value; false if it has no fingerprint. */
static inline bool walk(Walk *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (++w->parts > w->most_parts) {
        return false;
    }
    if (type == &PyLong_Type) {
        return mix_integer(w, value);
    }
    if (type == &PyUnicode_Type) {
        return mix_string(w, KIND_STRING, value);
    }
    if (value == Py_None || type == &PyBool_Type) {
        mix(w, MARK_CONSTANT, value == Py_None ? 3 : value == Py_True ? 4 : 5);
        return true;
    }
    if (type == &PyFloat_Type) {
        uint64_t bits;
        double number = PyFloat_AS_DOUBLE(value);
        memcpy(&bits, &number, sizeof bits);
        mix(w, KIND_FLOAT, bits);
        return true;
    }
    return walk_compound(w, value);
}

/* A word for the name of a type; false if that cannot be had. */
static inline bool type_name_word(PyTypeObject *type, uint64_t *word)
{
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        *word = (uint64_t)(uintptr_t)type;
        return true;
    }
    *word = (uint64_t)PyUnicode_Type.tp_hash(((PyHeapTypeObject *)type)->ht_name);
    return *word != UINT64_MAX;
}

/* Values one after the other; integers in a row are mixed without going through memory. */
static bool walk_run(Walk *w, PyObject *const *items, Py_ssize_t at, Py_ssize_t end)
{
    while (at < end) {
        uint64_t next = w->lanes[w->turn ^ 1], last = w->lanes[w->turn];
        Py_ssize_t start = at;
        for (long long number; at < end && PyLong_CheckExact(items[at]) && int_is_compact(items[at], &number); at++) {
            uint64_t now = mixed(next, KIND_INT, (uint64_t)number);
            next = last;
            last = now;
        }
        w->turn ^= (unsigned)(at - start) & 1;
        w->lanes[w->turn] = last;
        w->lanes[w->turn ^ 1] = next;
        w->parts += (int)(at - start);
        if (w->parts > w->most_parts || (at < end && !walk(w, items[at++]))) {
            return false;
        }
    }
    return true;
}

static bool walk_items(Walk *w, PyObject *value, Kind kind)
{
    Py_ssize_t count = Py_SIZE(value);
    PyObject **items = kind == KIND_LIST ? ((PyListObject *)value)->ob_item : ((PyTupleObject *)value)->ob_item;
    mix(w, kind, (uint64_t)count);
    return walk_run(w, items, 0, count < w->items ? count : w->items);
}

/* As much of a pair as is shown: what is not gets no number. */
static inline bool walk_pair(Walk *w, PyObject *key, PyObject *item, Kind kind)
{
    return (kind == KIND_VALUES || walk(w, key)) && (kind == KIND_KEYS || walk(w, item));
}

static bool walk_pairs(Walk *w, PyObject *dict, Kind kind)
{
    PyObject *key, *item;
    Py_ssize_t at = 0, i = 0, count = PyDict_GET_SIZE(dict);
    mix(w, kind, (uint64_t)count);
    Py_ssize_t entry_count;
    const PyDictUnicodeEntry *entries = dict_entries(dict, &entry_count);
    for (Py_ssize_t e = 0; entries != NULL && e < entry_count && i < w->items; e++) {
        if (entries[e].me_value == NULL) {
            continue;
        }
        if (++i, !walk_pair(w, entries[e].me_key, entries[e].me_value, kind)) {
            return false;
        }
    }
    while (entries == NULL && i++ < w->items && PyDict_Next(dict, &at, &key, &item)) {
        if (!walk_pair(w, key, item, kind)) {
            return false;
        }
    }
    return true;
}

/* A counter shows the most common first: objects in it are not numbered in the order of the walk. */
static bool walk_counter(Walk *w, PyObject *value)
{
    bool was_in_set = w->in_set;
    if (PyDict_GET_SIZE(value) > w->items) { /* the most common ones may be any */
        return false;
    }
    w->in_set = true;
    bool done = walk_pairs(w, value, KIND_COUNTER);
    w->in_set = was_in_set;
    return done;
}

static bool walk_set(Walk *w, PyObject *value, Kind kind)
{
    PyObject *item;
    Py_hash_t hash;
    Py_ssize_t at = 0, count = PySet_GET_SIZE(value);
    bool was_in_set = w->in_set;
    mix(w, kind, (uint64_t)count);
    if (count > w->items) { /* the first ones by text may be any */
        return false;
    }
    w->in_set = true;
    while (_PySet_NextEntry(value, &at, &item, &hash)) {
        if (!walk(w, item)) {
            return false;
        }
    }
    w->in_set = was_in_set;
    return true;
}

static bool walk_attribute(Walk *w, PyObject *name, PyObject *value)
{
    return mix_string(w, MARK_NAME, name) && walk(w, value);
}

static bool walk_slots(Walk *w, PyObject *value, const TypeInfo *info)
{
    /* the walk into a slot's value may take `info` away: what is needed of it is copied */
    struct {
        PyObject *name, *value;
    } slots[16];
    int count = info->slot_count, used = 0;
    if (count > 16 || count > w->items) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (info->slots[i].member->type != T_OBJECT_EX) {
            return false;
        }
        slots[used].name = info->slots[i].name;
        slots[used].value = *(PyObject **)((char *)value + info->slots[i].member->offset);
        used += slots[used].value != NULL;
    }
    for (int i = 0; i < used; i++) {
        if (!walk_attribute(w, slots[i].name, slots[i].value)) {
            return false;
        }
    }
    return true;
}

/* Values whose names the class shares: a name's place in the class never changes, so the places stand for the names. */
static bool walk_shared(Walk *w, const Attributes *found, uint64_t number)
{
    PyObject *name, *items[MAX_SHARED];
    uint64_t places = 0;
    for (Py_ssize_t i = 0; i < found->count; i++) {
        Py_ssize_t place;
        items[i] = attributes_get(found, i, &name, &place);
        places = places * 31 + (uint64_t)place + 1;
    }
    mix(w, MARK_NUMBER + ((uint64_t)found->count << 8) + (number << 16), places);
    for (Py_ssize_t i = 0; i < found->count; i++) {
        if (items[i] == NULL) {
            mix(w, MARK_NAME, 0);
        }
        else if (!walk(w, items[i])) {
            return false;
        }
    }
    return true;
}

/* What is known of the type of an object; NULL if its name has no hash. Valid until the walk goes on. */
static inline const TypeInfo *walk_type(Walk *w, PyTypeObject *type)
{
    if (w->last.type != type) {
        w->last = *type_info(type);
        w->last.type = NULL;
        if (!type_name_word(type, &w->last_name)) {
            return NULL;
        }
        w->last.type = type;
    }
    return &w->last;
}

static bool walk_object(Walk *w, PyObject *value)
{
    const TypeInfo *info = walk_type(w, Py_TYPE(value));
    if (info == NULL || info->version == 0 || (info->kind == KIND_OBJECT && (w->in_set || info->content != KIND_OBJECT))) {
        return false;
    }
    bool has_dict = info->has_dict;
    uint64_t number = info->kind == KIND_OBJECT ? render_number(w->renderer, value) : 0;
    mix(w, (uint64_t)info->kind << 40 ^ info->version, w->last_name);
    if (info->slot_count && !walk_slots(w, value, info)) {
        return false;
    }
    Attributes found;
    if (has_dict) {
        attributes_find(value, &found);
        if (found.values != NULL) {
            return found.count <= MAX_SHARED && found.count <= w->items && walk_shared(w, &found, number);
        }
    }
    mix(w, MARK_NUMBER, number);
    PyObject *name, *item;
    Py_ssize_t at = 0, shown = 0;
    if (!has_dict || found.dict == NULL || !PyDict_CheckExact(found.dict)) {
        return true;
    }
    while (PyDict_Next(found.dict, &at, &name, &item)) {
        if (!PyUnicode_CheckExact(name) || ++shown > w->items || !walk_attribute(w, name, item)) {
            return false;
        }
    }
    return true;
}

static bool walk_inside(Walk *w, PyObject *value, Kind kind)
{
    switch (kind) {
    case KIND_LIST:
    case KIND_TUPLE:
        return walk_items(w, value, kind);
    case KIND_DICT:
        return walk_pairs(w, value, kind);
    case KIND_COUNTER:
        return walk_counter(w, value);
    case KIND_SET:
    case KIND_FROZENSET:
        return walk_set(w, value, kind);
    case KIND_KEYS:
    case KIND_VALUES:
    case KIND_ITEMS: {
        struct {
            PyObject_HEAD
            PyObject *inner;
        } *view = (void *)value;
        return walk_pairs(w, view->inner, kind);
    }
    case KIND_DATACLASS:
    case KIND_OBJECT:
        return walk_object(w, value);
    default:
        return false;
    }
}

/* A container; false if it has no fingerprint. */
static inline bool walk_container(Walk *w, PyObject *value, Kind kind)
{
    bool is_cyclic = false;
    for (int i = 0; i < w->depth; i++) {
        is_cyclic |= w->inside[i] == value;
    }
    if (!is_cyclic && w->depth < w->deepest) {
        w->inside[w->depth++] = value;
        bool done = walk_inside(w, value, kind);
        w->depth--;
        return done;
    }
    mix(w, is_cyclic ? MARK_CYCLE : MARK_DEPTH, 0);
    if (kind == KIND_LIST || kind == KIND_TUPLE) {
        mix(w, kind, (uint64_t)Py_SIZE(value));
        return true;
    }
    if (kind == KIND_DICT) {
        mix(w, kind, (uint64_t)PyDict_GET_SIZE(value));
        return true;
    }
    if ((kind == KIND_OBJECT || kind == KIND_DATACLASS) && !w->in_set) {
        uint64_t name;
        mix(w, MARK_NUMBER, render_number(w->renderer, value));
        if (!type_name_word(Py_TYPE(value), &name)) {
            return false;
        }
        mix(w, MARK_TYPE, name);
        return true;
    }
    return false;
}

static bool walk_compound(Walk *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyTuple_Type) {
        return walk_container(w, value, KIND_TUPLE);
    }
    if (type == &PyList_Type) {
        return walk_container(w, value, KIND_LIST);
    }
    if (type == &PyDict_Type) {
        return walk_container(w, value, KIND_DICT);
    }
    if (type == &PyFunction_Type) {
        return mix_string(w, KIND_FUNCTION, ((PyFunctionObject *)value)->func_name);
    }
    const TypeInfo *info = walk_type(w, type);
    Kind kind = info != NULL ? info->kind : KIND_REPR;
    return kind >= KIND_LIST && walk_container(w, value, kind);
}

static bool finish(Walk *w, bool done, uint64_t *result)
{
    w->renderer->is_logging = false;
    w->renderer->walked += w->parts;
    if (!done) {
        PyErr_Clear();
        fingerprint_undo(w->renderer);
    }
    *result = state_of(w);
    return done;
}

static void start(Walk *w, Renderer *renderer)
{
    renderer->given_count = 0;
    renderer->is_logging = true;
    w->renderer = renderer;
    w->items = renderer->limits.items;
    w->most_parts = renderer->limits.parts;
    w->deepest = renderer->limits.depth;
    w->lanes[0] = 0x243F6A8885A308D3u;
    w->lanes[1] = 0x13198A2E03707344u;
    w->turn = 0;
    w->parts = w->depth = 0; /* `inside` is as deep as that */
    w->in_set = false;
    w->last.type = NULL;
}

bool fingerprint(Renderer *renderer, PyObject *value, uint64_t *result)
{
    Walk w;
    start(&w, renderer);
    return finish(&w, walk(&w, value), result);
}

bool fingerprint_list(Renderer *renderer, PyObject *list, const ListState *before, ListState *now, uint64_t *result)
{
    Walk w;
    start(&w, renderer);
    Py_ssize_t items = w.items, count = PyList_GET_SIZE(list), shown = count < items ? count : items;
    Py_ssize_t known = before == NULL ? -1 : before->count < items ? before->count : items;
    PyObject **values = ((PyListObject *)list)->ob_item;
    w.inside[w.depth++] = list;
    bool done = walk_run(&w, values, 0, known >= 0 && known < shown ? known : shown);
    bool is_same = known >= 0 && known <= shown && state_of(&w) == before->items;
    done = done && (known < 0 || known >= shown || walk_run(&w, values, known, shown));
    *now = (ListState){.count = count, .items = state_of(&w), .has_grown = is_same && count > before->count};
    mix(&w, KIND_LIST, (uint64_t)count);
    return finish(&w, done, result);
}

/* ---- texts --------------------------------------------------------------------------------------- */

const CachedText *fingerprint_text(const Renderer *renderer, uint64_t fingerprint)
{
    const CachedText *cached = renderer->texts != NULL ? &renderer->texts[fingerprint % CACHED_TEXTS] : NULL;
    return cached != NULL && cached->fingerprint == fingerprint && cached->text != NULL ? cached : NULL;
}

void fingerprint_remember(Renderer *renderer, uint64_t fingerprint, const char *text, size_t size, size_t characters)
{
    if (size > MAX_CACHED_TEXT) {
        return;
    }
    if (renderer->texts == NULL && (renderer->texts = calloc(CACHED_TEXTS, sizeof *renderer->texts)) == NULL) {
        return;
    }
    CachedText *cached = &renderer->texts[fingerprint % CACHED_TEXTS];
    if (size > cached->capacity) {
        char *grown = realloc(cached->text, size + size / 4);
        if (grown == NULL) {
            return;
        }
        cached->text = grown;
        cached->capacity = (uint32_t)(size + size / 4);
    }
    memcpy(cached->text, text, size);
    cached->fingerprint = fingerprint;
    cached->size = (uint32_t)size;
    cached->characters = (uint32_t)characters;
}
